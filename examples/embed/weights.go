package main

import (
	"fmt"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/llm/encoder"
	"github.com/bitmod-go/bitmod/quant"
)

// weights say how a model is loaded.
type weights struct {
	name, embeddings string
	options          encoder.Options
}

// choose returns the weights that -type, -group and -embeddings ask for. Packed weights
// are never quantized again, which would silently add the errors of both.
func (o *options) choose(f *encoder.File) (weights, error) {
	w := weights{name: "weights as stored", embeddings: f.Embedding(), options: encoder.Options{Activations: o.activations}}
	if packed := f.Packed(); len(packed) > 0 {
		var names []string
		for _, p := range packed {
			names = append(names, p.String())
		}
		w.name = "packed as " + strings.Join(names, ", ")
		if o.weights != "" || o.group != 0 || o.embeddings != "" {
			return w, fmt.Errorf("the weights are already %s: leave out -type, -group and -embeddings, or take the model that they were made from", w.name)
		}
		return w, nil
	}
	if o.weights != "" {
		t, err := datatype.Parse(o.weights)
		if err != nil {
			return w, err
		}
		w.name = t.String()
		w.options.Quantize = &quant.Config{Type: t, GroupSize: o.group}
	}
	if o.embeddings != "" {
		t, err := datatype.Parse(o.embeddings)
		if err != nil {
			return w, err
		}
		w.embeddings = t.String()
		w.options.Embeddings = &quant.Config{Type: t}
	}
	return w, nil
}
