package algebra

import (
	"math"
	"math/rand/v2"
	"testing"
)

func need(t *testing.T) {
	if !Have() {
		t.Skip("the processor has no loops")
	}
}

func numbers(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64() * math.Exp(r.NormFloat64())
	}
	return x
}

// TestGram compares every bit, and that nothing beside the tile is written.
func TestGram(t *testing.T) {
	need(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		vectors, cols := 1+r.IntN(9), 1+r.IntN(TileCols)
		stride := TileRows + TileCols + r.IntN(20)
		x := numbers(r, vectors*stride)
		sums := numbers(r, TileRows*(TileCols+1))
		want := append([]float64(nil), sums...)
		a := GramArgs{X: &x[0], Y: &x[TileRows], Stride: stride, Vectors: vectors, Cols: cols}
		for row := range TileRows {
			a.Sums[row] = &sums[row*(TileCols+1)]
			for v := range vectors {
				for c := range cols {
					w := &want[row*(TileCols+1)+c]
					*w = math.FMA(x[v*stride+row], x[v*stride+TileRows+c], *w)
				}
			}
		}
		Gram(&a)
		for i := range sums {
			if sums[i] != want[i] {
				t.Fatalf("%d vectors, %d columns: number %d is %v, want %v", vectors, cols, i, sums[i], want[i])
			}
		}
	}
}

func TestTake(t *testing.T) {
	need(t)
	r := rand.New(rand.NewPCG(3, 4))
	for n := 1; n < 100; n++ {
		for _, k := range []int{1, 4} {
			x := numbers(r, n+1)
			want := append([]float64(nil), x...)
			a := TakeArgs{T: &x[0], N: n}
			for j := range k {
				m := numbers(r, n)
				a.M[j], a.R[j] = &m[0], r.NormFloat64()
				for i := range n {
					want[i] -= float64(a.R[j] * m[i])
				}
			}
			if k == 1 {
				Take1(&a)
			} else {
				Take4(&a)
			}
			for i := range x {
				if x[i] != want[i] {
					t.Fatalf("%d of %d: number %d is %v, want %v", k, n, i, x[i], want[i])
				}
			}
		}
	}
}
