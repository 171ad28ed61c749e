package encoder

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant"
)

// TestBatch checks that the result for a text does not depend on the texts beside it, nor
// on the number of goroutines: for float matrices, for packed matrices, and with vectors
// of 8 bits.
func TestBatch(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, dir := range fixtures(t) {
		for name, o := range map[string]Options{
			"float":  {},
			"packed": {Quantize: &quant.Config{Type: datatype.BitMoD4, GroupSize: 8}},
			"int8":   {Quantize: &quant.Config{Type: datatype.BitMoD3, GroupSize: 16}, Embeddings: &quant.Config{Type: datatype.Int8}, Activations: llm.Int8},
		} {
			_, m := load(t, dir, o)
			var texts [][]int
			var want [][]float32
			for range 12 {
				text := make([]int, 1+rnd.IntN(m.Config.MaxTokens()))
				for i := range text {
					text[i] = rnd.IntN(m.Config.Vocab)
				}
				texts = append(texts, text)
				want = append(want, run(t, m, 1, text)[0])
			}
			texts, want = append(texts, nil), append(want, nil) // a text may be empty
			for _, workers := range []int{1, 3} {
				got := run(t, m, workers, texts...)
				for i := range want {
					if !slices.Equal(got[i], want[i]) {
						t.Fatalf("%s, %s: text %d of %d tokens is another among others, with %d workers", dir, name, i, len(texts[i]), workers)
					}
				}
			}
		}
	}
}

func TestForwardErrors(t *testing.T) {
	_, m := load(t, "testdata/bert", Options{})
	r := NewRunner(m, 1)
	defer r.Close()
	for _, text := range [][]int{{-1}, {50}, make([]int, 41)} {
		if err := r.Forward([]int{1}, text); err == nil {
			t.Errorf("%d is no error", text)
		}
	}
	if err := r.Forward(); err != nil {
		t.Errorf("no text: %v", err)
	}
}
