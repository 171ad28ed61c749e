package calibrate

import (
	"context"
	"testing"

	"github.com/bitmod-go/bitmod/internal/misuse"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

func TestMisuse(t *testing.T) {
	w := checkpoint.Weights{Cols: 8, Float: make([]float32, 8), Configs: []quant.Config{{}}}
	for name, c := range map[string]checkpoint.Calibrator{
		"static of nothing": NewStatic(nil, GPTQ()), "static": NewStatic(new(Statistics), Options{}),
		"sequential of nothing": NewSequential(nil, GPTQ()), "sequential": NewSequential(newChain(1), Options{}),
	} {
		c.Settings()
		c.Order("")
		if _, err := c.Quantize(t.Context(), checkpoint.Weights{}); err == nil {
			t.Errorf("%s: no error for no weights", name)
		}
		var none context.Context
		if _, err := c.Quantize(none, w); err == nil {
			t.Errorf("%s: no error for a nil context", name)
		}
		c.Resume(t.Context(), "", -1, nil)
	}
	s := &Statistics{Moments: true}
	if err := s.Add("x", 0, make([]float32, 8), 8); err != nil {
		t.Fatal(err)
	}
	misuse.Test(t, "quant/calibrate", map[string]any{
		"GPTQ":            GPTQ,
		"HuggingFaceName": HuggingFaceName,
		"Load":            Load,
		"NewSequential":   NewSequential,
		"NewStatic":       NewStatic,
		"Sample":          Sample,
		"TextSettings":    TextSettings,
	}, s, GPTQ(), Options{Importance: true}, []int{1, 2, 3}, [][]int{nil, {1}})
}
