package llm

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// SampleTexts returns count texts of length tokens, which the model writes at temperature
// 1. Each begins with the token that starts a text. Text i depends on the seed and i
// alone. A text goes on after a token that ends a text. Once ctx is done, the error is
// its cause.
func SampleTexts(ctx context.Context, m *Model, count, length int, seed uint64) ([][]int, error) {
	// This many texts at once fill a batch. Each goroutine has batches of its own.
	const together = 32
	texts := make([][]int, count)
	parts := slices.Collect(slices.Chunk(texts, together))
	errs := make([]error, len(parts))
	var (
		next atomic.Int64
		wait sync.WaitGroup
	)
	for range min(runtime.GOMAXPROCS(0), len(parts)) {
		wait.Go(func() {
			r := NewRunner(m, 1)
			defer r.Close()
			r.step = func() error { return ended(ctx) }
			for {
				i := int(next.Add(1)) - 1
				if i >= len(parts) {
					return
				}
				errs[i] = sampleTogether(r, parts[i], length, seed+uint64(i*together))
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// sampleTogether sets texts, of which the i-th is written with seed + i.
func sampleTogether(r *Runner, texts [][]int, length int, seed uint64) error {
	c := &r.model.Config
	chunks := make([]Chunk, len(texts))
	samplers := make([]*Sampler, len(texts))
	for i := range texts {
		s, err := r.model.NewSequence(KV{})
		if err != nil {
			return err
		}
		texts[i] = []int{c.BOS}
		chunks[i].Sequence = s
		samplers[i] = NewSampler(1, 0, seed+uint64(i))
	}
	logits := make([]float32, len(texts)*c.Vocab)
	for n := 1; n < length; n++ {
		for i, t := range texts {
			chunks[i].Tokens = t[n-1:]
		}
		if err := r.Forward(chunks...); err != nil {
			return err
		}
		if err := r.Logits(logits, 0, len(texts)); err != nil {
			return err
		}
		for i := range texts {
			texts[i] = append(texts[i], samplers[i].Sample(logits[i*c.Vocab:][:c.Vocab]))
		}
	}
	return nil
}
