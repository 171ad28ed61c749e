package quant

import (
	"fmt"
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/internal/loops/algebra"
)

// Sums returns the contents of the Hessian as a new slice, for storage: the upper
// triangle of Σ x·xᵀ row by row, each row from the diagonal on, cols·(cols+1)/2
// elements.
func (h *Hessian) Sums() []float64 {
	if h == nil {
		return nil
	}
	return slices.Clone(h.sums)
}

// NewHessianOf returns the Hessian with the given [Hessian.Sums] over a number of
// vectors. It keeps sums. The error matches ErrShape if the length of sums does not fit
// cols. It matches ErrNotFinite and names the index if a sum is not finite, or if a sum
// on the diagonal is below 0.
func NewHessianOf(cols, vectors int, sums []float64) (*Hessian, error) {
	if cols < 1 || cols > maxHessianCols {
		return nil, shapeError("cols", cols, "1 to %d", maxHessianCols)
	}
	if vectors < 0 {
		return nil, shapeError("vectors", vectors, "at least 0")
	}
	if len(sums) != triangle(cols) {
		return nil, shapeError("len(sums)", len(sums), "%d (%d columns)", triangle(cols), cols)
	}
	diagonal, next := 0, cols
	for i, s := range sums {
		if math.IsNaN(s) || math.IsInf(s, 0) || i == diagonal && s < 0 {
			return nil, fmt.Errorf("quant: sum %d of a Hessian is %v: %w", i, s, ErrNotFinite)
		}
		if i == diagonal {
			diagonal += next
			next--
		}
	}
	return newHessian(cols, vectors, sums, algebra.Best()), nil
}
