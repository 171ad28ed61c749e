package calibrate

import (
	"encoding/json"
	"reflect"

	"github.com/bitmod-go/bitmod/quant"
)

// Options say what is made of the inputs of a matrix. The zero value makes nothing of
// them; [GPTQ] is what most want.
type Options struct {
	// Report, if not nil, is told what was gained with each matrix by [NewSequential]. To
	// find that out takes a plain quantization, and cols² multiplications for each row.
	Report func(Gain)

	// Importance weighs the errors of a column by the mean square of its inputs.
	// Feedback has weights of its own, which are better there.
	Importance bool
	// Feedback, if not nil, is how errors are fed back, with a Hessian of nil.
	Feedback *quant.Feedback
	// Correction is how much of what the layers before a matrix have lost it makes up for,
	// from 0 to 1: see [quant.Lost], whose Share it is. It takes Feedback, of which it has
	// Damping and Shrinkage, and is for [NewSequential] alone, with a network that knows
	// [Inputs].Float.
	Correction float64
}

// GPTQ returns the options that are best on docs/quality-research.md's models: GPTQ in the
// order of the activations, with a Hessian that is shrunk, one sweep over codes and scales
// afterwards, and half of what was lost before made up for. They should go with
// quant.Config's Search.
func GPTQ() Options {
	return Options{
		Feedback:   &quant.Feedback{ActOrder: true, Damping: .003, Shrinkage: .3, Sweeps: 1},
		Correction: .5,
	}
}

// config returns c with what o makes of a matrix whose inputs have the Hessian h. It
// is c for a nil Hessian, or one of no vectors.
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

// settings are o as they go to the metadata of a result.
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
		for i := range v.NumField() { // whatever options it has
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
		panic(err) // numbers, strings and booleans
	}
	return string(b)
}
