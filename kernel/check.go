package kernel

import (
	"fmt"

	"github.com/bitmod-go/bitmod/quant"
)

// A shape is the shape of a matrix. A nil matrix has no rows.
type shape struct{ rows, cols int }

func shapeOf(m *quant.Matrix) shape {
	if m == nil {
		return shape{}
	}
	return shape{m.Rows(), m.Cols()}
}

// check checks the arguments of a product with one activation, whose result has
// room for n rows.
func check(n int, s shape, a *Activation) error {
	if s.rows == 0 {
		return shapeError("m.Rows()", 0, "at least 1; m is nil or empty")
	}
	if n != s.rows {
		return shapeError("len(dst)", n, "%d (rows)", s.rows)
	}
	if a == nil || a.n != s.cols {
		return activationError(s, a, "a")
	}
	return nil
}

// checkBatch is check for a batch.
func checkBatch(n int, s shape, as []Activation) error {
	if s.rows == 0 {
		return shapeError("m.Rows()", 0, "at least 1; m is nil or empty")
	}
	if n/s.rows != len(as) || n%s.rows != 0 {
		return shapeError("len(dst)", n, "%d (%d activations × %d rows)", len(as)*s.rows, len(as), s.rows)
	}
	for i := range as {
		if as[i].n != s.cols {
			return activationError(s, &as[i], fmt.Sprintf("as[%d]", i))
		}
	}
	return nil
}

// checkRange checks rows lo to hi−1 of rows.
func checkRange(lo, hi, rows int) error {
	if uint(hi) > uint(rows) {
		return shapeError("hi", hi, "0 to %d (rows)", rows)
	}
	if uint(lo) > uint(hi) {
		return shapeError("lo", lo, "0 to %d (hi)", hi)
	}
	return nil
}

// activationError is the error for an activation of the wrong length.
func activationError(s shape, a *Activation, name string) error {
	if a == nil || a.n == 0 {
		return shapeError("columns of "+name, 0, "%d; nothing is loaded", s.cols)
	}
	return shapeError("columns of "+name, a.n, "%d", s.cols)
}
