package encoder

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant"
)

// BenchmarkForward measures a batch of texts of 30 tokens in MiniLM, if BITMOD_MODELS
// names the folder that has it.
func BenchmarkForward(b *testing.B) {
	dir := os.Getenv("BITMOD_MODELS")
	if dir == "" {
		b.Skip("BITMOD_MODELS does not say where published models are")
	}
	for _, c := range []struct {
		name string
		o    Options
	}{
		{"float32", Options{}},
		{"int8", Options{Quantize: &quant.Config{Type: datatype.Int8}, Activations: llm.Int8}},
		{"bitmod4", Options{Quantize: &quant.Config{Type: datatype.BitMoD4}, Activations: llm.Int8}},
	} {
		_, m := load(b, filepath.Join(dir, "minilm"), c.o)
		var texts [][]int
		for i := range batchTokens / 30 {
			text := make([]int, 30)
			for j := range text {
				text[j] = (i*31 + j*7) % m.Config.Vocab
			}
			texts = append(texts, text)
		}
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("type=%s/threads=%d", c.name, threads), func(b *testing.B) {
				r := NewRunner(m, threads)
				defer r.Close()
				for b.Loop() {
					if err := r.Forward(texts...); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*len(texts))/b.Elapsed().Seconds(), "sentences/s")
			})
		}
	}
}
