package llm

import (
	"os"
	"runtime"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// BenchmarkDecode measures a token after 32 others, in the embedded model and, with
// LLAMA_1B set, with random weights in the shapes of Llama-3.2-1B.
func BenchmarkDecode(b *testing.B) {
	models := map[string]func(o Options) (*Model, error){
		"embedded": func(o Options) (*Model, error) { return Load("", o) },
	}
	if os.Getenv("LLAMA_1B") != "" {
		models = map[string]func(o Options) (*Model, error){
			"1B": func(o Options) (*Model, error) { return Synthetic(Llama1B, o) },
		}
	}
	for name, load := range models {
		for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3} {
			m, err := load(Options{Maker: Quantizer{Config: quant.Config{Type: typ}, All: true, Activations: Int8}.Make})
			if err != nil {
				b.Fatal(err)
			}
			b.Run(name+"/"+typ.String(), func(b *testing.B) {
				r := NewRunner(m, runtime.GOMAXPROCS(0))
				defer r.Close()
				logits := make([]float32, m.Config.Vocab)
				text := make([]int, 32)
				var s *Sequence
				for b.Loop() {
					if s == nil || s.Len() == 128 {
						b.StopTimer()
						if s, err = m.NewSequence(KV{}); err != nil {
							b.Fatal(err)
						}
						if err := r.Forward(Chunk{s, text}); err != nil {
							b.Fatal(err)
						}
						b.StartTimer()
					}
					if err := r.Forward(Chunk{s, text[:1]}); err != nil {
						b.Fatal(err)
					}
					if err := r.Logits(logits, 0, 1); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
				weights := 0
				m.Each(func(p Place, l Linear) {
					if p.Kind != Embedding || m.Tied() {
						weights += l.Rows() * l.Cols()
					}
				})
				b.ReportMetric(float64(weights)*float64(b.N)/b.Elapsed().Seconds(), "weights/s")
			})
		}
	}
}
