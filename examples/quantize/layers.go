package main

import "github.com/bitmod-go/bitmod/quant/checkpoint"

// linear reports whether t is the weight of a linear layer: a matrix of floats that is
// neither an embedding nor the output head, which models keep precise.
func linear(t checkpoint.Tensor) bool {
	return t.Role == checkpoint.RoleLinear && t.Float && len(t.Shape) == 2
}

// A layer is a tensor in memory.
type layer struct {
	name string
	w    []float32
	cols int
}

func load(c *checkpoint.Checkpoint, t checkpoint.Tensor) (layer, error) {
	l := layer{name: t.Name, cols: t.Shape[1], w: make([]float32, t.Shape[0]*t.Shape[1])}
	return l, c.ReadRows(l.w, t.Name, 0, t.Shape[0])
}
