package main

import (
	"fmt"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant"
)

// weights say how a model is loaded.
type weights struct {
	name    string
	options llm.Options
}

// choose returns the weights that -type, -group and -all ask for. Packed weights are
// never quantized again, which would silently add the errors of both.
func (o *options) choose(f *llm.File) (weights, error) {
	if packed := f.Packed(); len(packed) > 0 {
		return o.asPacked(packed, f.Embedding())
	}
	if o.mapped {
		return weights{}, fmt.Errorf("the weights are not packed: -mapped is for a result of examples/quantize")
	}
	if o.weights == "float32" {
		return weights{o.weights, llm.Options{}}, nil
	}
	t := datatype.BitMoD4
	if o.weights != "" {
		var err error
		if t, err = datatype.Parse(o.weights); err != nil {
			return weights{}, cli.Usagef("-type: %w", err)
		}
	}
	q := llm.Quantizer{Config: quant.Config{Type: t, GroupSize: o.group}, All: o.all, Activations: o.activations}
	// The embedding may be packed where the layers are not.
	return weights{t.String(), llm.Options{Maker: q.Make, Packed: q.Packed}}, nil
}

func (o *options) asPacked(packed []llm.Packing, embedding string) (weights, error) {
	var names []string
	other := o.all
	for _, p := range packed {
		names = append(names, p.String())
		other = other || o.weights != "" && o.weights != p.Type.String() || o.group != 0 && o.group != p.GroupSize
	}
	name := "packed as " + strings.Join(names, ", ")
	if other {
		return weights{}, fmt.Errorf("the weights are already %s: leave out -type, -group and -all, or take the model that they were made from", name)
	}
	return weights{name + ", embedding " + embedding, llm.Options{Packed: llm.Quantizer{Activations: o.activations}.Packed}}, nil
}
