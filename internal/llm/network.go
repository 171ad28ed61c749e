package llm

import (
	"context"
	"fmt"
	"slices"

	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/calibrate"
)

// A Network is a calibrate.Network: a model that reads texts stage by stage and is
// quantized on the way. Only the matrices of one layer are in memory.
type Network struct {
	model   *Model
	builder builder
	source  *checkpointSource
	texts   [][]int

	stream   *stream
	float    *stream // the same texts in the original model, or nil
	both     bool    // whether float is needed
	tensors  map[string][]part
	replaced map[Place]Linear // of the current layer
	losses   Losses
	loaded   int // 1 more than the loaded layer
}

// A part is the range of rows of a tensor that is the matrix at a place.
type part struct {
	Place
	location
	rows int
}

// NewNetwork returns the network of a model, and of texts, which begin and end as a
// text of the model does. The file must stay open.
func (f *File) NewNetwork(texts [][]int, float bool) (*Network, error) {
	s, ok := f.source.(*checkpointSource)
	if !ok {
		return nil, fmt.Errorf("llm: %s can't be calibrated, because it is not a checkpoint", f.name)
	}
	if err := f.Config.check(); err != nil {
		return nil, f.at(err)
	}
	n := &Network{source: s, both: float, texts: texts, tensors: make(map[string][]part), replaced: make(map[Place]Linear)}
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

// Find implements calibrate.Network. The classifier has the step after the last layer's
// steps.
func (n *Network) Find(tensor string, matrix int) calibrate.Place {
	parts := n.partsOf(tensor, matrix)
	if len(parts) == 0 {
		return calibrate.Place{Step: -1}
	}
	p := parts[0].Place
	switch {
	case p.Kind == Classifier || p.Kind == Embedding && n.model.Tied():
		return calibrate.Place{Step: stages * len(n.model.Layers), Layer: len(n.model.Layers), Input: Place{Layer: -1, Kind: Classifier}.String()}
	case p.Layer < 0:
		return calibrate.Place{Step: -1}
	}
	return calibrate.Place{Step: stages*p.Layer + p.Kind.stage(), Layer: p.Layer, Input: p.shown(n.builder.c).String()}
}

// stage returns the stage of a layer that multiplies by a matrix.
func (k Kind) stage() int {
	switch k {
	case Output:
		return stageOutput
	case Gate, Up, ExpertGate, ExpertUp:
		return stageGate
	case Down, ExpertDown:
		return stageDown
	}
	return stageQuery
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
func (n *Network) Observe(ctx context.Context, step int, see func(calibrate.Inputs) error) error {
	i, stage := step/stages, step%stages
	if err := n.load(ctx, i); err != nil {
		return err
	}
	if i == len(n.model.Layers) {
		for _, b := range n.stream.batches {
			x := n.stream.r.normalize(&n.stream.r.norm, b.x, n.model.Norm, b.n)
			if err := see(calibrate.Inputs{Name: Place{Layer: -1, Kind: Classifier}.String(), X: x, N: b.n}); err != nil {
				return err
			}
		}
		return nil
	}
	if n.model.Layers[i].Router != nil && stage >= stageGate {
		n.replace()
		return n.stream.experts(i, func(p Place, x []float32, tokens int) error {
			if p.Kind.stage() != stage {
				return nil
			}
			return see(calibrate.Inputs{Name: p.String(), X: x, N: tokens})
		}, false)
	}
	at := Place{Layer: i, Kind: [stages]Kind{Query, Output, Gate, Down}[stage]}
	if n.builder.c.NoGate && at.Kind == Gate {
		at.Kind = Up
	}
	outNorm := n.model.Layers[i].AttentionOutNorm
	if stage == stageDown {
		outNorm = n.model.Layers[i].FeedForwardOutNorm
	}
	for j := range n.stream.batches {
		b := &n.stream.batches[j]
		in := calibrate.Inputs{Name: at.String(), X: n.stream.input(i, stage, b), N: b.n}
		if n.float != nil {
			f := &n.float.batches[j]
			in.Float = n.float.input(i, stage, f)
			if (stage == stageOutput || stage == stageDown) && outNorm.Weight == nil {
				var err error
				if in.Lost, err = n.losses.Outputs(n.model.Layers[i].Linears[at.Kind], in, b.x, f.x, n.stream.r.crew); err != nil {
					return err
				}
				in.Float = nil
			}
		}
		if err := see(in); err != nil {
			return err
		}
	}
	return nil
}

// load reads the missing matrices of a layer. The first call starts the texts.
func (n *Network) load(ctx context.Context, layer int) error {
	if n.stream == nil {
		var err error
		if n.stream, err = newStream(ctx, n.model, n.texts); err != nil {
			return err
		}
		if n.both {
			if n.float, err = newStream(ctx, n.model, n.texts); err != nil {
				return err
			}
		}
	}
	if layer >= len(n.model.Layers) || n.loaded == layer+1 {
		return nil
	}
	n.loaded = layer + 1
	var missing []Place
	for _, p := range n.model.places() {
		if p.Layer >= 0 && p.Layer == layer {
			missing = append(missing, p)
		}
	}
	if err := n.builder.matrices(n.model, missing); err != nil {
		return err
	}
	n.stream.model.Layers[layer] = copyLayer(n.model.Layers[layer])
	if n.float != nil {
		n.float.model.Layers[layer] = n.model.Layers[layer]
	}
	return nil
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
	i, stage := step/stages, step%stages
	if i >= len(n.model.Layers) {
		return nil
	}
	if err := n.load(ctx, i); err != nil {
		return err
	}
	n.replace()
	for _, s := range []*stream{n.stream, n.float} {
		if s == nil {
			continue
		}
		var err error
		switch {
		case n.model.Layers[i].Router == nil || stage < stageGate:
			err = s.advance(i, stage)
		case stage == stageDown:
			err = s.experts(i, nil, true)
		}
		if err != nil {
			return err
		}
		if stage == stages-1 {
			s.model.Layers[i] = Layer{}
		}
	}
	if stage == stages-1 {
		n.model.Layers[i] = Layer{}
	}
	return nil
}

func copyLayer(l Layer) Layer {
	l.Experts = slices.Clone(l.Experts)
	return l
}

// replace puts the replaced matrices into the model that the texts go through.
func (n *Network) replace() {
	for p, l := range n.replaced {
		*n.stream.model.slot(p) = l
	}
	clear(n.replaced)
}

// Close ends the goroutines.
func (n *Network) Close() {
	if n.stream != nil {
		n.stream.close()
	}
	if n.float != nil {
		n.float.close()
	}
}
