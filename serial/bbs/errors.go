package bbs

import (
	"fmt"

	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/serial"
)

// Sentinels, for errors.Is. Errors that match ErrShape are a [*quant.ShapeError]
// for errors.As, those that match ErrConfig a [*serial.ConfigError].
var (
	// ErrShape is the error for lengths that do not fit together.
	ErrShape = quant.ErrShape
	// ErrConfig is the error for a setting out of its range.
	ErrConfig = serial.ErrConfig
)

// errEmpty is for a nil Matrix and the zero Matrix.
var errEmpty = shapeError("Matrix.Rows()", 0, "at least 1")

func shapeError(what string, got int, format string, args ...any) error {
	return &quant.ShapeError{Package: "bbs", What: what, Got: got, Want: fmt.Sprintf(format, args...)}
}

func configError(field string, value any, want string) error {
	return &serial.ConfigError{Package: "bbs", Field: field, Value: value, Want: want}
}
