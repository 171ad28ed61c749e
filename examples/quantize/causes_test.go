package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

func TestCauses(t *testing.T) {
	var errs []error
	for i := range 300 {
		name := fmt.Sprintf("layers.%d.w", i)
		errs = append(errs, &checkpoint.TensorError{Tensor: name, Err: fmt.Errorf("%w: %w: in %d of 9 rows (SQNR -%d.5 dB)", quant.ErrFormat, checkpoint.ErrOriginal, i, i)})
		if i%3 == 0 {
			errs = append(errs, &checkpoint.TensorError{Tensor: name, Err: fmt.Errorf("SHA-256 %016x… is wrong", uint64(i)*0x123456789)})
		}
	}
	bad := errors.Join(errors.Join(errs[:100]...), errors.Join(errs[100:]...), errors.New("alone"))
	got := causes{bad, false}
	want := errs[0].Error() + " (and 299 more, which -v lists)\n" + errs[1].Error() + " (and 99 more, which -v lists)\nalone"
	if got.Error() != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if all := (causes{bad, true}).Error(); strings.Count(all, "\n") != 400 {
		t.Errorf("all has %d lines", strings.Count(all, "\n"))
	}
	if !errors.Is(got, checkpoint.ErrOriginal) {
		t.Error("the cause is lost")
	}
	errs = nil
	for i := range 50 {
		errs = append(errs, errors.New(strings.Repeat("x", i)))
	}
	if got := (causes{errors.Join(errs...), false}).Error(); !strings.HasSuffix(got, "\nand for 30 other causes") {
		t.Errorf("many causes: %s", got)
	}
}
