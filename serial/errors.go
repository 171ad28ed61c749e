package serial

import (
	"errors"
	"fmt"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// Sentinels, for errors.Is. What this package returns wraps them in types that
// carry the place.
var (
	// ErrNotBitSerial: the values of a data type are no sums of powers of two,
	// or its scales are no 8-bit integers.
	ErrNotBitSerial = errors.New("not bit-serial")
	// ErrShape: lengths that do not go together. It is quant's, as is the
	// [*quant.ShapeError] that wraps it.
	ErrShape = quant.ErrShape
	// ErrCode: a code that stands for no value.
	ErrCode = errors.New("code out of range")
	// ErrTerm: terms that a processing element cannot take in one step.
	ErrTerm = errors.New("invalid term")
	// ErrConfig: a setting out of its range.
	ErrConfig = errors.New("invalid configuration")
)

// A TypeError says why a data type cannot be computed bit-serially. It wraps
// [ErrNotBitSerial].
type TypeError struct {
	Type datatype.Type
	Why  string
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("serial: %v is %v: %s", e.Type, ErrNotBitSerial, e.Why)
}

// Unwrap returns [ErrNotBitSerial].
func (e *TypeError) Unwrap() error { return ErrNotBitSerial }

func shapeError(what string, got int, format string, args ...any) error {
	return &quant.ShapeError{Package: "serial", What: what, Got: got, Want: fmt.Sprintf(format, args...)}
}

func configError(field string, value any, want string) error {
	return &ConfigError{Package: "serial", Field: field, Value: value, Want: want}
}

// A CodeError is a code with no value in its codebook. It wraps [ErrCode].
type CodeError struct {
	Codebook string
	Code     uint8
	Index    int // position among the codes that were given
}

func (e *CodeError) Error() string {
	return fmt.Sprintf("serial: code %d at index %d has no value in %s", e.Code, e.Index, e.Codebook)
}

// Unwrap returns [ErrCode].
func (e *CodeError) Unwrap() error { return ErrCode }

// A TermError is a term that a step cannot take. It wraps [ErrTerm].
type TermError struct {
	Lane int
	Term Term
	Why  string
}

func (e *TermError) Error() string {
	return fmt.Sprintf("serial: lane %d: term %+v: %s", e.Lane, e.Term, e.Why)
}

// Unwrap returns [ErrTerm].
func (e *TermError) Unwrap() error { return ErrTerm }

// A ConfigError is a setting out of its range. It wraps [ErrConfig].
type ConfigError struct {
	Package string // that found it: "serial" or "bbs"
	Field   string // such as "PE.Mode"
	Value   any
	Want    string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s: %s is %v, want %s", e.Package, e.Field, e.Value, e.Want)
}

// Unwrap returns [ErrConfig].
func (e *ConfigError) Unwrap() error { return ErrConfig }
