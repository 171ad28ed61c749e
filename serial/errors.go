package serial

import (
	"errors"
	"fmt"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// Errors of this package match one of these with errors.Is.
var (
	// ErrNotBitSerial is the error for a data type whose values are not sums of powers
	// of two, or whose scales are not 8-bit integers. It comes in a [*ConfigError].
	ErrNotBitSerial = errors.New("not bit-serial")
	// ErrShape is quant.ErrShape, for lengths that do not fit together. It comes in a
	// [*quant.ShapeError].
	ErrShape = quant.ErrShape
	// ErrConfig is the error for a setting, a code or a term out of range. It comes in
	// a [*ConfigError].
	ErrConfig = errors.New("out of range")
)

// A ConfigError names the setting that is out of range. It matches [ErrConfig], or
// [ErrNotBitSerial] for a data type.
type ConfigError struct {
	Package string // the package that found it: "serial" or "bbs"
	Field   string // such as "PE.Mode" or "codes[3]"
	Value   any
	Want    string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s: %s is %v, want %s", e.Package, e.Field, e.Value, e.Want)
}

// Unwrap returns [ErrConfig] or [ErrNotBitSerial].
func (e *ConfigError) Unwrap() error {
	if _, ok := e.Value.(datatype.Type); ok {
		return ErrNotBitSerial
	}
	return ErrConfig
}

func shapeError(what string, got int, format string, args ...any) error {
	return &quant.ShapeError{Package: "serial", What: what, Got: got, Want: fmt.Sprintf(format, args...)}
}

func configError(field string, value any, format string, args ...any) error {
	return &ConfigError{Package: "serial", Field: field, Value: value, Want: fmt.Sprintf(format, args...)}
}

// typeError returns an error for a type that is not bit-serial, with the reason.
func typeError(t datatype.Type, format string, args ...any) error {
	return configError("type", t, "a bit-serial one: "+format, args...)
}

func codeError(index int, code uint8, codebook string) error {
	return configError(fmt.Sprintf("codes[%d]", index), code, "a code that has a value in %s", codebook)
}
