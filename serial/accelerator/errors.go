package accelerator

import (
	"errors"
	"fmt"
)

// ErrConfig is what every error of this package matches, with errors.Is: a
// setting out of its range.
var ErrConfig = errors.New("invalid configuration")

// A ConfigError is a setting out of its range. It wraps [ErrConfig].
type ConfigError struct {
	Field string // such as "Design.Rows"
	Value any
	Want  string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("accelerator: %s is %v, want %s", e.Field, e.Value, e.Want)
}

// Unwrap returns [ErrConfig].
func (e *ConfigError) Unwrap() error { return ErrConfig }
