// Package badfile opens checkpoint files for the packages that read them, and has the
// error for files that are not valid.
package badfile

import (
	"errors"
	"fmt"

	"github.com/bitmod-go/bitmod/internal/errs"
)

// An Error is an error in the contents of a file. It matches quant.ErrFormat.
type Error struct {
	Kind    string // of file: the name of the package that reads it
	Path    string // "" if the file has none
	Tensor  string // "" if the problem is not one tensor's
	Problem string
}

// New returns an error about a file that [At] will name.
func New(format string, args ...any) error {
	return &Error{Problem: fmt.Sprintf(format, args...)}
}

// Tensor returns an error about one tensor of a file that [At] will name.
func Tensor(name, format string, args ...any) error {
	return &Error{Tensor: name, Problem: fmt.Sprintf(format, args...)}
}

// At adds the kind of file and its path to err if it has none. An error of another type, from
// reading, is wrapped instead.
func At(kind, path string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		if e.Kind == "" {
			e.Kind, e.Path = kind, path
		}
		return err
	}
	return fmt.Errorf("%s: %sreading the header: %w", kind, prefix(path), err)
}

func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

func (e *Error) Error() string {
	s := e.Kind + ": " + prefix(e.Path)
	if e.Tensor != "" {
		s += "tensor " + Quote(e.Tensor) + ": "
	}
	return s + e.Problem
}

// Unwrap returns quant.ErrFormat.
func (e *Error) Unwrap() error { return errs.ErrFormat }

// Read wraps an error from reading a tensor with the place.
func Read(kind, path, tensor string, err error) error {
	return fmt.Errorf("%s: %stensor %s: %w", kind, prefix(path), Quote(tensor), err)
}

// Quote quotes a name and shortens it, so that a hostile file cannot fill a terminal.
func Quote(name string) string {
	const most = 200
	if len(name) > most {
		return fmt.Sprintf("%q… (%d bytes)", name[:most], len(name))
	}
	return fmt.Sprintf("%q", name)
}
