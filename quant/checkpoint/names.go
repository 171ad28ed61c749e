package checkpoint

import (
	"errors"
	"fmt"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/quant"
)

// checkNames returns an error for each name that two tensors of the result would
// have: a matrix is stored as four, whose names the source may have given to
// others.
func (p *Plan) checkNames() error {
	owner := make(map[string]string) // of the stored tensor of a name
	var errs []error
	for i := range p.items {
		it := &p.items[i]
		stored := []string{it.To.Name}
		if it.To.Quantized {
			for _, suffix := range []string{suffixCodes, suffixScales, suffixRowScales, suffixSpecial} {
				stored = append(stored, it.To.Name+suffix)
			}
		}
		for _, name := range stored {
			if other, ok := owner[name]; ok {
				whole, part := other, it.To.Name // the matrix, and what has the name of a part of it
				if whole == name {
					whole, part = part, whole
				}
				errs = append(errs, tensorError(part, fmt.Errorf("%w: tensor %s, once quantized, has a part called %s too: exclude one of them", quant.ErrFormat, badfile.Quote(whole), badfile.Quote(name))))
				continue
			}
			owner[name] = it.To.Name
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
