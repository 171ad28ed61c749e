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

// ErrOrder is for a matrix of a step that is over.
var ErrOrder = errors.New("out of order")

var errNoNetwork = fmt.Errorf("calibrate: %w: a nil Network", os.ErrInvalid)

type sequential struct {
	net      Network
	options  Options
	step     int
	hessians map[string]*quant.Hessian // of the step, by input; nil if it was not observed
}

// A Gain is what calibration makes of a matrix.
type Gain struct {
	Tensor  string
	Matrix  int
	Step    int
	Vectors int // that were seen
	// Plain and Calibrated are the mean squares of the errors of the matrix's output
	// over the vectors, summed up over rows: with the paper's choice, and with what was
	// made. They are 0 if no vectors were seen.
	Plain, Calibrated float64
}

// NewSequential returns a calibrator, for one run of one plan, that quantizes a network
// step by step, by the inputs that the steps before give as they were quantized: GPTQ's
// way (arXiv 2210.17323). No step of the network may have run. A calibrator of a nil
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
		h = s.hessians[at.Input]
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
		g.Step = at.Step
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

// reach goes on to a step.
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
		s.hessians = nil
	}
	return nil
}

// observe gathers the Hessians of the step, once.
func (s *sequential) observe(ctx context.Context) error {
	if s.hessians != nil {
		return nil
	}
	s.hessians = make(map[string]*quant.Hessian)
	return s.net.Observe(ctx, s.step, func(input string, x []float32, n int) error {
		if n == 0 {
			return nil
		}
		h := s.hessians[input]
		if h == nil {
			var err error
			if h, err = quant.NewHessian(len(x) / n); err != nil {
				return err
			}
			s.hessians[input] = h
		}
		return h.Add(x)
	})
}

// gain measures what was gained with m.
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
