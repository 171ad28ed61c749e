package llm

// An Activation is the function between the matrices of a feed-forward network.
type Activation int

const (
	SiLU     Activation = iota
	GELUTanh            // GELU by its approximation with tanh
	// ClampedSwiGLU is gpt-oss's: gate and up are bounded, and what is gated is up + 1.
	ClampedSwiGLU
)

// gate writes the activation of gate, times up, to gate.
func (a Activation) gate(gate, up []float32) {
	switch a {
	case SiLU:
		swiGLU(gate, up)
	case GELUTanh:
		for i, g := range gate {
			gate[i] = float32(geluTanh(float64(g))) * up[i]
		}
	case ClampedSwiGLU:
		clampedSwiGLU(gate, up)
	}
}

// apply writes the activation of x to x.
func (a Activation) apply(x []float32) {
	for i, v := range x {
		switch a {
		case SiLU:
			x[i] = float32(float64(v) / (1 + exp(-float64(v))))
		case GELUTanh:
			x[i] = float32(geluTanh(float64(v)))
		}
	}
}

func geluTanh(x float64) float64 {
	const rootOf2OverPi = 0.79788456080286535587989211986876
	cubic := float64(float64(x*x)*x) * 0.044715
	return 0.5 * x * (1 + tanh(rootOf2OverPi*(x+cubic)))
}

// What gpt-oss has in its source and, since version 5 of transformers, in config.json.
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
