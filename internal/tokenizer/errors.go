package tokenizer

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/errs"
)

// errorf returns an error that matches quant.ErrFormat, for files that are wrong or
// that ask for something that we lack.
func errorf(format string, args ...any) error {
	return &formatError{fmt.Sprintf(format, args...)}
}

type formatError struct{ text string }

func (e *formatError) Error() string { return e.text }
func (e *formatError) Unwrap() error { return errs.ErrFormat }
