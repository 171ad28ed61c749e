package llm

import (
	"context"
	"fmt"
	"slices"

	"github.com/bitmod-go/bitmod/quant"
)

// A Recipe has options for quantizing the matrices of a model's layers, beyond those of
// a [Quantizer] for single matrices.
type Recipe struct {
	Quantizer
	// Importance weights errors by the mean squares of a matrix's inputs.
	Importance bool
	// Feedback, if not nil, has the options of GPTQ with the Hessian of the inputs. Its
	// own Hessian must be nil.
	Feedback *quant.Feedback
	// Sequential quantizes layer by layer, with Hessians of the inputs that the
	// quantized layers before give, as GPTQ does. Otherwise the Hessians are those of
	// the float32 model, from one run for any number of recipes.
	Sequential bool
	// Channels scales channels as AWQ does.
	Channels bool
	// Bits, if not 0, is the average number of bits for rows of all layers, each of
	// which gets 3, 4 or 8. It takes the place of Type.
	Bits float64
}

// calibrated reports whether the recipe needs inputs.
func (r *Recipe) calibrated() bool {
	return r.Importance || r.Feedback != nil || r.Channels || r.Bits != 0
}

// Quantize returns the model of the calibration, quantized.
func (c *Calibration) Quantize(r Recipe) (*Model, error) {
	m := c.model
	if !r.calibrated() {
		return m.Replace(func(p Place, w []float32, cols int) (Linear, error) {
			if err := ended(c.ctx); err != nil {
				return nil, err
			}
			return r.Make(p, w, cols)
		})
	}
	if err := m.Config.sevenMatrices(); err != nil {
		return nil, err
	}
	rows, err := c.mixRows(&r)
	if err != nil {
		return nil, err
	}
	q := *m
	q.Layers = slices.Clone(m.Layers)
	if !r.Sequential {
		hs, err := c.hessians()
		if err != nil {
			return nil, err
		}
		for i := range q.Layers {
			if q.Layers[i], err = r.layer(c.ctx, &m.Config, q.Layers[i], hs[i], rows.layer(i)); err != nil {
				return nil, fmt.Errorf("llm: layer %d: %w", i, err)
			}
		}
		return &q, nil
	}
	s, err := newStream(c.ctx, m, c.blocks)
	if err != nil {
		return nil, err
	}
	defer s.close()
	for i := range q.Layers {
		hs, err := s.hessians(i, q.Layers[i], false)
		if err != nil {
			return nil, err
		}
		if q.Layers[i], err = r.layer(c.ctx, &m.Config, q.Layers[i], hs, rows.layer(i)); err != nil {
			return nil, fmt.Errorf("llm: layer %d: %w", i, err)
		}
		if err := s.run(i, q.Layers[i], nil, true); err != nil {
			return nil, err
		}
	}
	return &q, nil
}

// layer returns l quantized, given the Hessians of its inputs.
func (r *Recipe) layer(ctx context.Context, c *Config, l Layer, hs layerHessians, rows mixedLayer) (Layer, error) {
	if r.Channels {
		var err error
		if l, hs, err = scaleChannels(c, l, r.Config, hs); err != nil {
			return l, err
		}
	}
	for i, kinds := range inputs {
		for _, k := range kinds {
			w, err := Weights(l.Linears[k])
			if err != nil {
				return l, err
			}
			m, err := r.quantize(ctx, w, l.Linears[k].Cols(), hs[i], rows[k])
			if err != nil {
				return l, fmt.Errorf("%s: %w", kindNames[k], err)
			}
			if l.Linears[k], err = r.linear(m); err != nil {
				return l, err
			}
		}
	}
	return l, nil
}

// quantize quantizes one matrix. If rows is not nil, it has the type of each row.
func (r *Recipe) quantize(ctx context.Context, w []float32, cols int, h *quant.Hessian, rows []uint8) (*quant.Matrix, error) {
	c := r.config(h)
	if err := ended(ctx); err != nil {
		return nil, err
	}
	if rows == nil {
		return quant.GroupContext(ctx, w, cols, c)
	}
	return quant.GroupMixed(ctx, w, cols, rows, mixedConfigs(c))
}

// config returns the configuration for a matrix whose inputs have the Hessian h.
func (r *Recipe) config(h *quant.Hessian) quant.Config {
	c := r.Config
	if r.Importance {
		c.Importance = h.Importance()
	}
	if r.Feedback != nil {
		f := *r.Feedback
		f.Hessian = h
		c.Feedback = &f
	}
	return c
}
