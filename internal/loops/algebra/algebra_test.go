package algebra

import (
	"math"
	"math/rand/v2"
	"testing"
)

// each runs a test with the loops of each kind that the processor has.
func each(t *testing.T, test func(t *testing.T, s Set)) {
	if len(Sets()) == 0 {
		t.Skip("the processor has no loops")
	}
	for _, s := range Sets() {
		t.Run(s.String(), func(t *testing.T) { test(t, s) })
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
func TestGram(t *testing.T) { each(t, testGram) }

func testGram(t *testing.T, s Set) {
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
		s.Gram(&a)
		for i := range sums {
			if sums[i] != want[i] {
				t.Fatalf("%d vectors, %d columns: number %d is %v, want %v", vectors, cols, i, sums[i], want[i])
			}
		}
	}
}

func TestTake(t *testing.T) { each(t, testTake) }

func testTake(t *testing.T, s Set) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := 1; n < 100; n++ {
		x, m := numbers(r, n+1), numbers(r, n)
		want := append([]float64(nil), x...)
		a := TakeArgs{T: &x[0], N: n, M: &m[0], R: r.NormFloat64()}
		for i := range n {
			want[i] = math.FMA(-a.R, m[i], want[i])
		}
		s.Take(&a)
		for i := range x {
			if x[i] != want[i] {
				t.Fatalf("%d: number %d is %v, want %v", n, i, x[i], want[i])
			}
		}
	}
}

// TestReduce compares every bit, and that nothing beside the tile is written.
func TestReduce(t *testing.T) { each(t, testReduce) }

func testReduce(t *testing.T, s Set) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		n, cols, rStep, less := 1+r.IntN(9), 1+r.IntN(TileCols), 1+r.IntN(3), r.IntN(2)
		mStep := TileCols + 10 + r.IntN(9)
		c := numbers(r, TileRows*(TileCols+1))
		x := numbers(r, TileRows*n*rStep)
		m := numbers(r, n*mStep)
		want := append([]float64(nil), c...)
		a := ReduceArgs{RStep: rStep, M: &m[0], MStep: mStep, MLess: less, N: n, Rows: 1 + r.IntN(TileRows), Cols: cols}
		for row := range (a.Rows + 3) &^ 3 {
			a.C[row], a.R[row] = &c[row*(TileCols+1)], &x[row*n*rStep]
			at := 0
			for k := range n {
				for col := range cols {
					w := &want[row*(TileCols+1)+col]
					*w = math.FMA(-x[(row*n+k)*rStep], m[at+col], *w)
				}
				at += mStep - k*less
			}
		}
		s.Reduce(&a)
		for i := range c {
			if c[i] != want[i] {
				t.Fatalf("%d × %d: number %d is %v, want %v", n, cols, i, c[i], want[i])
			}
		}
	}
}
