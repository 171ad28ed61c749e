package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/calibrate"
)

// options are the options beyond the paper, written as "+NAME" behind a type.
type options struct {
	search, importance, gptq, sequential, awq bool

	mixed float64 // bits of rows of several types, on average; 0 is one type
}

const (
	mixedPrefix  = "mixed"
	optionsGroup = 128
)

// defaultOptions are the rows with options of the whole table.
var defaultOptions = []string{
	"bitmod3+search", "bitmod3+search+importance", "bitmod3+awq", "bitmod3+gptq",
	"bitmod3+search+gptq", "bitmod3+all", "int3_asym+all",
	"bitmod4+search", "bitmod4+search+importance", "bitmod4+awq", "bitmod4+gptq",
	"bitmod4+search+gptq", "bitmod4+all", "int4_asym+all",
	"mixed3.5", "mixed3.5+search+gptq", "mixed4", "mixed4+search+gptq",
}

// calibrated reports whether they take text.
func (o *options) calibrated() bool {
	return o.importance || o.gptq || o.awq || o.mixed != 0
}

// flag returns the field for the name of an option, nil if there is none.
func (o *options) flag(name string) *bool {
	switch name {
	case "search":
		return &o.search
	case "importance":
		return &o.importance
	case "gptq":
		return &o.gptq
	case "sequential":
		return &o.sequential
	case "awq":
		return &o.awq
	}
	return nil
}

// parseOptions reads "search+gptq".
func parseOptions(list string) (o options, err error) {
	if list == "all" {
		return options{search: true, importance: true, gptq: true, sequential: true, awq: true}, nil
	}
	for name := range strings.SplitSeq(list, "+") {
		f := o.flag(name)
		switch {
		case f == nil:
			return o, fmt.Errorf("option %q, want search, importance, gptq, sequential, awq, or all alone", name)
		case *f:
			return o, fmt.Errorf("option %q is given twice", name)
		}
		*f = true
	}
	return o, nil
}

func parseBits(s string) (float64, error) {
	bits, err := strconv.ParseFloat(s, 64)
	if err != nil || !(bits > 0 && bits < 16) {
		return 0, fmt.Errorf("mixed rows of %q bits, want a number such as 3.5", s)
	}
	return bits, nil
}

func (v *variant) recipe() llm.Recipe {
	r := llm.Recipe{
		Quantizer: llm.Quantizer{
			Config:      quant.Config{Type: v.typ, GroupSize: v.group, Search: v.search},
			Activations: v.activations,
			Unpack:      v.activations == llm.Float32,
		},
		Importance: v.importance,
		Sequential: v.sequential,
		Channels:   v.awq,
		Bits:       v.mixed,
	}
	if v.gptq {
		r.Feedback = calibrate.GPTQ().Feedback
	}
	return r
}
