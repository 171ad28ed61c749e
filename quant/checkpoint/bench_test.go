package checkpoint

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/bitmod-go/bitmod/quant"
)

// BenchmarkRun compares a plan with quantizing the same weights in memory.
func BenchmarkRun(b *testing.B) {
	const rows, cols = 1024, 4096
	c := openSource(b, random(rand.New(rand.NewPCG(1, 1)), "up.weight", "BF16", rows, cols))
	b.Run("to=file", func(b *testing.B) {
		p := plan(b, c, Options{})
		dst := filepath.Join(b.TempDir(), "q.safetensors")
		b.SetBytes(2 * rows * cols)
		for b.Loop() {
			if _, err := p.Run(context.Background(), dst, RunOptions{Overwrite: true}); err != nil {
				b.Fatal(err)
			}
			p.id += "x" // or it would be found finished
		}
	})
	b.Run("to=memory", func(b *testing.B) {
		w := floats(b, c, "up.weight")
		b.SetBytes(2 * rows * cols)
		for b.Loop() {
			if _, err := quant.Group(w, cols, quant.Config{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
