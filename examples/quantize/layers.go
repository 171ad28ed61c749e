package main

import (
	"fmt"
	"strings"

	"github.com/bitmod-go/bitmod/internal/safetensors"
)

// linear reports whether t is the weight of a linear layer: a matrix of floats
// that is neither an embedding nor the output head, which models keep precise.
func linear(t safetensors.Tensor) bool {
	return t.DType.IsFloat() && len(t.Shape) == 2 && t.Shape[0] > 0 && t.Shape[1] > 0 &&
		strings.HasSuffix(t.Name, ".weight") &&
		!strings.Contains(t.Name, "embed") && !strings.Contains(t.Name, "lm_head")
}

// A layer is a tensor in memory.
type layer struct {
	name string
	w    []float32
	cols int
}

func load(f *safetensors.File, t safetensors.Tensor) (layer, error) {
	l := layer{name: t.Name, cols: t.Shape[1], w: make([]float32, t.Shape[0]*t.Shape[1])}
	if err := f.ReadRows(l.w, t, 0, t.Shape[0]); err != nil {
		return layer{}, fmt.Errorf("reading %s: %w", t.Name, err)
	}
	return l, nil
}
