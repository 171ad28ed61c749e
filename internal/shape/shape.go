// Package shape computes with the shapes of tensors. A shape is a list of dimensions,
// outermost first; that of a scalar is empty.
package shape

import (
	"math"
	"math/bits"
)

// Elements returns the product of the dimensions, 1 for a scalar.
func Elements(shape []int) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= int64(d)
	}
	return n
}

// Checked is Elements with a check. It returns false if the product of the nonzero
// dimensions exceeds an int; otherwise the dimensions can be multiplied in any order
// without overflow.
func Checked(shape []int) (int64, bool) {
	n, zero := uint64(1), false
	for _, d := range shape {
		if d == 0 {
			zero = true
			continue
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt {
			return 0, false
		}
		n = lo
	}
	if zero {
		n = 0
	}
	return int64(n), true
}

// Cols returns the last dimension, 1 for a scalar.
func Cols(shape []int) int {
	if len(shape) == 0 {
		return 1
	}
	return shape[len(shape)-1]
}

// Rows returns the product of all dimensions but the last: a tensor is a stack of
// rows of Cols elements.
func Rows(shape []int) int {
	if len(shape) == 0 {
		return 1
	}
	return int(Elements(shape[:len(shape)-1]))
}
