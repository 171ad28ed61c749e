package llm

import (
	"context"
	"fmt"

	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/calibrate"
)

// A Network is a model that reads texts layer by layer, to be quantized on the way: a
// calibrate.Network. Of its matrices, those of one layer are in memory.
type Network struct {
	model   *Model
	builder builder
	source  *checkpointSource
	texts   [][]int

	stream   *stream
	tensors  map[string][]part
	replaced map[Place]Linear // of the step under way
}

// A part is the rows of a tensor that the matrix at a place is.
type part struct {
	Place
	location
	rows int
}

// NewNetwork returns the network of a model, and of texts, which begin and end as a
// text of the model does. The file must stay open.
func (f *File) NewNetwork(texts [][]int) (*Network, error) {
	s, ok := f.source.(*checkpointSource)
	if !ok {
		return nil, fmt.Errorf("llm: %s can't be calibrated, as it is no checkpoint", f.name)
	}
	if err := f.Config.check(); err != nil {
		return nil, f.at(err)
	}
	n := &Network{source: s, texts: texts, tensors: make(map[string][]part), replaced: make(map[Place]Linear)}
	n.builder = builder{c: &f.Config, source: s, options: Options{Maker: Float, Packed: Quantizer{}.Packed}}
	var err error
	if n.model, err = n.builder.withoutMatrices(); err != nil {
		return nil, f.at(err)
	}
	at := s.at(Place{Layer: -1, Kind: Embedding}.tensor())
	n.model.Embedding = Table(s.c, at.name, at.first, f.Config.Vocab, f.Config.Dim)
	for _, p := range n.model.places() {
		rows, _ := f.Config.Size(p)
		at := s.at(p.tensor())
		n.tensors[at.name] = append(n.tensors[at.name], part{p, at, rows})
	}
	return n, nil
}

// Settings implements calibrate.Network.
func (n *Network) Settings() string {
	return calibrate.TextSettings(n.texts)
}

// Find implements calibrate.Network. The step behind the last layer is the classifier's.
func (n *Network) Find(tensor string, matrix int) calibrate.Place {
	parts := n.partsOf(tensor, matrix)
	if len(parts) == 0 {
		return calibrate.Place{Step: -1}
	}
	p := parts[0].Place
	switch {
	case p.Kind == Classifier || p.Kind == Embedding && n.model.Tied():
		return calibrate.Place{Step: len(n.model.Layers), Input: Place{Layer: -1, Kind: Classifier}.String()}
	case p.Layer < 0:
		return calibrate.Place{Step: -1}
	}
	return calibrate.Place{Step: p.Layer, Input: p.shown(n.builder.c).String()}
}

// partsOf returns the parts of a matrix of a tensor.
func (n *Network) partsOf(tensor string, matrix int) []part {
	all := n.tensors[tensor]
	if len(all) == 0 || len(all[0].shape) < 3 {
		return all
	}
	outs := all[0].shape[len(all[0].shape)-2]
	var parts []part
	for _, p := range all {
		if p.first/outs == matrix {
			p.first -= matrix * outs
			parts = append(parts, p)
		}
	}
	return parts
}

// Observe implements calibrate.Network.
func (n *Network) Observe(ctx context.Context, step int, see func(input string, x []float32, n int) error) error {
	if err := n.load(ctx, step, func(Place) bool { return true }); err != nil {
		return err
	}
	if step < len(n.model.Layers) {
		return n.stream.run(step, n.model.Layers[step], func(p Place, x []float32, n int) error { return see(p.String(), x, n) }, false)
	}
	for _, b := range n.stream.batches {
		x := n.stream.r.normalize(&n.stream.r.norm, b.x, n.model.Norm, b.n)
		if err := see(Place{Layer: -1, Kind: Classifier}.String(), x, b.n); err != nil {
			return err
		}
	}
	return nil
}

// load reads those matrices of a step that are wanted and not there, with which the
// texts are on their way at the latest.
func (n *Network) load(ctx context.Context, step int, want func(Place) bool) error {
	if n.stream == nil {
		var err error
		if n.stream, err = newStream(ctx, n.model, n.texts); err != nil {
			return err
		}
	}
	var missing []Place
	for _, p := range n.model.places() {
		if p.Layer >= 0 && p.Layer == step && *n.model.slot(p) == nil && want(p) {
			missing = append(missing, p)
		}
	}
	return n.builder.matrices(n.model, missing)
}

// Replace implements calibrate.Network.
func (n *Network) Replace(tensor string, matrix int, m *quant.Matrix) error {
	for _, p := range n.partsOf(tensor, matrix) {
		switch {
		case p.Kind == Classifier || p.Kind == Embedding && n.model.Tied(): // nothing follows
		case p.Kind == Embedding:
			n.model.Embedding = &Quantized{Matrix: m}
		default:
			l, err := Unpacked(m, p.first, p.first+p.rows)
			if err != nil {
				return err
			}
			n.replaced[p.Place] = l
		}
	}
	return nil
}

// Advance implements calibrate.Network.
func (n *Network) Advance(ctx context.Context, step int) error {
	if step >= len(n.model.Layers) {
		return nil
	}
	if err := n.load(ctx, step, func(p Place) bool { return n.replaced[p] == nil }); err != nil {
		return err
	}
	for p, l := range n.replaced {
		*n.model.slot(p) = l
	}
	clear(n.replaced)
	if err := n.stream.run(step, n.model.Layers[step], nil, true); err != nil {
		return err
	}
	n.stream.model.Layers[step] = Layer{}
	n.model.Layers[step] = Layer{}
	return nil
}

// Close ends the goroutines.
func (n *Network) Close() {
	if n.stream != nil {
		n.stream.close()
	}
}
