package encoder

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/calibrate"
)

// A Network is a calibrate.Network: a model that reads texts stage by stage and is
// quantized on the way. Only one layer is in memory.
type Network struct {
	f       *File
	model   *Model
	runner  *Runner
	texts   [][]int
	batches []batch
	tensors map[string]tensorPlace

	float  bool
	losses llm.Losses
	loaded int   // 1 more than the loaded layer
	as     layer // the loaded layer with its original matrices
}

// A batch is texts that go through a layer together.
type batch struct {
	texts [][]int
	state
	float state // the same texts in the original model
}

// A state has the vectors of the tokens of a batch.
type state struct {
	x      []float32 // the input of the layer, or of its feed-forward network
	middle []float32 // the input of the next stage, or nil if it follows from x
}

// The stages of a layer are named for their matrices.
const (
	stageQuery = iota // and key and value
	stageOutput
	stageUp
	stageDown
	stages
)

// A tensorPlace is the place of a tensor that is a matrix. Layer −1 is in front of all
// layers.
type tensorPlace struct {
	layer, stage int
	index        int    // among linears
	input        string // the name of the first tensor with the same input
}

// NewNetwork returns the network of a model and texts, given as tokens. With float,
// Observe also passes the vectors of the original model. The file must stay open.
func (f *File) NewNetwork(texts [][]int, float bool) (*Network, error) {
	c := &f.Config
	names := &c.family.names
	n := &Network{
		f: f, model: &Model{Config: *c, layers: make([]layer, c.Layers)}, texts: texts, float: float,
		tensors: make(map[string]tensorPlace),
	}
	b := builder{f: f}
	b.outside(n.model)
	if err := b.run(); err != nil {
		return nil, f.at(err)
	}
	n.model.words = llm.Table(f.c, f.prefix+names.words+weight, 0, c.Vocab, c.Embedding)
	for i := range n.model.layers {
		l := &n.model.layers[i]
		all := l.linears(names)
		for j, w := range all {
			first := slices.IndexFunc(all, func(o namedLinear) bool { return o.linear == w.input })
			stage := stageQuery
			switch w.linear {
			case &l.output:
				stage = stageOutput
			case &l.up:
				stage = stageUp
			case &l.down:
				stage = stageDown
			}
			n.tensors[n.name(i, w.name)] = tensorPlace{i, stage, j, n.name(i, all[first].name)}
		}
	}
	n.runner = NewRunner(n.model, runtime.GOMAXPROCS(0))
	return n, nil
}

func (n *Network) name(layer int, name string) string {
	return n.f.prefix + n.model.Config.family.names.of(layer, name) + weight
}

// Settings implements calibrate.Network.
func (n *Network) Settings() string { return calibrate.TextSettings(n.texts) }

// Find implements calibrate.Network.
func (n *Network) Find(tensor string, _ int) calibrate.Place {
	if p, ok := n.tensors[tensor]; ok {
		return calibrate.Place{Step: stages*p.layer + p.stage, Layer: p.layer, Input: p.input}
	}
	return calibrate.Place{Step: -1}
}

// start computes the embeddings of all texts, once.
func (n *Network) start() error {
	if n.batches != nil {
		return nil
	}
	for i := 0; i < len(n.texts); {
		var b batch
		for tokens := 0; i < len(n.texts) && (tokens == 0 || tokens+len(n.texts[i]) <= batchTokens); i++ {
			b.texts = append(b.texts, n.texts[i])
			tokens += len(n.texts[i])
		}
		total, err := n.runner.begin(b.texts)
		if err == nil {
			err = n.runner.embed(b.texts, total)
		}
		if err != nil {
			return err
		}
		b.state.x = slices.Clone(n.runner.x)
		if n.float {
			b.float.x = slices.Clone(n.runner.x)
		}
		n.batches = append(n.batches, b)
	}
	return nil
}

