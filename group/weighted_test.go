package group

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
)

// TestWeightedEqualsReference compares rows with importances of all sizes, near and far
// from each other and from those of other groups, with the definition.
func TestWeightedEqualsReference(t *testing.T) {
	kinds := []func(r *rand.Rand, i int) float64{
		func(r *rand.Rand, i int) float64 { return r.ExpFloat64() },
		func(r *rand.Rand, i int) float64 { return 1 },
		func(r *rand.Rand, i int) float64 { return 3e-310 * r.Float64() },
		func(r *rand.Rand, i int) float64 { return 1e300 * r.ExpFloat64() },
		func(r *rand.Rand, i int) float64 { return math.Exp(60 * r.NormFloat64()) },
		func(r *rand.Rand, i int) float64 { return math.Ldexp(r.Float64(), -i) },
		func(r *rand.Rand, i int) float64 { return float64(i / 32 % 2) },
		func(r *rand.Rand, i int) float64 { return float64(r.IntN(40) / 39) },
		func(r *rand.Rand, i int) float64 { return math.Ldexp(1, -(i/32)*70) },
	}
	for _, typ := range datatype.Types() {
		if len(typ.Codebooks()) == 1 || typ.Asymmetric() {
			continue
		}
		all := selectors(typ)
		r := rand.New(rand.NewPCG(31, uint64(typ)))
		for k, kind := range kinds {
			for _, size := range []float64{1, 1e-7, 0x1p-47, 0x1p45} {
				w, a := make([]float32, 1+r.IntN(300)), make([]float64, 300)
				a = a[:len(w)]
				for i := range w {
					w[i] = float32(r.NormFloat64() * size)
					if k%2 == 1 {
						w[i] = float32(math.RoundToEven(r.NormFloat64()*4) / 4 * size)
					}
					a[i] = kind(r, i)
				}
				compareRow(t, all, w, 32, a, 1)
			}
		}
	}
}

// TestWeightedDecides checks that the loops decide for nearly all groups of ordinary
// weights.
func TestWeightedDecides(t *testing.T) {
	for _, s := range selectors(datatype.BitMoD4)[1:] {
		if s.fast.set.Weighted[1] == nil {
			t.Skip("there are no loops")
		}
		r := rand.New(rand.NewPCG(33, 34))
		w, a := make([]float32, 1<<14), make([]float64, 1<<14)
		for i := range w {
			w[i], a[i] = float32(r.NormFloat64()/30), math.Exp(2*r.NormFloat64())
		}
		groups := len(w) / 128
		if err := s.SelectFloat32(make([]Choice, groups), make([]uint8, len(w)), w, 128, a, 1); err != nil {
			t.Fatal(err)
		}
		if s.fast.recounts > groups/20 {
			t.Errorf("the errors of %d of %d groups were added up again", s.fast.recounts, groups)
		}
	}
}
