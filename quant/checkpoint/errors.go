package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/quant"
)

// Errors of this package match one of these, or [quant.ErrFormat],
// [quant.ErrShape] or [quant.ErrNotFinite], or those of package os, with
// [errors.Is]. A nil Context, Checkpoint or Plan is an os.ErrInvalid.
var (
	// ErrNoTensor is the error for a name that a checkpoint does not have.
	ErrNoTensor = errors.New("no such tensor")
	// ErrChecksum is the error for data that has changed since it was written. Such an
	// error also matches quant.ErrFormat.
	ErrChecksum = errors.New("checksum does not match")
	// ErrSkipped is the error of a strict plan for tensors that should be quantized but
	// cannot be.
	ErrSkipped = errors.New("tensors are skipped")
	// ErrTied is the error for rules that give two types to one table, which is both the
	// embedding and the output head.
	ErrTied = errors.New("the output head and the embedding are one table")
	// ErrUnsupported is the error for tensors whose type cannot be read.
	ErrUnsupported = errors.New("type is not supported")
	// ErrExists is the error for output that exists and was made with other settings or
	// from other weights.
	ErrExists = errors.New("it exists")
	// ErrOriginal is the error for a result that was made from other weights than the
	// original. Such an error also matches quant.ErrFormat.
	ErrOriginal = errors.New("it was not made from this original")
	// ErrIncomplete is the error for missing shards.
	ErrIncomplete = errors.New("shards are missing")
)

var (
	errNilContext    = fmt.Errorf("checkpoint: %w: a nil Context", os.ErrInvalid)
	errNilCheckpoint = fmt.Errorf("checkpoint: %w: a nil Checkpoint", os.ErrInvalid)
	errNilPlan       = fmt.Errorf("checkpoint: %w: a Plan that NewPlan did not make", os.ErrInvalid)
)

// notNil returns an error if one of its arguments is nil.
func notNil(ctx context.Context, c *Checkpoint) error {
	switch {
	case ctx == nil:
		return errNilContext
	case c == nil:
		return errNilCheckpoint
	}
	return nil
}

// A TensorError is an error about one tensor.
type TensorError struct {
	Tensor string
	Err    error
}

func (e *TensorError) Error() string {
	return fmt.Sprintf("checkpoint: tensor %s: %v", badfile.Quote(e.Tensor), e.Err)
}

// Unwrap returns e.Err.
func (e *TensorError) Unwrap() error { return e.Err }

func tensorError(name string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*TensorError](err); ok {
		return err
	}
	return &TensorError{Tensor: name, Err: err}
}

func badTensor(name, format string, args ...any) error {
	return &TensorError{Tensor: name, Err: fmt.Errorf("%w: %s", quant.ErrFormat, fmt.Sprintf(format, args...))}
}

// A typeError is an error about one tensor or, with a count, about all of its
// type.
type typeError struct {
	dtype   string
	problem string
	count   int
}

func (e typeError) Error() string {
	switch e.count {
	case 0:
		return fmt.Sprintf("it is of %s, which %s", e.dtype, e.problem)
	case 1:
		return fmt.Sprintf("1 tensor is of %s, which %s", e.dtype, e.problem)
	}
	return fmt.Sprintf("%d tensors are of %s, which %s", e.count, e.dtype, e.problem)
}

// Unwrap returns ErrUnsupported.
func (e typeError) Unwrap() error { return ErrUnsupported }

// byType replaces the errors of tensors whose type is the problem by one for each
// type, with the number of them.
func byType(path string, errs []error) []error {
	var rest []error
	var types []typeError
	counts := make(map[typeError]int)
	for _, err := range errs {
		e, ok := errors.AsType[typeError](err)
		if !ok {
			rest = append(rest, err)
			continue
		}
		if counts[e]++; counts[e] == 1 {
			types = append(types, e)
		}
	}
	for _, e := range types {
		e.count = counts[e]
		rest = append(rest, fmt.Errorf("checkpoint: %s%w", placeOf(path), e))
	}
	return rest
}
