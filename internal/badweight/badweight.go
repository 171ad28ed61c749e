// Package badweight has the error for a weight that can't be quantized, as the packages
// below quant give it: quant makes its own WeightError of it, with the row.
package badweight

import (
	"errors"
	"fmt"
)

// ErrNotFinite is what groups and matrices export under this name.
var ErrNotFinite = errors.New("not a finite float32 number")

// An Error is for a weight that is NaN, infinite or beyond float32.
type Error struct {
	Index int // of the weight in its group, or in what groups were given together
	Value float64
}

func (e *Error) Error() string {
	return fmt.Sprintf("group: weight %d is %v, %v", e.Index, e.Value, ErrNotFinite)
}

// Unwrap returns ErrNotFinite.
func (e *Error) Unwrap() error { return ErrNotFinite }
