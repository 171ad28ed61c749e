package accelerator

import (
	"errors"
	"fmt"
)

// ErrConfig is what every error of this package matches with errors.Is: a setting out
// of its range, which the message names.
var ErrConfig = errors.New("invalid configuration")

// A configError is for a setting out of its range.
type configError struct {
	field string // such as "Design.Rows"
	value any
	want  string
}

func (e *configError) Error() string {
	return fmt.Sprintf("accelerator: %s is %v, want %s", e.field, e.value, e.want)
}

// Unwrap returns [ErrConfig].
func (e *configError) Unwrap() error { return ErrConfig }
