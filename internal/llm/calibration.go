package llm

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/bitmod-go/bitmod/quant"
)

// A Calibration has statistics of a model that reads some text, for [Recipe]s. It
// serves any number of recipes, one after the other; each part is gathered once, when
// it is first needed.
type Calibration struct {
	ctx       context.Context
	model     *Model
	blocks    [][]int
	hessians  func() ([]layerHessians, error) // by layer
	gradients func() ([]rowSquares, error)
}

// layerHessians are the Hessians of the four inputs of a layer, see inputs.
type layerHessians []*quant.Hessian

// rowSquares has for every Kind of a layer the mean squares of the loss's gradients by
// the outputs.
type rowSquares [Down + 1][]float64

// NewCalibration returns the calibration of m, which should have float32 weights, on
// blocks of tokens that are texts of their own. Once ctx is done, what it gathers and
// quantizes ends with the cause.
func NewCalibration(ctx context.Context, m *Model, blocks [][]int) *Calibration {
	c := &Calibration{ctx: ctx, model: m, blocks: blocks}
	c.hessians = sync.OnceValues(c.gatherHessians)
	c.gradients = sync.OnceValues(c.gatherGradients)
	return c
}

// inputs are the Kinds of a layer by their input, in the order of computation.
var inputs = [][]Kind{{Query, Key, Value}, {Output}, {Gate, Up}, {Down}}

func (c *Calibration) gatherHessians() ([]layerHessians, error) {
	if err := c.model.Config.sevenMatrices(); err != nil {
		return nil, err
	}
	s, err := newStream(c.ctx, c.model, c.blocks)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var hs []layerHessians
	for i, l := range c.model.Layers {
		h, err := s.hessians(i, l, true)
		if err != nil {
			return nil, err
		}
		hs = append(hs, h)
	}
	return hs, nil
}

// hessians runs layer i with the weights of l, and returns the Hessians of its inputs. If
// keep is set, the outputs become the residual stream.
func (s *stream) hessians(i int, l Layer, keep bool) (layerHessians, error) {
	hs := make(layerHessians, len(inputs))
	for j, kinds := range inputs {
		var err error
		if hs[j], err = quant.NewHessian(l.Linears[kinds[0]].Cols()); err != nil {
			return nil, err
		}
	}
	err := s.run(i, l, func(p Place, x []float32, n int) error {
		for j, kinds := range inputs {
			if kinds[0] == p.Kind {
				return hs[j].Add(x)
			}
		}
		return nil
	}, keep)
	if err != nil {
		return nil, fmt.Errorf("llm: calibration: %w", err)
	}
	return hs, nil
}

func (c *Calibration) gatherGradients() ([]rowSquares, error) {
	sums := make([]rowSquares, len(c.model.Layers))
	count := 0
	err := Gradients(c.model, c.blocks, func(p Place, _, g []float32, n int) error {
		if err := ended(c.ctx); err != nil {
			return err
		}
		s := &sums[p.Layer][p.Kind]
		if *s == nil {
			*s = make([]float64, len(g)/n)
		}
		for i, v := range g {
			(*s)[i%len(*s)] += float64(v) * float64(v) // the product is exact
		}
		if p == (Place{Layer: 0, Kind: Query}) {
			count += n
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("llm: calibration: %w", err)
	}
	if count == 0 {
		return nil, fmt.Errorf("llm: calibration: no text")
	}
	for i := range sums {
		for _, s := range sums[i] {
			for j := range s {
				s[j] /= float64(count)
			}
		}
	}
	return sums, nil
}

// llamaOnly returns an error if layers differ from Llama's in anything but windows.
func (c *Config) llamaOnly(what string) error {
	other := slices.ContainsFunc(c.PerLayer, func(l LayerConfig) bool { return l != LayerConfig{Window: l.Window} })
	if c.Arch != (Arch{}) || other {
		return fmt.Errorf("llm: %s exist only for layers like Llama's", what)
	}
	return nil
}

// sevenMatrices returns an error if a layer has other matrices than Llama's.
func (c *Config) sevenMatrices() error {
	if c.Experts > 0 || c.NoGate {
		return fmt.Errorf("llm: calibration works only for layers with the seven matrices of Llama's")
	}
	return nil
}
