package llm

import (
	"hash/fnv"
	"math/rand/v2"
)

// Llama1B has the shapes of Llama-3.2-1B, with a shorter context.
var Llama1B = Config{
	Dim: 2048, Hidden: 8192, Layers: 16, Heads: 32, KVHeads: 8, HeadDim: 64,
	Vocab: 128256, Context: 4096, NormEps: 1e-5,
	Rope: Rope{Theta: 500000},
}

// Synthetic returns a model of any shapes with random weights, the same for the
// same c, to measure speed and memory with. The classifier is the embedding.
func Synthetic(c Config, o Options) (*Model, error) { return build(c, synthetic{}, o) }

type synthetic struct{}

func (synthetic) tied() bool { return true }

func (synthetic) read(name tensorName, rows, cols int) ([]float32, error) {
	w := make([]float32, rows*cols)
	if rows == 1 { // of a norm
		for i := range w {
			w[i] = 1
		}
		return w, nil
	}
	h := fnv.New64()
	h.Write([]byte(name.String()))
	r := rand.NewPCG(1, h.Sum64())
	// The sum of four uniform numbers is near enough to normal, and fast. Its
	// standard deviation is √(4/12) here, made 0.02.
	const scale = 0.02 / 0.57735 / (1 << 16)
	for i := range w {
		u := r.Uint64()
		sum := int32(u&0xffff) + int32(u>>16&0xffff) + int32(u>>32&0xffff) + int32(u>>48)
		w[i] = float32(sum-2*0xffff) * scale
	}
	return w, nil
}
