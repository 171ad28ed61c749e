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

// A Network is a model that reads texts layer by layer, to be quantized on the way: a
// calibrate.Network. Of its layers, one is in memory.
type Network struct {
	f       *File
	model   *Model
	runner  *Runner
	texts   [][]int
	batches []batch
	tensors map[string]tensorPlace

	loaded   map[int]bool
	replaced map[string]llm.Linear // of the step under way
}

// A batch is texts that go through a layer together.
type batch struct {
	texts [][]int
	x     []float32 // in front of the layer
}

// A tensorPlace is where a tensor is a matrix, of a layer or, if that is −1, in front of
// all.
type tensorPlace struct {
	layer int
	index int    // among linears
	input string // the name of the first of those with the same input
}

// NewNetwork returns the network of a model, and of texts, which are all of their tokens.
// The file must stay open.
func (f *File) NewNetwork(texts [][]int) (*Network, error) {
	c := &f.Config
	names := &c.family.names
	n := &Network{
		f: f, model: &Model{Config: *c, layers: make([]layer, c.Layers)}, texts: texts,
		tensors: make(map[string]tensorPlace), loaded: make(map[int]bool), replaced: make(map[string]llm.Linear),
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
			n.tensors[n.name(i, w.name)] = tensorPlace{i, j, n.name(i, all[first].name)}
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
		return calibrate.Place{Step: p.layer, Input: p.input}
	}
	return calibrate.Place{Step: -1}
}

// start sends the texts on their way.
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
		b.x = slices.Clone(n.runner.x)
		n.batches = append(n.batches, b)
	}
	return nil
}

// run runs a layer. If keep is set, the texts go on behind it.
func (n *Network) run(ctx context.Context, step int, keep bool) error {
	for i := range n.batches {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b := &n.batches[i]
		total, err := n.runner.begin(b.texts)
		if err != nil {
			return err
		}
		copy(grow(&n.runner.x, len(b.x)), b.x)
		if err := n.runner.layer(&n.model.layers[step], total); err != nil {
			return fmt.Errorf("encoder: layer %d: %w", step, err)
		}
		if keep {
			copy(b.x, n.runner.x)
		}
	}
	return nil
}

// load reads a layer, unless it was read.
func (n *Network) load(step int) error {
	if err := n.start(); err != nil || n.loaded[step] {
		return err
	}
	n.loaded[step] = true
	b := builder{f: n.f}
	b.layer(n.model, step)
	return n.f.at(b.run())
}

// Observe implements calibrate.Network.
func (n *Network) Observe(ctx context.Context, step int, see func(input string, x []float32, n int) error) error {
	if err := n.load(step); err != nil {
		return err
	}
	names := make(map[*linear]string)
	for _, w := range n.model.layers[step].linears(&n.model.Config.family.names) {
		if w.linear == w.input {
			names[w.linear] = n.name(step, w.name)
		}
	}
	n.runner.observe = func(w *linear, x []float32, vectors int) error {
		if name, ok := names[w]; ok {
			return see(name, x, vectors)
		}
		return nil
	}
	defer func() { n.runner.observe = nil }()
	return n.run(ctx, step, false)
}

// Replace implements calibrate.Network.
func (n *Network) Replace(tensor string, _ int, m *quant.Matrix) error {
	names := &n.model.Config.family.names
	packed := &llm.Quantized{Matrix: m}
	switch _, ok := n.tensors[tensor]; {
	case ok:
		l, err := llm.Unpacked(m, 0, m.Rows())
		if err != nil {
			return err
		}
		n.replaced[tensor] = l
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
	if err := n.load(step); err != nil {
		return err
	}
	l := &n.model.layers[step]
	linears := l.linears(&n.model.Config.family.names)
	for tensor, m := range n.replaced {
		linears[n.tensors[tensor].index].Linear = m
	}
	clear(n.replaced)
	err := n.run(ctx, step, true)
	*l = layer{}
	return err
}

// Close ends the goroutines.
func (n *Network) Close() { n.runner.Close() }
