package safetensors

import (
	"errors"
	"fmt"
)

// ErrFormat is matched by the error for a file that is not valid.
var ErrFormat = errors.New("not a valid safetensors file")

// A FormatError says what is wrong with a file. It matches [ErrFormat].
type FormatError struct {
	Path    string // "" if the file has none
	Tensor  string // "" if the problem is not one tensor's
	Problem string
}

func (e *FormatError) Error() string {
	s := "safetensors: "
	if e.Path != "" {
		s += e.Path + ": "
	}
	if e.Tensor != "" {
		s += "tensor " + quote(e.Tensor) + ": "
	}
	return s + e.Problem
}

// Unwrap returns ErrFormat.
func (e *FormatError) Unwrap() error { return ErrFormat }

func bad(format string, args ...any) error {
	return &FormatError{Problem: fmt.Sprintf(format, args...)}
}

func badTensor(name, format string, args ...any) error {
	return &FormatError{Tensor: name, Problem: fmt.Sprintf(format, args...)}
}

// quote cuts what a hostile header could fill a terminal with.
func quote(name string) string {
	const most = 200
	if len(name) > most {
		return fmt.Sprintf("%q… (%d bytes)", name[:most], len(name))
	}
	return fmt.Sprintf("%q", name)
}
