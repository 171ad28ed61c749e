package group

import (
	"math"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/scale"
)

// candidateScale returns the scale that one candidate codebook gets in a group
// whose largest magnitude is amax.
func candidateScale(t datatype.Type, amax, cbMax float64, tensorScale float32) Choice {
	f := t.Scale()
	switch f {
	case datatype.E8M0:
		// OCP MX v1.0: floor(log2 amax) − emax, where emax = 2 for E2M1.
		b := scale.Floor(f, amax/4)
		if amax == 0 {
			return Choice{Scale: b}
		}
		return Choice{Scale: b, Delta: float64(f.Value(b))}
	case datatype.E4M3:
		if tensorScale == 0 {
			return Choice{}
		}
		b := scale.Nearest(f, amax/cbMax/float64(tensorScale))
		return Choice{Scale: b, Delta: float64(f.Value(b)) * float64(tensorScale)}
	}
	return Choice{Delta: amax / cbMax}
}

// RowScales rounds the scales of a row's groups to 8 bits against one step,
// step = float32(max Δ / 255) and scales[i] = Δ/step rounded half to even, at most 255,
// so that a group's scale is scales[i]·step. If the step underflows to 0, all scales are 0.
// deltas are non-negative and finite. RowScales sets at most len(scales) scales. It does
// not allocate.
func RowScales(scales []uint8, deltas []float64) (step float32) {
	var top float64
	for _, d := range deltas {
		if d > top { // max takes longer, as it minds NaN
			top = d
		}
	}
	step = float32(top / 255)
	for i, d := range deltas[:min(len(deltas), len(scales))] {
		scales[i] = 0
		if step > 0 {
			scales[i] = 255
			if k := math.RoundToEven(d / float64(step)); k < 255 {
				scales[i] = uint8(k)
			}
		}
	}
	return step
}

// ZeroScale returns the scale of a group whose scale [RowScales] rounds to 0: 1 if that
// gives the smaller error, and otherwise 0. The error is Σ importance·(w − ŵ)², where ŵ
// is the dequantized weight, float32(value)·step, added up in float64 from the first
// weight to the last. A nil importance is 1 throughout. Weights beyond the end of codes
// or of the importance do not count.
func ZeroScale(cb datatype.Codebook, codes []uint8, w, importance []float64, step float32) uint8 {
	w = w[:min(len(w), len(codes))]
	if importance != nil {
		w = w[:min(len(w), len(importance))]
	}
	var zero, one float64
	for i, x := range w {
		a := 1.
		if importance != nil {
			a = importance[i]
		}
		e := x - float64(cb.Value(codes[i])*step)
		zero += float64(float64(a*x) * x)
		one += float64(float64(a*e) * e)
	}
	if one < zero {
		return 1
	}
	return 0
}

// TensorScale returns the float32 scale that all groups of a tensor share; amax is the
// largest magnitude in the tensor. For types with [datatype.E4M3] scales, it is amax
// divided by the largest value of the first codebook and by 448, so that the largest group
// scale is the largest E4M3 number. For all other types, it is 1.
func TensorScale(t datatype.Type, amax float64) float32 {
	if t.Scale() != datatype.E4M3 {
		return 1
	}
	return float32(amax / float64(t.Codebooks()[0].MaxAbs()) / float64(datatype.E4M3.Value(0x7e)))
}
