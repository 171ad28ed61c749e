package llm

import (
	"context"
	"errors"
	"fmt"

	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/calibrate"
)

// ScaleOptions are the options of [File.ScaleChannels].
type ScaleOptions struct {
	// Config is how the scaled model will be quantized. Feedback, if not nil, has no
	// Hessian.
	Config quant.Config
	// Texts give the inputs that scales are chosen by. Each is a text of its own, in
	// tokens.
	Texts [][]int
	// Held are other texts, on which errors are measured. If there are none, Texts serve
	// for both; that suits only a Config without Feedback.
	Held [][]int
	// Report, if not nil, is called for every input of matrices that could have scales.
	Report func(ScaledInput)
}

// A ScaledInput is what was found for the input of some matrices.
type ScaledInput struct {
	Layer           int
	Matrices        string  // the names of the matrices for people
	Alpha           float64 // the exponent; 0 for no scales
	Error, Unscaled float64 // squared errors of the outputs, as in [quant.Channels]
}

// A Scaling has scales of channels for the model of a file: AWQ (arXiv 2306.00978).
// Columns of matrices are multiplied by the scales. The norm or matrix that makes their
// inputs is divided by them, so that the model computes the same.
type Scaling struct {
	// Skipped names the matrices whose columns have no scales, with the reason.
	Skipped []string

	source  *checkpointSource
	changes map[string][]change // by tensor
}

// ScaleChannels finds the scales of a model's channels for a way of quantizing it. The
// places are
//
//	norm → queries, keys and values
//	values → output projection
//	norm → gate and up, the router, and the same of all experts
//	up → down, in a network with a gate
//
// It takes several times the memory of a layer in float32, and the memory of the residual
// streams of all texts. The model must not be packed. The file must stay open for what
// the Scaling writes.
func (f *File) ScaleChannels(ctx context.Context, o ScaleOptions) (*Scaling, error) {
	s, ok := f.source.(*checkpointSource)
	if !ok {
		return nil, fmt.Errorf("llm: %s can't be scaled, because it is not a checkpoint", f.name)
	}
	for _, t := range s.c.Tensors() {
		if t.Quantized {
			return nil, f.at(fmt.Errorf("tensor %s is already packed: scale the original model", t.Name))
		}
	}
	if len(o.Texts) == 0 || o.Config.Feedback != nil && len(o.Held) == 0 {
		return nil, errors.New("llm: scales of channels: too few texts")
	}
	g := &scaling{c: &f.Config, options: o, result: &Scaling{source: s, changes: make(map[string][]change)}}
	for _, texts := range [][][]int{o.Texts, o.Held} {
		if len(texts) == 0 {
			continue
		}
		n, err := f.NewNetwork(texts, false)
		if err != nil {
			return nil, err
		}
		defer n.Close()
		g.networks = append(g.networks, n)
	}
	for step := range stages * f.Config.Layers {
		if err := g.step(ctx, step); err != nil {
			return nil, f.at(fmt.Errorf("layer %d: %w", step/stages, err))
		}
	}
	return g.result, nil
}

// A scaling is the work of ScaleChannels.
type scaling struct {
	c        *Config
	options  ScaleOptions
	networks []*Network // of Texts and, if there are any, of Held
	result   *Scaling
}

// A fold is a place where scales go in: the matrices whose columns they multiply, and
// what is divided.
type fold struct {
	readers []Place
	router  bool
	norm    string // the name of a norm, or
	rows    Place  // a matrix and its bias
	ties    []int  // of the columns, or nil
}

