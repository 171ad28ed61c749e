// Package grouptest makes groups of weights for tests.
package grouptest

import (
	"math"
	"math/rand/v2"
)

// Sources are generators of one weight, each of a kind that could tell the fast
// path from the definition.
var Sources = []struct {
	Name string
	Next func(r *rand.Rand) float64
}{
	{"normal", func(r *rand.Rand) float64 { return r.NormFloat64() }},
	{"heavy tail", func(r *rand.Rand) float64 { return r.NormFloat64() / (1e-3 + math.Abs(r.NormFloat64())) }},
	{"float32", func(r *rand.Rand) float64 { return float64(float32(r.NormFloat64())) }},
	{"tied", func(r *rand.Rand) float64 { return float64(r.IntN(65)-32) / 4 }},
	{"few values", func(r *rand.Rand) float64 { return float64(r.IntN(3) - 1) }},
	{"sparse", func(r *rand.Rand) float64 { return float64(r.IntN(20)/19) * r.NormFloat64() }},
	{"positive", func(r *rand.Rand) float64 { return r.ExpFloat64() }},
	{"negative", func(r *rand.Rand) float64 { return -1 - r.Float64() }},
	{"subnormal float32", func(r *rand.Rand) float64 { return float64(r.IntN(41)-20) * 0x1p-149 }},
	{"subnormal float64", func(r *rand.Rand) float64 { return float64(r.IntN(41)-20) * 0x1p-1074 }},
	{"tiny", func(r *rand.Rand) float64 { return r.NormFloat64() * 1e-307 }},
	{"huge", func(r *rand.Rand) float64 { return float64(float32(math.MaxFloat32 * (2*r.Float64() - 1))) }},
	{"mixed", func(r *rand.Rand) float64 { return math.Ldexp(r.NormFloat64(), r.IntN(200)-150) }},
	{"zero", func(r *rand.Rand) float64 { return 0 }},
	{"negative zero", func(r *rand.Rand) float64 { return math.Copysign(0, -1) }},
	{"near thresholds", func(r *rand.Rand) float64 {
		x := float64(r.IntN(129)-64) / 4
		for range r.IntN(3) {
			x = math.Nextafter(x, 100)
		}
		for range r.IntN(3) {
			x = math.Nextafter(x, -100)
		}
		return x
	}},
}

// Importances returns importances of one of several kinds, nil among them.
func Importances(r *rand.Rand, n int) []float64 {
	kind := r.IntN(5)
	if kind == 0 {
		return nil
	}
	a := make([]float64, n)
	for i := range a {
		switch kind {
		case 1:
			a[i] = r.ExpFloat64()
		case 2:
			a[i] = math.Exp(5 * r.NormFloat64())
		case 3:
			a[i] = float64(r.IntN(2))
		}
	}
	return a // kind 4: all 0
}

// Weights returns up to 200 weights of a source within float32.
func Weights(r *rand.Rand, next func(*rand.Rand) float64) []float64 {
	w := make([]float64, 1+r.IntN(200))
	for i := range w {
		if w[i] = next(r); math.Abs(w[i]) > math.MaxFloat32 {
			w[i] = 0
		}
	}
	return w
}
