package llm

import "github.com/bitmod-go/bitmod/internal/loops/floats"

// An Activation is the function between the matrices of a feed-forward network.
type Activation int

const (
	SiLU     Activation = iota
	GELUTanh            // GELU by its approximation with tanh
	// ClampedSwiGLU is the activation of gpt-oss: gate and up are bounded, and gate
	// multiplies up + 1.
	ClampedSwiGLU
)

// gate writes the activation of gate, times up, to gate.
func (a Activation) gate(gate, up []float32) {
	switch a {
	case SiLU:
		floats.SiLU.Gate(gate, up)
	case GELUTanh:
		floats.GELUTanh.Gate(gate, up)
	case ClampedSwiGLU:
		clampedSwiGLU(gate, up)
	}
}

// apply writes the activation of x to x.
func (a Activation) apply(x []float32) {
	var zero [1024]float32 // it fits into the first-level cache
	for len(x) > 0 {
		n := min(len(x), len(zero))
		switch a {
		case SiLU:
			floats.SiLU.Apply(x[:n], zero[:n])
		case GELUTanh:
			floats.GELUTanh.Apply(x[:n], zero[:n])
		}
		x = x[n:]
	}
}

// The constants of gpt-oss, in its source and, since version 5 of transformers, in
// config.json.
const (
	clampAlpha = 1.702
	clampLimit = 7
)

func clampedSwiGLU(gate, up []float32) {
	for i, g := range gate {
		g := float64(min(g, clampLimit))
		u := max(min(up[i], clampLimit), -clampLimit)
		gate[i] = (u + 1) * float32(g/(1+exp(-clampAlpha*g)))
	}
}
