package llm

import (
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// A quantized cache holds each token as if quantized by itself.
func TestQuantCache(t *testing.T) {
	c := &Config{KVHeads: 3, HeadDim: 10}
	x, _ := weights{seed: 1}.read(outerName("keys"), 7, c.kvDim())
	for _, typ := range datatype.Types() {
		kv := KV{Quantize: true, Type: typ}
		cache, err := kv.newCache(c)
		if typ.Scale() == datatype.E4M3 {
			if err == nil {
				t.Errorf("%v, which has one scale for all: no error", typ)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		want := make([]float32, len(x))
		for i := range 7 {
			row := x[i*c.kvDim():][:c.kvDim()]
			m, err := quant.Group(row, len(row), quant.Config{Type: typ, GroupSize: 10})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Dequantize(want[i*c.kvDim():][:c.kvDim()]); err != nil {
				t.Fatal(err)
			}
		}
		var got, scratch []float32
		for _, part := range [][2]int{{0, 3}, {3, 4}, {4, 7}} {
			if err := cache.append(x[part[0]*c.kvDim():part[1]*c.kvDim()], part[1]-part[0]); err != nil {
				t.Fatal(err)
			}
			if got, err = cache.floats(&scratch); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want[:part[1]*c.kvDim()]) {
				t.Errorf("%v: wrong after %d tokens", typ, part[1])
			}
		}
		bits, err := kv.Bits(c)
		if err != nil {
			t.Fatal(err)
		}
		if want := 8 * float64(cache.bytes()) / float64(len(x)); bits != want {
			t.Errorf("%v: %v bits, want %v", typ, bits, want)
		}
	}
}

func TestQuantCacheInModel(t *testing.T) {
	m := tiny(t, tinyConfig, weights{1, true})
	text := tokens(&m.Config, 30, 1)
	want := logits(t, m, text, 30, 1, KV{})
	d8 := maxDiff(logits(t, m, text, 30, 1, KV{Quantize: true, Type: datatype.Int8}), want)
	d3 := maxDiff(logits(t, m, text, 30, 1, KV{Quantize: true, Type: datatype.BitMoD3}), want)
	if d8 == 0 || d8 > 0.1 || d3 < d8 {
		t.Errorf("logits change by %g with 8 bits, %g with 3", d8, d3)
	}
}
