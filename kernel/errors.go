package kernel

import (
	"errors"
	"fmt"

	"github.com/bitmod-go/bitmod/quant"
)

// Errors of this package match one of these with [errors.Is]. Those that match
// ErrShape are a [*quant.ShapeError] for [errors.As], and those that match
// ErrNotFinite an [*ActivationError].
var (
	ErrShape     = quant.ErrShape
	ErrNotFinite = quant.ErrNotFinite
	ErrClosed    = errors.New("kernel: pool is closed")
)

// An ActivationError is the error for an activation that is NaN or infinite.
type ActivationError struct {
	Vector int // the vector of a batch that it is in; 0 otherwise
	Index  int
	Value  float32
	batch  bool
}

func (e *ActivationError) Error() string {
	if e.batch {
		return fmt.Sprintf("kernel: activation %d of vector %d is %v", e.Index, e.Vector, e.Value)
	}
	return fmt.Sprintf("kernel: activation %d is %v", e.Index, e.Value)
}

// Unwrap returns ErrNotFinite.
func (e *ActivationError) Unwrap() error { return ErrNotFinite }

func shapeError(what string, got int, format string, args ...any) error {
	return &quant.ShapeError{Package: "kernel", What: what, Got: got, Want: fmt.Sprintf(format, args...)}
}
