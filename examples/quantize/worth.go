package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/calibrate"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// worthTexts is the number of texts for measuring the worth of a bit. With
// backpropagation, a text takes four times as long as reading it.
const worthTexts = 4

// An assessment has the losses of tensors with the configurations of -bits.
type assessment struct {
	worths  []llm.Worth
	measure string // its name
	byRow   bool   // whether the losses of single rows mean something
}

// assess returns the expected divergence if the engine can propagate gradients back
// through the model, or else the relative errors of outputs, or of weights without a
// text. Relative errors of single rows mean little: without a text, SmolLM2-135M had a
// divergence of 0.27 with types by row at 4.5 bits, and of 0.21 with types by tensor.
func (o *options) assess(ctx context.Context, source *checkpoint.Checkpoint, tensors []checkpoint.Tensor) (assessment, error) {
	if o.calibration.text == "" {
		worths, err := relativeWorths(ctx, source, tensors, bitsConfigs(o.bits), nil)
		return assessment{worths, "the relative errors of weights; with -calibrate TEXT, by their effect on predictions", false}, err
	}
	if !o.calibration.isStatistics() && !isEncoder(source) {
		f, err := llm.OpenFile(source.Path())
		if err != nil {
			return assessment{}, err
		}
		defer f.Close()
		if f.Differentiable() {
			worths, err := o.predictedWorths(ctx, f, tensors)
			return assessment{worths, "the effect of their errors on predictions", true}, err
		}
	}
	importance, err := o.importance(ctx, source)
	if err != nil {
		return assessment{}, err
	}
	worths, err := relativeWorths(ctx, source, tensors, bitsConfigs(o.bits), importance)
	return assessment{worths, "the relative errors of outputs", false}, err
}

// predictedWorths asks the engine, which propagates gradients back through the model.
func (o *options) predictedWorths(ctx context.Context, f *llm.File, tensors []checkpoint.Tensor) ([]llm.Worth, error) {
	text, err := o.calibration.read()
	if err != nil {
		return nil, err
	}
	texts, err := o.calibration.decoderTexts(f, text)
	if err != nil {
		return nil, err
	}
	worths, err := f.Worths(ctx, texts[:min(worthTexts, len(texts))], bitsConfigs(o.bits))
	return slices.DeleteFunc(worths, func(x llm.Worth) bool {
		return !slices.ContainsFunc(tensors, func(t checkpoint.Tensor) bool { return t.Name == x.Tensor })
	}), err
}

// An importance returns the mean squares of the inputs of a matrix, by column, or nil
// if they are not known.
type importance func(tensor string, matrix int) []float64

// importance returns the importance of a file of statistics, or gathers it.
func (o *options) importance(ctx context.Context, source *checkpoint.Checkpoint) (importance, error) {
	if o.calibration.isStatistics() {
		s, err := o.calibration.statistics(source)
		if err != nil {
			return nil, err
		}
		return s.Importance, nil
	}
	c := o.calibration
	c.options.Correction = 0 // nothing is quantized on the way
	n, end, err := c.open(source, io.Discard)
	if err != nil {
		return nil, err
	}
	defer end()
	s := calibrate.Statistics{Moments: true}
	steps := 0
	for _, t := range source.Tensors() {
		steps = max(steps, n.Find(t.Name, 0).Step+1)
	}
	for step := range steps {
		err := n.Observe(ctx, step, func(in calibrate.Inputs) error {
			if in.N == 0 {
				return nil
			}
			return s.Add(stepInput(step, in.Name), 0, in.X, len(in.X)/in.N)
		})
		if err == nil {
			err = n.Advance(ctx, step)
		}
		if err != nil {
			return nil, err
		}
	}
	return func(tensor string, matrix int) []float64 {
		p := n.Find(tensor, matrix)
		return s.Importance(stepInput(p.Step, p.Input), 0)
	}, nil
}

func stepInput(step int, input string) string { return fmt.Sprintf("%d %s", step, input) }

// headShare is the weight of the relative error of an output head, or of the embedding
// that is one, relative to all linear layers together. In SmolLM2-135M, 4 bits for the
// head cost half of the divergence that they cost for all layers.
const headShare = .5

// relativeWorths returns the errors of the outputs of tensors with each configuration,
// relative to the outputs. It assumes that the columns of an input are independent, and
// that relative errors of all linear layers are equally bad.
func relativeWorths(ctx context.Context, source *checkpoint.Checkpoint, tensors []checkpoint.Tensor, configs []quant.Config, known importance) ([]llm.Worth, error) {
	linear := 0
	for _, t := range tensors {
		if t.Role != checkpoint.RoleEmbedding && t.Role != checkpoint.RoleHead {
			linear++
		}
	}
	var worths []llm.Worth
	for _, t := range tensors {
		share := 1.
		if t.Role == checkpoint.RoleEmbedding || t.Role == checkpoint.RoleHead {
			share = headShare * float64(max(linear, 1))
		}
		weights, err := weightsOf(source, t)
		if err != nil {
			return nil, err
		}
		outs := t.Shape[len(t.Shape)-2]
		x := llm.NewWorth(t.Name, t.Rows(), t.Cols(), len(configs))
		power := 0.0
		for m := range t.Rows() / outs {
			var a []float64
			if known != nil {
				if a = known(t.Name, m); a != nil && len(a) != t.Cols() {
					return nil, fmt.Errorf("%s: statistics of %d columns, want %d", t.Name, len(a), t.Cols())
				}
			}
			own := weights[m*outs*t.Cols():][:outs*t.Cols()]
			for row := range outs {
				power += llm.WeightedSquares(own[row*t.Cols():][:t.Cols()], a)
			}
			if err := x.Measure(ctx, m*outs, own, configs, func(_ int, errors []float32) float64 {
				return llm.WeightedSquares(errors, a)
			}); err != nil {
				return nil, fmt.Errorf("%s: %w", t.Name, err)
			}
		}
		if power > 0 {
			x.Scale(share / power)
		}
		worths = append(worths, x)
	}
	return worths, nil
}

// weightsOf reads the weights of a tensor of the source, transposed if the result has
// them so.
func weightsOf(source *checkpoint.Checkpoint, to checkpoint.Tensor) ([]float32, error) {
	from, _ := source.Tensor(to.Name)
	w := make([]float32, from.Elements())
	if err := source.ReadRows(w, from.Name, 0, from.Rows()); err != nil || !to.Transposed {
		return w, err
	}
	ins, outs := from.Shape[len(from.Shape)-2], from.Cols()
	t := make([]float32, len(w))
	for first := 0; first < len(w); first += ins * outs {
		for i := range ins {
			for j := range outs {
				t[first+j*ins+i] = w[first+i*outs+j]
			}
		}
	}
	return t, nil
}
