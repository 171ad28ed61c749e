package llm

import "math"

// Rope says how positions turn queries and keys: pair i of a head turns by
// position · Theta^(−2i/HeadDim) radians.
type Rope struct {
	Theta float64
	// Interleaved pairs elements 2i and 2i+1, as the paper and llama2.c do;
	// otherwise element i goes with i + HeadDim/2, as in Hugging Face's weights
	// ("rotate_half"), which have their rows permuted to match.
	Interleaved bool
	// Scaling is nil for models that are used at the length they were trained at.
	Scaling *RopeScaling
}

// RopeScaling stretches the rotations for contexts longer than a model was first
// trained at.
type RopeScaling struct {
	// Factor divides frequencies. If OriginalContext is 0, all of them ("linear");
	// otherwise ("llama3") only those of wavelengths above
	// OriginalContext/LowFreqFactor; those below OriginalContext/HighFreqFactor
	// stay, and between the two there is a ramp.
	Factor          float64
	LowFreqFactor   float64
	HighFreqFactor  float64
	OriginalContext int
}

func (r *Rope) check() error {
	if !(r.Theta > 0) || math.IsInf(r.Theta, 0) {
		return formatErrorf("rope theta is %v, want a positive number", r.Theta)
	}
	if s := r.Scaling; s != nil {
		if !(s.Factor > 0) || math.IsInf(s.Factor, 0) {
			return formatErrorf("rope scaling factor is %v, want a positive number", s.Factor)
		}
		if s.OriginalContext != 0 && (s.OriginalContext < 0 || !(s.LowFreqFactor > 0) || !(s.HighFreqFactor > s.LowFreqFactor)) {
			return formatErrorf("rope scaling from context %d with frequency factors %v and %v, want positive and increasing",
				s.OriginalContext, s.LowFreqFactor, s.HighFreqFactor)
		}
	}
	return nil
}

// frequencies returns the radians per position of every pair of a head.
func (r *Rope) frequencies(headDim int) []float64 {
	f := make([]float64, headDim/2)
	for i := range f {
		f[i] = math.Pow(r.Theta, -2*float64(i)/float64(headDim))
		if r.Scaling != nil {
			f[i] = r.Scaling.scale(f[i])
		}
	}
	return f
}

func (s *RopeScaling) scale(f float64) float64 {
	if s.OriginalContext == 0 {
		return f / s.Factor
	}
	turns := float64(s.OriginalContext) * f / (2 * math.Pi) // over the original context
	// 0 keeps nothing of the frequency as it was, 1 all of it.
	keep := min(max((turns-s.LowFreqFactor)/(s.HighFreqFactor-s.LowFreqFactor), 0), 1)
	return (1-keep)*f/s.Factor + keep*f
}

// angles writes the cosine and sine of every pair at a position.
func angles(cos, sin []float32, frequencies []float64, position int) {
	for i, f := range frequencies {
		s, c := math.Sincos(float64(position) * f)
		cos[i], sin[i] = float32(c), float32(s)
	}
}

// rotate turns the heads in x, each 2·len(cos) wide, in place.
func (r *Rope) rotate(x, cos, sin []float32) {
	half := len(cos)
	sin = sin[:half]
	step, other := 1, half
	if r.Interleaved {
		step, other = 2, 1
	}
	for ; len(x) > 0; x = x[2*half:] {
		for i, c := range cos {
			s := sin[i]
			a, b := &x[i*step], &x[i*step+other]
			*a, *b = float32(*a*c)-float32(*b*s), float32(*a*s)+float32(*b*c)
		}
	}
}
