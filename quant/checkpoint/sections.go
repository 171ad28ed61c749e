package checkpoint

import (
	"fmt"
	"slices"

	"github.com/bitmod-go/bitmod/internal/gguf"
	"github.com/bitmod-go/bitmod/internal/safetensors"
)

// A Section is where a file has a stored tensor.
type Section struct {
	// Name, DType and Shape are the file's own: "NAME.codes", say, for the codes of the
	// quantized tensor NAME.
	Name  string
	DType string
	Shape []int
	// File is its path, one of [Checkpoint.Files]; the Length bytes from Offset on are
	// the data.
	File           string
	Offset, Length int64
}

// Sections says where the bytes of a tensor are, for programs that map or send them
// themselves, together with package quant's New: one section for a tensor that is
// stored as it is, several for a quantized one (codes, scales, row scales, selectors,
// and before these, for rows of several types, the order; FORMAT.md says what is in
// them) and for weights that have scales of their own. The error matches [ErrNoTensor],
// or [ErrUnsupported] for a tensor whose rows the file has in another order.
func (c *Checkpoint) Sections(name string) ([]Section, error) {
	i, ok := c.find(name)
	if !ok {
		return nil, &TensorError{name, ErrNoTensor}
	}
	s, err := sectionsOf(c.data[i])
	return s, tensorError(name, err)
}

func sectionsOf(d any) ([]Section, error) {
	switch d := d.(type) {
	case plain:
		return []Section{section(d.f, d.t)}, nil
	case ggml:
		return []Section{ggmlSection(d.f, d.t)}, nil
	case *packed:
		var all []Section
		for _, t := range d.stored {
			all = append(all, section(d.f, t))
		}
		return all, nil
	case compound:
		var all []Section
		for _, part := range d.parts() {
			s, err := sectionsOf(part)
			if err != nil {
				return nil, err
			}
			all = append(all, s...)
		}
		return all, nil
	}
	return nil, fmt.Errorf("%w: its rows are in another order in the file", ErrUnsupported)
}

func section(f *safetensors.File, t safetensors.Tensor) Section {
	return Section{t.Name, string(t.DType), slices.Clone(t.Shape), f.Path(), t.Begin, t.Bytes()}
}

func ggmlSection(f *gguf.File, t gguf.Tensor) Section {
	return Section{t.Name, t.Type.String(), slices.Clone(t.Shape), f.Path(), t.Begin, t.Bytes()}
}
