package checkpoint

import (
	"testing"

	"github.com/bitmod-go/bitmod/internal/misuse"
	"github.com/bitmod-go/bitmod/quant"
)

func TestMisuse(t *testing.T) {
	c := openSource(t, weight{"a.weight", "F32", []int{8, 8}, make([]byte, 256)})
	p, err := NewPlan(c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := quant.Group(make([]float32, 64), 8, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	closed := openSource(t, weight{"a.weight", "F32", []int{8, 8}, make([]byte, 256)})
	for range 2 {
		if err := closed.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	misuse.Test(t, "quant/checkpoint", map[string]any{
		"CopyCompanions": CopyCompanions,
		"Dequantize":     Dequantize,
		"Merge":          Merge,
		"New":            New,
		"NewPlan":        NewPlan,
		"Open":           Open,
		"OpenFS":         OpenFS,
		"OpenMapped":     OpenMapped,
		"Save":           Save,
		"Verify":         Verify,
	}, closed, p, m, []Entry{{Name: "m", Matrix: m}}, []Entry{{Name: "m", From: &Checkpoint{}}}, []Entry{{Name: "m", From: c}},
		Stats{Choices: []int64{1}}, c.Tensors()[0], Tensor{Quantized: true, DType: "F32", Shape: []int{-1}},
		Weights{Cols: 8, Float: make([]float32, 8), Configs: []quant.Config{{}}},
		Weights{Cols: -1, Of: []uint8{1}}, Item{})
}
