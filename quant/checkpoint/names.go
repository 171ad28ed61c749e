package checkpoint

import (
	"errors"
	"fmt"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/quant"
)

// checkNames returns an error for each name that two tensors of a result would have: a
// matrix is stored as four tensors, and the source may have other tensors with their
// names.
func checkNames(tensors []Tensor) error {
	owner := make(map[string]string) // of the stored tensor of a name
	var errs []error
	for _, t := range tensors {
		stored := []string{t.Name}
		if t.Quantized {
			parts, err := describe(t).stored(t.Name)
			if err != nil {
				errs = append(errs, err)
			}
			for _, p := range parts {
				stored = append(stored, p.Name)
			}
		}
		for _, name := range stored {
			other, ok := owner[name]
			if ok && other == t.Name {
				errs = append(errs, badTensor(t.Name, "the name occurs twice"))
				break
			}
			if ok {
				whole, part := other, t.Name // the matrix, and the tensor with the name of a part of it
				if whole == name {
					whole, part = part, whole
				}
				errs = append(errs, tensorError(part, fmt.Errorf("%w: tensor %s, once quantized, has a part called %s too: exclude one of them", quant.ErrFormat, badfile.Quote(whole), badfile.Quote(name))))
				continue
			}
			owner[name] = t.Name
		}
	}
	return joinLines(errs)
}

// joinLines joins errors, one a line, and leaves most of very many out.
func joinLines(errs []error) error {
	const most = 20
	if n := len(errs) - most; n > 0 {
		errs = append(errs[:most:most], &moreErrors{n})
	}
	return errors.Join(errs...)
}

type moreErrors struct{ n int }

func (e *moreErrors) Error() string { return fmt.Sprintf("checkpoint: %d more", e.n) }
