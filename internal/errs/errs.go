// Package errs has the errors that package quant shares with the packages below it,
// which export them under names of their own.
package errs

import (
	"errors"
	"fmt"
)

// These are the sentinels of their names in package quant.
var (
	ErrShape     = errors.New("wrong shape")
	ErrNotFinite = errors.New("not a finite float32 number")
	ErrFormat    = errors.New("invalid format")
)

// A Weight is the error for a weight that is NaN, infinite or beyond float32. Package
// quant adds the row and returns a WeightError.
type Weight struct {
	Index int // of the weight in its group, or in what groups were given together
	Value float64
}

func (e *Weight) Error() string {
	return fmt.Sprintf("group: weight %d is %v, %v", e.Index, e.Value, ErrNotFinite)
}

// Unwrap returns ErrNotFinite.
func (e *Weight) Unwrap() error { return ErrNotFinite }
