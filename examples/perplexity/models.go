package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bitmod-go/bitmod/internal/llm"
)

// models are the model that is evaluated and its reference.
type models struct {
	model, reference *llm.Model
	tokenizer        llm.Tokenizer
	packed           bool      // the model's weights are
	rows             []variant // of the reference and of the model as they are
}

// open reads the model, and the reference if it is another.
func open(model, tokenizer, reference string) (*models, error) {
	var (
		s      models
		row    variant
		stored float64
		err    error
	)
	if s.model, row, stored, s.tokenizer, err = load(model, tokenizer); err != nil {
		return nil, err
	}
	s.packed = row.packed
	if reference == "" {
		s.reference, s.rows = s.model, []variant{row}
		return &s, nil
	}
	f, err := llm.OpenFile(reference)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if len(f.Packed()) > 0 {
		return nil, fmt.Errorf("-reference %s: the weights are packed, want the model that they were made from", reference)
	}
	if s.reference, err = f.Load(llm.Options{}); err != nil {
		return nil, err
	}
	if !s.packed {
		row.name, row.stored = modelRow, stored
	}
	s.rows = []variant{{name: floatRow, float: true}, row}
	return &s, nil
}

const (
	floatRow = "float32"
	modelRow = "the model"
)

// load reads a model and its tokenizer. The row is for the model as it is, and stored
// is the number of bits a weight in the file.
func load(path, tokenizer string) (m *llm.Model, row variant, stored float64, t llm.Tokenizer, err error) {
	f, err := llm.OpenFile(path)
	if err != nil {
		return nil, row, 0, nil, err
	}
	defer f.Close()
	if t, err = f.Tokenizer(tokenizer); err != nil {
		return nil, row, 0, nil, err
	}
	m, row, err = loadWeights(f)
	stored, all := f.StoredBits()
	if row.packed {
		row.all = all
	}
	return m, row, stored, t, err
}

func loadWeights(f *llm.File) (*llm.Model, variant, error) {
	row := variant{name: floatRow, float: true}
	switch ps := f.Packed(); len(ps) {
	case 0:
	case 1:
		row = variant{name: ps[0].Type.String(), typ: ps[0].Type, group: ps[0].GroupSize, packed: true}
	default:
		row = variant{name: "packed", packed: true}
	}
	m, err := f.Load(llm.Options{Packed: llm.Quantizer{Unpack: true}.Packed})
	return m, row, err
}

// findOthers returns the models of a list, after checking that they can be opened.
func findOthers(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	paths := strings.Split(list, ",")
	for _, path := range paths {
		f, err := llm.OpenFile(path)
		if err != nil {
			return nil, fmt.Errorf("-beside: %w", err)
		}
		f.Close()
	}
	return paths, nil
}

// loadOther reads one of these models. Its row has the name of the file.
func loadOther(path string) (*llm.Model, variant, error) {
	f, err := llm.OpenFile(path)
	if err != nil {
		return nil, variant{}, err
	}
	defer f.Close()
	m, row, err := loadWeights(f)
	row.name = filepath.Base(path)
	stored, all := f.StoredBits()
	if row.all = all; !row.packed {
		row.stored = stored
	}
	return m, row, err
}

// modelOf returns the model that a row is made of.
func (s *models) modelOf(v variant) *llm.Model {
	if v.name == floatRow {
		return s.reference
	}
	return s.model
}
