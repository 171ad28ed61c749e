package quant

import (
	"fmt"
	"math"
	"sync/atomic"

	"github.com/bitmod-go/bitmod/internal/loops/algebra"
)

// A Hessian is Σ x·xᵀ over the input vectors x of a layer. Up to a factor it is the
// second derivative of the layer's squared output error by the weights of a row, the
// same for every row (GPTQ, arXiv 2210.17323, section 3). It keeps the upper triangle
// in float64, 4·cols·(cols+1) bytes.
//
// A Hessian may be read by any number of goroutines, but not while Add runs. The zero
// Hessian and nil have no columns; use [NewHessian].
type Hessian struct {
	cols int
	n    int       // vectors
	sums []float64 // row by row, from the diagonal on
	set  algebra.Set
	kept *atomic.Pointer[keptFactor] // what Correct keeps
}

// NewHessian returns the Hessian of no vectors yet, for a layer with cols inputs.
// The error matches ErrShape if cols is below 1 or the triangle would not fit an
// int.
func NewHessian(cols int) (*Hessian, error) {
	if cols < 1 {
		return nil, shapeError("cols", cols, "at least 1")
	}
	if cols > maxHessianCols {
		return nil, shapeError("cols", cols, "at most %d", maxHessianCols)
	}
	return newHessian(cols, 0, make([]float64, triangle(cols)), algebra.Best()), nil
}

func newHessian(cols, vectors int, sums []float64, set algebra.Set) *Hessian {
	return &Hessian{cols, vectors, sums, set, new(atomic.Pointer[keptFactor])}
}

// maxHessianCols is far above any layer, and keeps triangle within an int32.
const maxHessianCols = 1<<16 - 2

// triangle returns the number of elements of an upper triangle.
func triangle(n int) int { return n * (n + 1) / 2 }

// Add adds one or several vectors, which lie side by side in x. The error matches
// ErrShape if len(x) is not a multiple of the columns. It matches ErrNotFinite and names
// the index if an element is NaN or infinite. After an error, h is as it was. Vectors are
// added in order, so that a sequence of vectors gives the same bits however it is cut
// into calls. Add takes cols²/2 multiplications a vector, on up to GOMAXPROCS goroutines.
func (h *Hessian) Add(x []float32) error {
	if h == nil || h.cols == 0 {
		return shapeError("Cols()", 0, "at least 1")
	}
	if len(x)%h.cols != 0 {
		return shapeError("len(x)", len(x), "a multiple of %d (columns)", h.cols)
	}
	for i, v := range x {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("quant: input vector %d, column %d is %v: %w", i/h.cols, i%h.cols, v, ErrNotFinite)
		}
	}
	n := h.cols
	h.n += len(x) / n
	h.kept.Store(nil)
	if h.set != algebra.None && n >= 2*algebra.TileCols && len(x) >= 4*n {
		h.addTiles(x)
		return nil
	}
	h.addPlain(x)
	return nil
}

// addPlain is Add without vector instructions.
func (h *Hessian) addPlain(x []float32) {
	n := h.cols
	// Four vectors at a time save three quarters of the memory traffic. A product of
	// two float32s is exact in float64, so that fusing changes nothing.
	for ; len(x) >= 4*n; x = x[4*n:] {
		a, b, c, d := x[:n], x[n:2*n], x[2*n:3*n], x[3*n:4*n]
		row := h.sums
		for i := range n {
			x0, x1, x2, x3 := float64(a[i]), float64(b[i]), float64(c[i]), float64(d[i])
			y0, y1, y2, y3 := a[i:], b[i:], c[i:], d[i:]
			sums := row[:n-i]
			y0, y1, y2, y3 = y0[:len(sums)], y1[:len(sums)], y2[:len(sums)], y3[:len(sums)]
			for j, s := range sums {
				s += x0 * float64(y0[j])
				s += x1 * float64(y1[j])
				s += x2 * float64(y2[j])
				s += x3 * float64(y3[j])
				sums[j] = s
			}
			row = row[n-i:]
		}
	}
	for ; len(x) > 0; x = x[n:] {
		row := h.sums
		for i, xi := range x[:n] {
			for j, xj := range x[i:n] {
				row[j] += float64(xi) * float64(xj)
			}
			row = row[n-i:]
		}
	}
}

// addTiles is addPlain by tiles of the triangle, so that sums stay in registers while
// many vectors are added. Products are exact, and each sum adds its products in order.
func (h *Hessian) addTiles(x []float32) {
	inStrips(h.cols, len(x)*h.cols/2, func(first, every int) { h.addStrips(x, first, every) })
}

// addStrips adds x to every every-th strip, from strip first on. A strip is as wide as a
// tile.
func (h *Hessian) addStrips(x []float32, first, every int) {
	n := h.cols
	// An odd number of cache lines, so that a strip is spread over all of the cache.
	stride := (n+algebra.TileCols+7)/8*8 | 8
	vectors := len(x) / n
	wide := make([]float64, min(stripVectors, vectors)*stride)
	for len(x) > 0 {
		vectors := min(stripVectors, len(x)/n)
		widenVectors(wide, stride, x[:vectors*n], n)
		x = x[vectors*n:]
		for col := first * algebra.TileCols; col < n; col += every * algebra.TileCols {
			for row := 0; row < min(col+algebra.TileCols, n); row += algebra.TileRows {
				h.addTile(wide, stride, vectors, row, col)
			}
		}
	}
}

// addTile adds to the tile that begins at row, col.
func (h *Hessian) addTile(wide []float64, stride, vectors, row, col int) {
	n := h.cols
	cols := min(algebra.TileCols, n-col)
	a := algebra.GramArgs{X: &wide[row], Y: &wide[col], Stride: stride, Vectors: vectors, Cols: cols}
	last := row + algebra.TileRows - 1
	if last <= col && last < n {
		for r := range a.Sums {
			a.Sums[r] = &h.sums[rowOffset(n, row+r)+col-row-r]
		}
		h.set.Gram(&a)
		return
	}
	// A part of the tile is below the diagonal, or below the last row.
	var tile [algebra.TileRows][algebra.TileCols]float64
	each := func(do func(tile, sum *float64)) {
		for r := range min(algebra.TileRows, n-row) {
			for c := max(0, row+r-col); c < cols; c++ {
				do(&tile[r][c], &h.sums[rowOffset(n, row+r)+col+c-row-r])
			}
		}
	}
	each(func(tile, sum *float64) { *tile = *sum })
	for r := range a.Sums {
		a.Sums[r] = &tile[r][0]
	}
	h.set.Gram(&a)
	each(func(tile, sum *float64) { *sum = *tile })
}

// row returns row i of the triangle, from the diagonal on.
func (h *Hessian) row(i int) []float64 {
	at := rowOffset(h.cols, i)
	return h.sums[at : at+h.cols-i]
}

// Cols returns the number of columns.
func (h *Hessian) Cols() int {
	if h == nil {
		return 0
	}
	return h.cols
}

// Vectors returns the number of vectors that were added.
func (h *Hessian) Vectors() int {
	if h == nil {
		return 0
	}
	return h.n
}

// Importance returns a new slice of the mean squares by column, the diagonal
// divided by the number of vectors, for [Config.Importance]; all 0 without vectors.
func (h *Hessian) Importance() []float64 {
	a := make([]float64, h.Cols())
	if h.Vectors() == 0 {
		return a
	}
	at := 0
	for i := range a {
		a[i] = h.sums[at] / float64(h.n)
		at += h.cols - i
	}
	return a
}
