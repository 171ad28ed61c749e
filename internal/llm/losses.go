package llm

import "github.com/bitmod-go/bitmod/quant/calibrate"

// Losses has the memory for computing the losses that a [calibrate.Network] shows.
type Losses struct{ inputs, outputs []float32 }

// Outputs returns the loss of the outputs of l and of the residual stream: see Lost of
// [calibrate.Inputs]. in has the inputs of l in both models. x is the residual stream of
// the quantized model, and float the residual stream of the original model. The result is
// valid until the next call.
func (s *Losses) Outputs(l Linear, in calibrate.Inputs, x, float []float32, crew *Crew) ([]float32, error) {
	lost := grow(&s.inputs, len(in.X))
	for i, v := range in.X {
		lost[i] = in.Float[i] - v
	}
	out := grow(&s.outputs, in.N*l.Rows())
	if err := l.Mul(out, lost, in.N, crew); err != nil {
		return nil, err
	}
	for i, v := range float {
		out[i] += v - x[i]
	}
	return out, nil
}
