package checkpoint

import (
	"fmt"
	"slices"

	"github.com/bitmod-go/bitmod/internal/gguf"
	"github.com/bitmod-go/bitmod/internal/safetensors"
)

// A Section is the place of a stored tensor in a file.
type Section struct {
	// Name, DType and Shape are those in the file: "NAME.codes", say, for the codes of
	// the quantized tensor NAME.
	Name  string
	DType string
	Shape []int
	// File is the path of the file, one of [Checkpoint.Files]. The data are the Length
	// bytes from Offset on.
	File           string
	Offset, Length int64
}

// Sections returns the places of the bytes of a tensor, for programs that map or send
// them and then call quant.New. A tensor that is stored as it is has one section. A
// quantized tensor has several: codes, scales, row scales and selectors, and before
// these, for rows of several types, the order; FORMAT.md describes them. Weights with
// scales of their own also have several. The error matches [ErrNoTensor], or
// [ErrUnsupported] for a tensor whose rows have another order in the file.
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
