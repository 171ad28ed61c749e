package calibrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// ErrOrder is the error for a matrix of a step that has passed.
var ErrOrder = errors.New("out of order")

var errNoNetwork = fmt.Errorf("calibrate: %w: a nil Network", os.ErrInvalid)

type sequential struct {
	net      Network
	options  Options
	step     int
	gathered map[string]*gathered // of the step, by input; nil if it was not observed
}

// A Gain is the gain from calibration for one matrix.
type Gain struct {
	Tensor  string
	Matrix  int
	Step    int // Step and Layer are from the Place
	Layer   int
	Vectors int // number of input vectors
	// Plain and Calibrated are the mean squared errors of the matrix's output over the
	// vectors, summed over rows, for plain and for calibrated quantization. They are 0
	// if there were no vectors. With a Correction, both are measured against the
	// weights as they were corrected.
	Plain, Calibrated float64
}

// NewSequential returns a calibrator for one run of one plan. It quantizes a network
// step by step, each by the inputs that the quantized steps before it give, as GPTQ
// does (arXiv 2210.17323). No step of the network may have run. The calibrator of a nil
// Network returns errors.
func NewSequential(n Network, o Options) checkpoint.Calibrator {
	return &sequential{net: n, options: o, step: -1}
}

func (s *sequential) Settings() string {
	m := s.options.settings()
	if s.net == nil {
		return jsonOf(m)
	}
	m["sequential"] = json.RawMessage(s.net.Settings())
	return jsonOf(m)
}

func (s *sequential) Order(tensor string) int {
	if s.net == nil {
		return 0
	}
	return s.net.Find(tensor, 0).Step
}

func (s *sequential) Quantize(ctx context.Context, w checkpoint.Weights) (*quant.Matrix, error) {
	if s.net == nil {
		return nil, errNoNetwork
	}
	at := s.net.Find(w.Tensor, w.Matrix)
	if err := s.reach(ctx, at.Step); err != nil {
		return nil, err
	}
	var h *quant.Hessian
	if at.Input != "" {
		if err := s.observe(ctx); err != nil {
			return nil, err
		}
		if g := s.gathered[at.Input]; g != nil {
			h = g.hessian
			var err error
			if w.Float, err = s.correct(ctx, w, g); err != nil {
				return nil, err
			}
		}
	}
	calibrated := w
	calibrated.Configs = make([]quant.Config, len(w.Configs))
	for i, c := range w.Configs {
		calibrated.Configs[i] = s.options.config(c, h)
	}
	m, err := calibrated.Group(ctx)
	if err != nil {
		return nil, err
	}
	if s.options.Report != nil {
		g, err := gain(ctx, w, m, h)
		if err != nil {
			return nil, err
		}
		g.Step, g.Layer = at.Step, at.Layer
		s.options.Report(g)
	}
	return m, s.net.Replace(w.Tensor, w.Matrix, m)
}

func (s *sequential) Resume(ctx context.Context, tensor string, matrix int, m *quant.Matrix) error {
	if s.net == nil {
		return errNoNetwork
	}
	if err := s.reach(ctx, s.net.Find(tensor, matrix).Step); err != nil {
		return err
	}
	return s.net.Replace(tensor, matrix, m)
}

// reach advances the network to a step.
func (s *sequential) reach(ctx context.Context, step int) error {
	if step < s.step {
		return fmt.Errorf("calibrate: step %d after step %d: %w", step, s.step, ErrOrder)
	}
	for s.step < step {
		if s.step >= 0 {
			if err := s.net.Advance(ctx, s.step); err != nil {
				return err
			}
		}
		s.step++
		s.gathered = nil
	}
	return nil
}

// observe gathers the Hessians of the step, once.
func (s *sequential) observe(ctx context.Context) error {
	if s.gathered != nil {
		return nil
	}
	s.gathered = make(map[string]*gathered)
	return s.net.Observe(ctx, s.step, func(in Inputs) error {
		if in.N == 0 {
			return nil
		}
		g := s.gathered[in.Name]
		if g == nil {
			g = new(gathered)
			s.gathered[in.Name] = g
		}
		return g.add(in, s.options.Feedback != nil && s.options.Correction != 0)
	})
}

// gathered has the statistics of an input.
type gathered struct {
	hessian         *quant.Hessian
	inputs, outputs *quant.Cross // losses in the layers before
	lost            []float32    // working space
}

// add adds vectors, and if all is set also their losses in the layers before.
func (g *gathered) add(in Inputs, all bool) (err error) {
	if g.hessian == nil {
		if g.hessian, err = quant.NewHessian(len(in.X) / in.N); err != nil {
			return err
		}
	}
	if err := g.hessian.Add(in.X); err != nil || !all {
		return err
	}
	if in.Lost != nil {
		return gather(&g.outputs, in.Lost, in)
	}
	if in.Float == nil {
		return nil
	}
	if len(in.Float) != len(in.X) {
		return fmt.Errorf("calibrate: input %s: %w: %d elements in X, and %d in Float", in.Name, quant.ErrShape, len(in.X), len(in.Float))
	}
	g.lost = slices.Grow(g.lost[:0], len(in.X))[:len(in.X)]
	for i, x := range in.X {
		g.lost[i] = in.Float[i] - x
	}
	return gather(&g.inputs, g.lost, in)
}

// gather adds losses to a Cross, which it makes if needed.
func gather(to **quant.Cross, lost []float32, in Inputs) (err error) {
	if *to == nil {
		if *to, err = quant.NewCross(len(lost)/in.N, len(in.X)/in.N); err != nil {
			return err
		}
	}
	return (*to).Add(lost, in.X)
}

// correct returns weights that compensate the loss in the layers before.
func (s *sequential) correct(ctx context.Context, w checkpoint.Weights, g *gathered) ([]float32, error) {
	if g.inputs == nil && g.outputs == nil {
		return w.Float, nil
	}
	f := *s.options.Feedback
	f.Hessian = g.hessian
	return f.Correct(ctx, w.Float, w.Cols, quant.Lost{Inputs: g.inputs, Outputs: g.outputs, Share: s.options.Correction})
}

// gain returns the gain of m.
func gain(ctx context.Context, w checkpoint.Weights, m *quant.Matrix, h *quant.Hessian) (Gain, error) {
	g := Gain{Tensor: w.Tensor, Matrix: w.Matrix}
	if h == nil || h.Vectors() == 0 {
		return g, nil
	}
	g.Vectors = h.Vectors()
	w.Configs = slices.Clone(w.Configs)
	for i := range w.Configs {
		w.Configs[i].Search = false
	}
	plain, err := w.Group(ctx)
	if err != nil {
		return g, err
	}
	for _, of := range []struct {
		m   *quant.Matrix
		sum *float64
	}{{plain, &g.Plain}, {m, &g.Calibrated}} {
		errs, err := quant.OutputErrors(w.Float, of.m, h)
		if err != nil {
			return g, err
		}
		for _, e := range errs {
			*of.sum += e
		}
	}
	return g, nil
}
