package quant

import (
	"fmt"
	"math"

	"github.com/bitmod-go/bitmod/internal/loops/algebra"
)

// A Cross sums up y·xᵀ over pairs of vectors, for [Feedback.Correct]. The sums are
// float64 and take 8·rows·cols bytes.
//
// A Cross may be read by any number of goroutines, but not while Add runs. Make one with
// [NewCross].
type Cross struct {
	rows, cols int
	sums       []float64 // row by row
	set        algebra.Set
}

// NewCross returns a Cross without vectors, for y of rows elements and x of cols. The
// error matches ErrShape if one of them is below 1 or too large.
func NewCross(rows, cols int) (*Cross, error) {
	if rows < 1 || rows > maxHessianCols {
		return nil, shapeError("rows", rows, "1 to %d", maxHessianCols)
	}
	if cols < 1 || cols > maxHessianCols {
		return nil, shapeError("cols", cols, "1 to %d", maxHessianCols)
	}
	return &Cross{rows, cols, make([]float64, rows*cols), algebra.Best()}, nil
}

// Add adds pairs of vectors, which lie side by side in y and in x. Errors match ErrShape
// or ErrNotFinite, and leave c as it was. Add uses up to GOMAXPROCS goroutines. The sums
// are the same bits for any number of them and any division into calls.
func (c *Cross) Add(y, x []float32) error {
	if c == nil || c.cols == 0 {
		return shapeError("columns of the Cross", 0, "at least 1")
	}
	if len(x)%c.cols != 0 {
		return shapeError("len(x)", len(x), "a multiple of %d (columns)", c.cols)
	}
	vectors := len(x) / c.cols
	if len(y) != vectors*c.rows {
		return shapeError("len(y)", len(y), "%d (%d vectors of %d)", vectors*c.rows, vectors, c.rows)
	}
	if err := checkVectors(y, c.rows); err != nil {
		return err
	}
	if err := checkVectors(x, c.cols); err != nil {
		return err
	}
	if vectors == 0 {
		return nil
	}
	inStrips(c.cols, len(x)*c.rows, func(first, every int) { c.addStrips(y, x, first, every) })
	return nil
}

func checkVectors(x []float32, cols int) error {
	for i, v := range x {
		if v-v != 0 {
			return fmt.Errorf("quant: input vector %d, column %d is %v: %w", i/cols, i%cols, v, ErrNotFinite)
		}
	}
	return nil
}

// addStrips adds the vectors to every every-th strip, from strip first on. A strip is as
// wide as a tile. Products are exact, and each sum adds them in the order of the vectors.
func (c *Cross) addStrips(y, x []float32, first, every int) {
	if c.set == algebra.None || c.rows < algebra.TileRows {
		for col := first * algebra.TileCols; col < c.cols; col += every * algebra.TileCols {
			c.addPlain(y, x, 0, col, min(col+algebra.TileCols, c.cols))
		}
		return
	}
	// An odd number of cache lines, so that a strip is spread over all of the cache.
	at := (c.rows + algebra.TileRows + 7) / 8 * 8
	stride := (at+c.cols+algebra.TileCols+7)/8*8 | 8
	wide := make([]float64, min(stripVectors, len(x)/c.cols)*stride)
	whole := c.rows / algebra.TileRows * algebra.TileRows
	for len(x) > 0 {
		vectors := min(stripVectors, len(x)/c.cols)
		widenVectors(wide, stride, y[:vectors*c.rows], c.rows)
		widenVectors(wide[at:], stride, x[:vectors*c.cols], c.cols)
		for col := first * algebra.TileCols; col < c.cols; col += every * algebra.TileCols {
			a := algebra.GramArgs{Stride: stride, Y: &wide[at+col], Vectors: vectors, Cols: min(algebra.TileCols, c.cols-col)}
			for row := 0; row < c.rows; row += algebra.TileRows {
				if row == whole { // fewer rows than a tile has are left
					c.addPlain(y[:vectors*c.rows], x[:vectors*c.cols], row, col, col+a.Cols)
					break
				}
				a.X = &wide[row]
				for r := range a.Sums {
					a.Sums[r] = &c.sums[(row+r)*c.cols+col]
				}
				c.set.Gram(&a)
			}
		}
		y, x = y[vectors*c.rows:], x[vectors*c.cols:]
	}
}

// addPlain adds to columns lo to hi−1 of the rows from the given one on, without vector
// instructions.
func (c *Cross) addPlain(y, x []float32, row, lo, hi int) {
	for ; len(x) > 0; y, x = y[c.rows:], x[c.cols:] {
		v := x[lo:hi]
		for i := row; i < c.rows; i++ {
			yi := float64(y[i])
			sums := c.sums[i*c.cols+lo : i*c.cols+hi]
			for j, xj := range v {
				sums[j] += yi * float64(xj) // the product is exact
			}
		}
	}
}

// finite reports whether all sums are finite. Sums can overflow.
func (c *Cross) finite() bool {
	for _, s := range c.sums {
		if math.IsNaN(s) || math.IsInf(s, 0) {
			return false
		}
	}
	return true
}
