package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// causes is an error about many tensors with a line for each cause, with the first
// tensor and the number of others, as a wrong original is wrong in every tensor.
type causes struct {
	error
	all bool // a line for each tensor
}

func (c causes) Unwrap() error { return c.error }

func (c causes) Error() string {
	if c.all {
		return c.error.Error()
	}
	var order []string
	first := make(map[string]error)
	count := make(map[string]int)
	for _, err := range leaves(c.error) {
		cause := causeOf(err)
		if count[cause]++; count[cause] == 1 {
			order = append(order, cause)
			first[cause] = err
		}
	}
	const most = 20
	var b strings.Builder
	for i, cause := range order {
		if i == most {
			fmt.Fprintf(&b, "\nand for %d other causes", len(order)-most)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(first[cause].Error())
		if n := count[cause] - 1; n > 0 {
			fmt.Fprintf(&b, " (and %d more, which -v lists)", n)
		}
	}
	return b.String()
}

// leaves returns the errors that err joins.
func leaves(err error) []error {
	// An error that wraps several and has a text of its own counts as one. Only an
	// error that joins others has exactly their lines.
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || err.Error() != errors.Join(joined.Unwrap()...).Error() {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}

// A detail is a part of an error that differs between tensors: a number, or the start
// of a checksum.
var detail = regexp.MustCompile(`\b[0-9a-f]{16}\b|-?\d+(\.\d+)?`)

// causeOf returns the text of an error without its details and the tensor's name.
func causeOf(err error) string {
	if e, ok := errors.AsType[*checkpoint.TensorError](err); ok {
		err = e.Err
	}
	return detail.ReplaceAllString(err.Error(), "#")
}
