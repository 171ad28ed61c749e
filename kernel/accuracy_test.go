package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// TestAccuracy checks the errors that the package documentation states for 8-bit
// activations. An error is the difference from the product after LoadFloat, relative to
// its root mean square.
func TestAccuracy(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	const rows, cols = 64, 4096
	const finer = 120 // the least ratio of errors, 8 bits to 16
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	for _, c := range []struct {
		name string
		max  float64
		x    func(i int) float64
	}{
		{"normal", 0.01, func(int) float64 { return r.NormFloat64() }},
		{"1 in 100 ten times as large", 0.02, func(int) float64 {
			if r.IntN(100) == 0 {
				return 10 * r.NormFloat64()
			}
			return r.NormFloat64()
		}},
		{"4 columns a hundred times as large", 0.03, func(i int) float64 {
			if i%1024 == 77 {
				return 100 * r.NormFloat64()
			}
			return r.NormFloat64()
		}},
	} {
		for _, of := range []quant.Config{
			{GroupSize: 16}, {GroupSize: 32}, {GroupSize: 64}, {GroupSize: 128}, {GroupSize: 256}, {Type: datatype.NF4, GroupSize: 128},
		} {
			m, err := quant.Group(w, cols, of)
			if err != nil {
				t.Fatal(err)
			}
			var sum, sum16, norm float64
			for range 4 {
				x := make([]float32, cols)
				for i := range x {
					x[i] = float32(c.x(i))
				}
				var a, double, exact Activation
				if err := a.Load(x); err != nil {
					t.Fatal(err)
				}
				if err := double.Load16(x); err != nil {
					t.Fatal(err)
				}
				if err := exact.LoadFloat(x); err != nil {
					t.Fatal(err)
				}
				got, got16, want := product(t, m, &a), product(t, m, &double), product(t, m, &exact)
				for i := range got {
					sum += float64(got[i]-want[i]) * float64(got[i]-want[i])
					sum16 += float64(got16[i]-want[i]) * float64(got16[i]-want[i])
					norm += float64(want[i]) * float64(want[i])
				}
			}
			e, e16 := math.Sqrt(sum/norm), math.Sqrt(sum16/norm)
			t.Logf("%-36s %v, group %3d: %.4f, with 16 bits %.6f", c.name, m.Type(), m.GroupSize(), e, e16)
			if e16 > e/finer && m.Type().Unit() != 0 {
				t.Errorf("%s, %v, group %d: relative error %.6f with 16 bits, %.4f with 8", c.name, m.Type(), m.GroupSize(), e16, e)
			}
			if e > c.max {
				t.Errorf("%s, %v, group %d: relative error %.4f, want at most %v", c.name, m.Type(), m.GroupSize(), e, c.max)
			}
		}
	}
}
