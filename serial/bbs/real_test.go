package bbs

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/internal/safetensors"
)

// A tensor is a float32 matrix of a trained model.
type tensor struct {
	name       string
	rows, cols int
	data       []float32
}

// realTensors returns the matrices of a model, without embeddings: rows are the
// first dimension, columns the rest.
func realTensors(t testing.TB, path string) []tensor {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var ts []tensor
	for _, in := range f.Tensors() {
		shape := slices.DeleteFunc(slices.Clone(in.Shape), func(d int) bool { return d == 1 })
		if len(shape) != 2 || !in.DType.IsFloat() || strings.Contains(in.Name, "embed") {
			continue
		}
		w := make([]float32, shape[0]*shape[1])
		if err := f.ReadRows(w, in, 0, len(w)/in.Cols()); err != nil {
			t.Fatal(err)
		}
		ts = append(ts, tensor{in.Name, shape[0], shape[1], w})
	}
	if len(ts) == 0 {
		t.Fatalf("%s has no matrices", path)
	}
	return ts
}

// int8PerChannel quantizes each row symmetrically to INT8, as the weights that
// BBS starts from are.
func int8PerChannel(w []float32, cols int) (q []int8, scales []float32) {
	q = make([]int8, len(w))
	for r := range len(w) / cols {
		row := w[r*cols : (r+1)*cols]
		var m float64
		for _, v := range row {
			m = max(m, math.Abs(float64(v)))
		}
		scales = append(scales, float32(m/127))
		for i, v := range row {
			if m > 0 {
				q[r*cols+i] = int8(math.RoundToEven(float64(v) / m * 127))
			}
		}
	}
	return q, scales
}
