package main

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/llm"
)

// models are what is evaluated and what it is compared with.
type models struct {
	model, reference *llm.Model
	tokenizer        llm.Tokenizer
	packed           bool      // the model's weights are
	rows             []variant // of the reference and of the model as they are
}

// open reads the model, and the reference if it is another.
func open(model, tokenizer, reference string) (*models, error) {
	var (
		s   models
		row variant
		err error
	)
	if s.model, row, s.tokenizer, err = load(model, tokenizer); err != nil {
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
		return nil, fmt.Errorf("-reference %s: the weights are packed, want those that they were made from", reference)
	}
	if s.reference, err = f.Load(llm.Options{}); err != nil {
		return nil, err
	}
	if !s.packed {
		row.name = modelRow
	}
	s.rows = []variant{{name: floatRow, float: true}, row}
	return &s, nil
}

const (
	floatRow = "float32"
	modelRow = "the model"
)

// load reads a model and its tokenizer. The row is for the model as it is.
func load(path, tokenizer string) (*llm.Model, variant, llm.Tokenizer, error) {
	row := variant{name: floatRow, float: true}
	f, err := llm.OpenFile(path)
	if err != nil {
		return nil, row, nil, err
	}
	defer f.Close()
	t, err := f.Tokenizer(tokenizer)
	if err != nil {
		return nil, row, nil, err
	}
	switch ps := f.Packed(); len(ps) {
	case 0:
	case 1:
		row = variant{name: ps[0].Type.String(), typ: ps[0].Type, group: ps[0].GroupSize, packed: true}
	default:
		row = variant{name: "packed", packed: true}
	}
	m, err := f.Load(llm.Options{Packed: llm.Quantizer{Unpack: true}.Packed})
	return m, row, t, err
}

// modelOf returns the model that a row is made of.
func (s *models) modelOf(v variant) *llm.Model {
	if v.name == floatRow {
		return s.reference
	}
	return s.model
}
