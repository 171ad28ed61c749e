package quant

import (
	"fmt"
	"math"

	"github.com/bitmod-go/bitmod/internal/errs"
)

// Errors of this package match one of these with [errors.Is], and are a
// [*ShapeError], [*WeightError] or [*FormatError] for [errors.As]; besides, an
// error for an unknown type matches [datatype.ErrUnknown], and one for a
// canceled context its cause.
var (
	ErrShape     = errs.ErrShape
	ErrNotFinite = errs.ErrNotFinite
	ErrFormat    = errs.ErrFormat
)

// A ShapeError is the error for a length or size that doesn't fit.
type ShapeError struct {
	Package string // the package that found it, such as "quant"
	What    string // the quantity that is wrong, such as "len(dst)"
	Got     int
	Want    string // the values that are allowed, such as "8 (rows)"
}

func (e *ShapeError) Error() string {
	return fmt.Sprintf("%s: %s is %d, want %s", e.Package, e.What, e.Got, e.Want)
}

// Unwrap returns ErrShape.
func (e *ShapeError) Unwrap() error { return ErrShape }

func shapeError(what string, got int, format string, args ...any) error {
	return &ShapeError{Package: "quant", What: what, Got: got, Want: fmt.Sprintf(format, args...)}
}

// A WeightError is the error for a weight, or an importance, that is NaN,
// infinite or beyond float32.
type WeightError struct {
	Row, Col int
	Value    float64
}

func (e *WeightError) Error() string {
	what := fmt.Sprint(e.Value)
	if !math.IsNaN(e.Value) && !math.IsInf(e.Value, 0) {
		what += ", beyond the range of float32"
	}
	return fmt.Sprintf("quant: weight at row %d, column %d is %s", e.Row, e.Col, what)
}

// Unwrap returns ErrNotFinite.
func (e *WeightError) Unwrap() error { return ErrNotFinite }

// A FormatError is the error for bytes that do not encode a matrix.
type FormatError struct {
	Offset int64 // where the first byte that is wrong or missing is
	Reason string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("quant: byte %d: %s", e.Offset, e.Reason)
}

// Unwrap returns ErrFormat.
func (e *FormatError) Unwrap() error { return ErrFormat }
