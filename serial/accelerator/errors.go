package accelerator

import (
	"errors"
	"fmt"
)

// Every error of this package matches ErrConfig with errors.Is. The message names the
// setting that is out of range.
var ErrConfig = errors.New("invalid configuration")

// A configError is the error for a setting out of range.
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
