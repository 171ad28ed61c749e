package main

import (
	"math"

	"github.com/bitmod-go/bitmod/internal/llm"
)

// A baseline is a method of quantization that the paper compares with and the library
// does not have. It replaces the weights of layers by dequantized floats.
type baseline struct {
	bits      float64 // of a code
	groupSize int     // 0 for any
	scaleBits float64
	quantize  func(w []float32) // a group, in place
}

// baselines are the methods that -types takes besides the data types, by name.
var baselines = map[string]baseline{
	"olive4": {4, 0, 16, olive},
	"mxfp3":  {3, 32, 8, mxFP3},
}

// replace returns m with the matrices of its layers quantized by b, and the bits of a
// weight in groups of the given size.
func (b baseline) replace(m *llm.Model, groupSize int) (*llm.Model, float64, error) {
	if b.groupSize != 0 {
		groupSize = b.groupSize
	}
	groups, weights := 0, 0
	m.Each(func(p llm.Place, l llm.Linear) {
		if p.Layer >= 0 {
			groups += l.Rows() * ((l.Cols() + groupSize - 1) / groupSize)
			weights += l.Rows() * l.Cols()
		}
	})
	q, err := m.ReplaceSome(func(p llm.Place) bool { return p.Layer >= 0 }, func(p llm.Place, w []float32, cols int) (llm.Linear, error) {
		w = append([]float32(nil), w...)
		for row := 0; row < len(w); row += cols {
			for lo := 0; lo < cols; lo += groupSize {
				b.quantize(w[row+lo : row+min(lo+groupSize, cols)])
			}
		}
		return llm.Float(p, w, cols)
	})
	return q, b.bits + b.scaleBits*float64(groups)/float64(weights), err
}

// mxFP3 is OCP's MX with elements of E2M0: 0, ±1, ±2 and ±4. The standard does not have
// it, but the paper compares with it. The scale is a power of two from the exponent of
// the largest weight, and codes are rounded to nearest, ties to even.
func mxFP3(w []float32) {
	_, exponent := math.Frexp(largest(w)) // 2^(exponent−1) ≤ the largest
	scale := math.Ldexp(1, exponent-1-2)
	for i, x := range w {
		a, q := math.Abs(float64(x))/scale, 0.
		switch {
		case a >= 3: // ties to the even codes: those of 0, 2
			q = 4
		case a >= 1.5:
			q = 2
		case a > .5:
			q = 1
		}
		if a == 3 {
			q = 2
		}
		w[i] = float32(math.Copysign(q*scale, float64(x)))
	}
}

// olive is the 4-bit format of OliVe (arXiv 2304.07493) with outlier-victim pairs. Of
// two neighbouring weights, either both are integers up to 7, or one is an outlier of
// 12 to 96 and the other, the victim, is 0. The kinds of pairs and the scale are those
// of the least squared error, among scales from that of the integers to that of the
// outliers.
func olive(w []float32) {
	top := largest(w)
	if top == 0 {
		return
	}
	best, least := 0., math.Inf(1)
	for i := range 33 {
		scale := top / 7 * math.Exp2(-float64(i)/8)
		sum := 0.
		for j := 0; j < len(w) && sum < least; j += 2 {
			_, e := olivePair(w[j:min(j+2, len(w))], scale)
			sum += e
		}
		if sum < least {
			best, least = scale, sum
		}
	}
	for j := 0; j < len(w); j += 2 {
		pair := w[j:min(j+2, len(w))]
		q, _ := olivePair(pair, best)
		for i := range pair {
			pair[i] = float32(q[i] * best)
		}
	}
}

// olivePair returns the values of a pair, or of a last weight alone, and their error.
func olivePair(pair []float32, scale float64) (q [2]float64, squares float64) {
	square := func(q [2]float64) (sum float64) {
		for i, x := range pair {
			d := float64(x) - q[i]*scale
			sum += d * d
		}
		return sum
	}
	for i, x := range pair {
		q[i] = math.Max(-7, math.Min(7, math.RoundToEven(float64(x)/scale)))
	}
	squares = square(q)
	for i, x := range pair {
		var o [2]float64
		o[i] = math.Copysign(oliveOutlier(math.Abs(float64(x)/scale)), float64(x))
		if s := square(o); s < squares {
			q, squares = o, s
		}
	}
	return q, squares
}

// oliveOutlier returns the nearest of 12, 16, 24, 32, 48, 64 and 96.
func oliveOutlier(x float64) float64 {
	nearest := 12.
	for _, v := range []float64{16, 24, 32, 48, 64, 96} {
		if math.Abs(x-v) < math.Abs(x-nearest) {
			nearest = v
		}
	}
	return nearest
}

func largest(w []float32) float64 {
	top := 0.
	for _, x := range w {
		top = max(top, math.Abs(float64(x)))
	}
	return top
}
