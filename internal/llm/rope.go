package llm

import (
	"math"

	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

// Rope describes the rotation of queries and keys by positions: pair i of a head
// rotates by position · Theta^(−2i/Dim) radians.
type Rope struct {
	Theta float64
	// Dim is the number of elements at the start of a head that rotate, 0 for all.
	Dim int
	// Interleaved pairs elements 2i and 2i+1, as the paper and llama2.c do;
	// otherwise element i goes with i + Dim/2, as in Hugging Face's weights
	// ("rotate_half"), which have their rows permuted to match.
	Interleaved bool
	// Scaling is nil for models that are used at the length they were trained at.
	Scaling *RopeScaling
}

// RopeScaling stretches the rotations for contexts longer than OriginalContext, the
// length that a model was first trained with.
type RopeScaling struct {
	Kind            ScalingKind
	Factor          float64
	OriginalContext int

	// For Llama 3: frequencies of wavelengths above OriginalContext/LowFreqFactor are
	// divided by Factor, frequencies of wavelengths below OriginalContext/HighFreqFactor
	// stay, and there is a ramp between the two.
	LowFreqFactor, HighFreqFactor float64
	// For YaRN: frequencies with less than BetaSlow turns in OriginalContext are divided
	// by Factor, frequencies with more than BetaFast turns stay, and there is a ramp
	// between the two. Rounded takes whole pairs as the bounds of the ramp.
	BetaFast, BetaSlow float64
	Rounded            bool
	// For LongRoPE: the frequency of each pair is divided by its element of Short in
	// texts of up to OriginalContext tokens, and of Long in longer ones.
	Short, Long []float64

	// Magnitude multiplies rotated elements; 0 stands for 1.
	Magnitude float64
}

// A ScalingKind is a way to stretch rotations.
type ScalingKind int

const (
	// ScaleLinear divides all frequencies by Factor.
	ScaleLinear ScalingKind = iota
	// ScaleDynamic makes Theta larger in texts that are longer than OriginalContext.
	ScaleDynamic
	ScaleLlama3
	ScaleYaRN
	ScaleLongRoPE
)

func (r *Rope) check(headDim int) error {
	switch {
	case r.Dim < 0 || r.Dim > headDim:
		return formatErrorf("%d elements of heads of %d rotate", r.Dim, headDim)
	case r.dim(headDim)%2 != 0 && r.Dim != 0:
		return formatErrorf("%d elements of a head rotate, want an even number: rotary positions turn pairs", r.Dim)
	case headDim%2 != 0 && r.Dim == 0:
		return formatErrorf("head dim is %d, want an even number: rotary positions turn pairs", headDim)
	case !(r.Theta > 0) || math.IsInf(r.Theta, 0):
		return formatErrorf("rope theta is %v, want a positive number", r.Theta)
	case r.Scaling != nil:
		return r.Scaling.check(r.dim(headDim))
	}
	return nil
}

func (s *RopeScaling) check(dim int) error {
	positive := func(x float64) bool { return x > 0 && !math.IsInf(x, 0) }
	switch {
	case s.Kind != ScaleLongRoPE && !positive(s.Factor):
		return formatErrorf("rope scaling factor is %v, want a positive number", s.Factor)
	case s.Kind != ScaleLinear && (s.OriginalContext < 1 || s.OriginalContext > maxContext):
		return formatErrorf("rope scaling from context %d, want 1 to %d", s.OriginalContext, maxContext)
	case s.Magnitude < 0 || math.IsInf(s.Magnitude, 0) || math.IsNaN(s.Magnitude):
		return formatErrorf("rope scaling makes attention %v times as large", s.Magnitude)
	case s.Kind == ScaleDynamic && (dim < 4 || s.Factor < 1):
		return formatErrorf("dynamic rope scaling by %v of %d elements of a head", s.Factor, dim)
	case s.Kind == ScaleLlama3 && !(positive(s.LowFreqFactor) && s.HighFreqFactor > s.LowFreqFactor && !math.IsInf(s.HighFreqFactor, 0)):
		return formatErrorf("rope scaling with frequency factors %v and %v, want positive and increasing", s.LowFreqFactor, s.HighFreqFactor)
	case s.Kind == ScaleYaRN && !(positive(s.BetaSlow) && positive(s.BetaFast)):
		return formatErrorf("rope scaling with bounds %v and %v, want positive numbers", s.BetaSlow, s.BetaFast)
	}
	if s.Kind != ScaleLongRoPE {
		return nil
	}
	for _, f := range [][]float64{s.Short, s.Long} {
		if len(f) != dim/2 {
			return formatErrorf("rope scaling has %d factors, want %d, one for each pair of a head", len(f), dim/2)
		}
		for _, x := range f {
			if !positive(x) {
				return formatErrorf("rope scaling factor is %v, want a positive number", x)
			}
		}
	}
	return nil
}

// dim returns the number of elements of a head that rotate.
func (r *Rope) dim(headDim int) int {
	if r.Dim == 0 {
		return headDim
	}
	return r.Dim
}

// byLength reports whether the rotations depend on the length of a text.
func (r *Rope) byLength() bool {
	return r.Scaling != nil && (r.Scaling.Kind == ScaleDynamic || r.Scaling.Kind == ScaleLongRoPE)
}

// frequencies returns the radians per position of every pair of a head, for texts of
// up to length tokens.
func (r *Rope) frequencies(headDim, length int) []float64 {
	dim := r.dim(headDim)
	theta := r.Theta
	s := r.Scaling
	if s != nil && s.Kind == ScaleDynamic && length > s.OriginalContext {
		stretch := float64(s.Factor*float64(length))/float64(s.OriginalContext) - (s.Factor - 1)
		theta *= math.Pow(stretch, float64(dim)/float64(dim-2))
	}
	f := make([]float64, dim/2)
	for i := range f {
		f[i] = math.Pow(theta, -2*float64(i)/float64(dim))
		if s != nil {
			f[i] = s.scale(f[i], i, dim, theta, length)
		}
	}
	return f
}

// scale returns the scaled frequency of a pair.
func (s *RopeScaling) scale(f float64, pair, dim int, theta float64, length int) float64 {
	keep := 0.0 // of the frequency as it was, the rest is divided by Factor
	switch s.Kind {
	case ScaleDynamic:
		return f
	case ScaleLongRoPE:
		if length > s.OriginalContext {
			return f / s.Long[pair]
		}
		return f / s.Short[pair]
	case ScaleLinear:
		return f / s.Factor
	case ScaleLlama3:
		turns := float64(s.OriginalContext) * f / (2 * math.Pi) // over the original context
		keep = min(max((turns-s.LowFreqFactor)/(s.HighFreqFactor-s.LowFreqFactor), 0), 1)
	case ScaleYaRN:
		low, high := s.pairOf(s.BetaFast, dim, theta), s.pairOf(s.BetaSlow, dim, theta)
		if s.Rounded {
			low, high = math.Floor(low), math.Ceil(high)
		}
		low, high = max(low, 0), min(high, float64(dim-1))
		if low == high {
			high += 0.001
		}
		keep = 1 - min(max((float64(pair)-low)/(high-low), 0), 1)
	}
	return float64((1-keep)*f)/s.Factor + float64(keep*f)
}

// pairOf returns the pair with the given number of turns in the original context.
func (s *RopeScaling) pairOf(turns float64, dim int, theta float64) float64 {
	return float64(dim) * math.Log(float64(s.OriginalContext)/(turns*2*math.Pi)) / (2 * math.Log(theta))
}

// magnitude returns the factor of cosines and sines.
func (r *Rope) magnitude() float64 {
	if r.Scaling == nil || r.Scaling.Magnitude == 0 {
		return 1
	}
	return r.Scaling.Magnitude
}

// angles writes the cosine and sine of every pair at a position, times magnitude.
func angles(cos, sin []float32, frequencies []float64, magnitude float64, position int) {
	for i, f := range frequencies {
		s, c := math.Sincos(float64(position) * f)
		cos[i], sin[i] = float32(magnitude*c), float32(magnitude*s)
	}
}

// rotate rotates the heads in x, each headDim wide, in place.
func (r *Rope) rotate(x, cos, sin []float32, headDim int) {
	if !r.Interleaved {
		floats.Rotate(x, cos, sin, headDim)
		return
	}
	for ; len(x) > 0; x = x[headDim:] {
		for i, c := range cos {
			s := sin[i]
			a, b := &x[2*i], &x[2*i+1]
			*a, *b = float32(*a*c)-float32(*b*s), float32(*a*s)+float32(*b*c)
		}
	}
}
