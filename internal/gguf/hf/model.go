package hf

import (
	"errors"
	"slices"
	"sync"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/gguf"
)

// A Source is the contents of GGUF files.
type Source struct {
	// Pairs are the pairs of the header, with the types of gguf.File's Metadata. They
	// must not change.
	Pairs map[string]any
	// Tensors are the tensors of all files.
	Tensors []gguf.Tensor
	// Read reads all of a tensor.
	Read func(i int, dst []float32) error
}

// A Model is a Hugging Face model.
type Model struct {
	// Family is llama.cpp's name of the family, or "" for an unknown model, which has
	// no Tensors.
	Family string
	// Reason is why the model is not known.
	Reason string
	// Tensors are those of the model, in the order of the files.
	Tensors []Tensor
	// Files are config.json and others.
	Files *Files
}

// A Tensor is a tensor of the model.
type Tensor struct {
	Name  string
	Shape []int
	// From has the indices of the source tensors that it is made of, which are of one
	// type.
	From []int
	// View computes its elements from theirs.
	View View
}

// Convert finds the model in files. The error names an invalid key or tensor and
// matches quant.ErrFormat, or is an error of Read.
func Convert(s Source) (*Model, error) {
	m, err := convert(s)
	if e, ok := errors.AsType[*unsupported](err); ok {
		return &Model{Reason: e.reason, Files: unknownFiles(e.reason)}, nil
	}
	return m, err
}

func convert(s Source) (*Model, error) {
	k := keys{pairs: s.Pairs}
	arch, ok, err := get[string](k, "general.architecture")
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, unsupportedf("the file has no general.architecture")
	}
	k.arch = arch
	if kind, ok, err := get[string](k, "general.type"); err != nil {
		return nil, err
	} else if ok && kind != "model" {
		return nil, unsupportedf("general.type is %s, not a model", badfile.Quote(kind))
	}
	i := slices.IndexFunc(families, func(f family) bool {
		return f.arch == arch && (f.when == nil || f.when(k))
	})
	if i < 0 {
		return nil, unsupportedf("general.architecture is %s, which is not a known family", badfile.Quote(arch))
	}
	c := &conversion{keys: k, source: s, family: &families[i]}
	if err := c.run(); err != nil {
		return nil, err
	}
	return &Model{Family: arch, Tensors: c.tensors, Files: &Files{build: sync.OnceValue(c.files)}}, nil
}