// folds returns the folds of a stage of a layer, or the reason why there are none.
func (c *Config) folds(layer, stage int) ([]fold, string) {
	experts := c.hasExperts(layer)
	at := func(k Kind) Place { return Place{Layer: layer, Kind: k} }
	switch {
	case stage == stageQuery && c.Norms != NormsAfter:
		return []fold{{readers: []Place{at(Query), at(Key), at(Value)}, norm: "input_layernorm"}}, ""
	case stage == stageOutput:
		return []fold{{readers: []Place{at(Output)}, rows: at(Value), ties: c.valueOf()}}, ""
	case c.Norms == NormsAfter && stage != stageDown:
		return nil, "there is no norm before them"
	case stage == stageGate:
		f := fold{router: experts, norm: "post_attention_layernorm"}
		if c.Norms == NormsAround {
			f.norm = "pre_feedforward_layernorm"
		}
		switch {
		case !experts && c.NoGate:
			f.readers = []Place{at(Up)}
		case !experts:
			f.readers = []Place{at(Gate), at(Up)}
		}
		if experts {
			for e := range c.Experts {
				for _, k := range c.expertKinds() {
					if k != ExpertDown {
						f.readers = append(f.readers, Place{layer, k, e})
					}
				}
			}
		}
		return []fold{f}, ""
	case c.NoGate:
		return nil, "their inputs come from an activation and not from a product"
	case c.Activation == ClampedSwiGLU:
		return nil, "a constant is added to the product that they multiply"
	case !experts:
		return []fold{{readers: []Place{at(Down)}, rows: at(Up)}}, ""
	}
	var fs []fold
	for e := range c.Experts {
		fs = append(fs, fold{readers: []Place{{layer, ExpertDown, e}}, rows: Place{layer, ExpertUp, e}})
	}
	return fs, ""
}

// stageNames are what people call the matrices of a stage.
var stageNames = [stages]string{"query, key and value", "output", "gate and up", "down"}

// step finds the scales for a step of the networks and moves the texts on.
func (g *scaling) step(ctx context.Context, step int) error {
	folds, why := g.c.folds(step/stages, step%stages)
	if why != "" && step < stages { // all layers are alike
		g.result.Skipped = append(g.result.Skipped, fmt.Sprintf("%s: %s", stageNames[step%stages], why))
	}
	// Hessians by fold, of the texts and of those that are held.
	hs := make([][2]*quant.Hessian, len(folds))
	for i, n := range g.networks {
		if len(folds) == 0 {
			break
		}
		err := n.Observe(ctx, step, func(in calibrate.Inputs) error {
			if in.N == 0 {
				return nil
			}
			f := 0
			for j := range folds {
				if folds[j].readers[0].shown(g.c).String() == in.Name {
					f = j
				}
			}
			h := &hs[f][i]
			if *h == nil {
				var err error
				if *h, err = quant.NewHessian(len(in.X) / in.N); err != nil {
					return err
				}
			}
			return (*h).Add(in.X)
		})
		if err != nil {
			return err
		}
	}
	for i, f := range folds {
		if err := g.fold(f, hs[i]); err != nil {
			return fmt.Errorf("%v: %w", f.readers[0], err)
		}
	}
	for _, n := range g.networks {
		if err := n.Advance(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// scaledRows is the number of rows that scales are chosen by, or somewhat less, evenly
// from all matrices. Feedback takes time for each row. With 100 rows, the error after
// feedback still changes by some percent from one sample to another.
const scaledRows = 384

// fold finds the scales of a fold by the Hessians of its inputs and of those that are
// held, if there are any.
func (g *scaling) fold(f fold, hs [2]*quant.Hessian) error {
	if hs[1] == nil && len(g.networks) == 1 {
		hs[1] = hs[0]
	}
	if hs[0] == nil || hs[1] == nil {
		return nil // an expert that nothing was sent to
	}
	w, cols, err := g.weights(f.readers)
	if err != nil {
		return err
	}
	c := g.options.Config
	if c.Feedback != nil {
		own := *c.Feedback
		own.Hessian = hs[0]
		c.Feedback = &own
	}
	found, err := quant.ChannelScales(w, cols, c, hs[1], f.ties)
	if err != nil {
		return err
	}
	if at := f.readers[0]; g.options.Report != nil {
		g.options.Report(ScaledInput{at.Layer, stageNames[at.Kind.stage()], found.Alpha, found.Error, found.Unscaled})
	}
	if found.Alpha != 0 {
		g.change(f, found.Scales)
	}
	return nil
}

// weights returns rows of the matrices at some places of the current layer.
func (g *scaling) weights(places []Place) (w []float32, cols int, err error) {
	m := g.networks[0].model
	rows := 0
	for _, p := range places {
		l, _ := m.at(p)
		rows += l.Rows()
	}
	every := (rows-1)/scaledRows + 1
	at := 0
	for _, p := range places {
		l, _ := m.at(p)
		all, err := Weights(l)
		if err != nil {
			return nil, 0, err
		}
		cols = l.Cols()
		for r := range l.Rows() {
			if at%every == 0 {
				w = append(w, all[r*cols:][:cols]...)
			}
			at++
		}
	}
	return w, cols, nil
}
