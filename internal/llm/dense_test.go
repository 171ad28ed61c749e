package llm

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

// A product is the sum from the first column to the last, for any number of vectors.
// Weights are returned unchanged.
func TestDense(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	random := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	c := NewCrew(2)
	defer c.Close()
	for _, rows := range []int{1, 7, 63, 64, 65, 128, 201} {
		for _, cols := range []int{1, 24, 130} {
			w := random(rows * cols)
			d := newDense(slices.Clone(w), cols)
			if !slices.Equal(d.weights(), w) {
				t.Errorf("%d×%d: other weights", rows, cols)
			}
			row := make([]float32, cols)
			for i := range rows {
				if err := d.Row(row, i); err != nil || !slices.Equal(row, w[i*cols:][:cols]) {
					t.Fatalf("%d×%d: row %d is another, error %v", rows, cols, i, err)
				}
			}
			for _, n := range []int{1, 2, 15, 40} {
				x := random(n * cols)
				got, want := make([]float32, n*rows), make([]float32, n*rows)
				if err := d.Mul(got, x, n, c); err != nil {
					t.Fatal(err)
				}
				for v := range n {
					for i := range rows {
						for j := range cols {
							want[v*rows+i] = floats.FMA(w[i*cols+j], x[v*cols+j], want[v*rows+i])
						}
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%d×%d and %d vectors: products differ by %g", rows, cols, n, maxDiff(got, want))
				}
			}
		}
	}
}