// load reads a layer, unless it was read.
func (n *Network) load(layer int) error {
	if err := n.start(); err != nil || n.loaded == layer+1 {
		return err
	}
	n.loaded = layer + 1
	b := builder{f: n.f}
	b.layer(n.model, layer)
	err := n.f.at(b.run())
	n.as = n.model.layers[layer]
	return err
}

// input returns the input of the matrices of a stage of a layer. It lasts until the
// next call.
func (n *Network) input(l *layer, stage int, s *state) []float32 {
	if s.middle != nil {
		return s.middle
	}
	n.runner.x = s.x
	defer func() { n.runner.x = nil }()
	if stage == stageQuery {
		return n.runner.attentionIn(l)
	}
	return n.runner.feedForwardIn(l)
}

// Observe implements calibrate.Network.
func (n *Network) Observe(ctx context.Context, step int, see func(calibrate.Inputs) error) error {
	i, stage := step/stages, step%stages
	if err := n.load(i); err != nil {
		return err
	}
	l := &n.model.layers[i]
	var name string
	for _, w := range l.linears(&n.model.Config.family.names) {
		if t := n.name(i, w.name); w.linear == w.input && n.tensors[t].stage == stage {
			name = t
		}
	}
	for j := range n.batches {
		b := &n.batches[j]
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		in := calibrate.Inputs{Name: name, X: n.input(l, stage, &b.state)}
		for _, t := range b.texts {
			in.N += len(t)
		}
		if n.float {
			if b.middle == nil && n.model.Config.family.preNorm {
				in.X = slices.Clone(in.X)
			}
			in.Float = n.input(&n.as, stage, &b.float)
			if stage == stageOutput || stage == stageDown {
				w := n.as.output
				if stage == stageDown {
					w = n.as.down
				}
				var err error
				if in.Lost, err = n.losses.Outputs(w.Linear, in, b.state.x, b.float.x, n.runner.crew); err != nil {
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

// Replace implements calibrate.Network.
func (n *Network) Replace(tensor string, _ int, m *quant.Matrix) error {
	names := &n.model.Config.family.names
	packed := &llm.Quantized{Matrix: m}
	switch p, ok := n.tensors[tensor]; {
	case ok:
		if err := n.load(p.layer); err != nil {
			return err
		}
		l, err := llm.Unpacked(m, 0, m.Rows())
		if err != nil {
			return err
		}
		n.model.layers[p.layer].linears(names)[p.index].Linear = l
	case tensor == n.f.prefix+names.words+weight:
		n.model.words = packed
	case tensor == n.f.prefix+names.positions+weight:
		n.model.positions = packed
	case n.model.project != nil && tensor == n.f.prefix+names.project+weight:
		n.model.project.Linear = packed
	}
	return nil
}

// Advance implements calibrate.Network.
func (n *Network) Advance(ctx context.Context, step int) error {
	i, stage := step/stages, step%stages
	if err := n.load(i); err != nil {
		return err
	}
	for j := range n.batches {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b := &n.batches[j]
		total, err := n.runner.begin(b.texts)
		if err == nil {
			err = n.advance(&n.model.layers[i], stage, &b.state, total)
		}
		if err == nil && n.float {
			err = n.advance(&n.as, stage, &b.float, total)
		}
		if err != nil {
			return fmt.Errorf("encoder: layer %d: %w", i, err)
		}
	}
	if stage == stages-1 {
		n.model.layers[i], n.as = layer{}, layer{}
	}
	return nil
}

// advance moves the tokens of a batch on by a stage.
func (n *Network) advance(l *layer, stage int, s *state, total int) error {
	r := n.runner
	r.x = s.x
	defer func() { r.x = nil }()
	switch stage {
	case stageQuery:
		err := r.attended(l, total)
		s.middle = slices.Clone(r.heads)
		return err
	case stageUp:
		up, err := r.activated(l, total)
		s.middle = slices.Clone(up)
		return err
	}
	middle := s.middle
	s.middle = nil
	if stage == stageOutput {
		return r.output(l, middle, total)
	}
	return r.down(l, middle, total)
}

// Close ends the goroutines.
func (n *Network) Close() { n.runner.Close() }
