package calibrate

import (
	"encoding/json"
	"reflect"

	"github.com/bitmod-go/bitmod/quant"
)

// Options say how the inputs of a matrix are used. The zero value ignores them; [GPTQ]
// suits most uses.
type Options struct {
	// Report, if not nil, is called by [NewSequential] with the gain of each matrix.
	// Computing the gain takes a plain quantization, and cols² multiplications for each
	// row.
	Report func(Gain)

	// Importance weighs the errors of a column by the mean square of its inputs. Feedback
	// is better without Importance, because it weighs errors itself.
	Importance bool
	// Feedback, if not nil, has the options of error feedback. Its Hessian must be nil.
	Feedback *quant.Feedback
	// Correction is the share, from 0 to 1, of the loss of earlier layers that a matrix
	// compensates: see Share of [quant.Lost]. It needs Feedback, whose Damping and
	// Shrinkage it uses, and works only with [NewSequential] and a network that sets
	// [Inputs].Float or [Inputs].Lost.
	Correction float64
}

// GPTQ returns the best options for the models of docs/quality-research.md: GPTQ in the
// order of the activations, with a shrunk Hessian, one sweep over codes and scales, and
// half of the loss of earlier layers corrected. Use them with Search of quant.Config.
func GPTQ() Options {
	return Options{
		Feedback:   &quant.Feedback{ActOrder: true, Damping: .003, Shrinkage: .3, Sweeps: 1},
		Correction: .5,
	}
}

// config returns c with the options o for a matrix whose inputs have the Hessian h. If
// h is nil or has no vectors, config returns c.
func (o Options) config(c quant.Config, h *quant.Hessian) quant.Config {
	if h == nil || h.Vectors() == 0 {
		return c
	}
	if o.Importance {
		c.Importance = h.Importance()
	}
	if o.Feedback != nil {
		f := *o.Feedback
		f.Hessian = h
		c.Feedback = &f
	}
	return c
}

// settings returns o for the metadata of a result.
func (o Options) settings() map[string]any {
	m := map[string]any{}
	if o.Importance {
		m["importance"] = true
	}
	if o.Feedback != nil {
		f := *o.Feedback
		f.Hessian = nil
		fields := map[string]any{}
		v := reflect.ValueOf(f)
		for i := range v.NumField() { // for any options that it has
			if x := v.Field(i); !x.IsZero() {
				fields[v.Type().Field(i).Name] = x.Interface()
			}
		}
		m["feedback"] = fields
		if o.Correction != 0 {
			m["correction"] = o.Correction
		}
	}
	return m
}

func jsonOf(m map[string]any) string {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // impossible: numbers, strings and booleans
	}
	return string(b)
}
