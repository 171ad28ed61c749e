package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/examples/internal/llama"
	"github.com/bitmod-go/bitmod/quant"
)

// speedPrompt is the number of tokens of the prompts that speed measures with.
const speedPrompt = 128

// speed measures tokens per second of one model with float32 weights and with
// 4- and 3-bit weights: reading a prompt, and generating token by token. One model
// is in memory at a time.
func speed(ctx context.Context, o *options, kv llama.KV, w io.Writer) error {
	load := func(maker llama.Maker) (*llama.Model, error) {
		if o.synthetic {
			return llama.Synthetic(llama.Llama1B, llama.Options{Maker: maker})
		}
		m, _, err := llama.Open(o.model, o.tokenizer, llama.Options{Maker: maker})
		return m, err
	}
	maker := func(t datatype.Type, all bool) llama.Maker {
		return llama.Quantizer{Config: quant.Config{Type: t, GroupSize: o.group}, All: all, Int8: !o.exact}.Make
	}
	fmt.Fprintf(w, "%d goroutines, tokens/s\n\n%-26s%6s%10s%10s%10s\n", o.threads, "weights", "bits", "memory", "prompt", "generate")
	for _, row := range []struct {
		name  string
		maker llama.Maker
	}{
		{"float32", llama.Float},
		{"bitmod4", maker(datatype.BitMoD4, false)},
		{"bitmod3", maker(datatype.BitMoD3, false)},
		{"bitmod4 and classifier", maker(datatype.BitMoD4, true)},
		{"bitmod3 and classifier", maker(datatype.BitMoD3, true)},
	} {
		debug.FreeOSMemory() // the model before, before the next
		m, err := load(row.maker)
		if err != nil {
			return err
		}
		st, err := measure(ctx, m, o, kv)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%-26s%6.2f%10s%10.1f%10.1f\n", row.name, m.BitsPerWeight(), size(m.Bytes()),
			float64(st.Prompt)/st.PromptTime.Seconds(), st.Speed()); err != nil {
			return err
		}
	}
	return nil
}

func measure(ctx context.Context, m *llama.Model, o *options, kv llama.KV) (llama.Stats, error) {
	r := llama.NewRunner(m, o.threads)
	defer r.Close()
	prompt := make([]int, min(speedPrompt, m.Config.Context/2)-1)
	for i := range prompt {
		prompt[i] = i * 7919 % m.Config.Vocab
	}
	g := llama.Generator{Runner: r, Sampler: llama.NewSampler(0, 1, 0), KV: kv, Endless: true}
	n := min(o.n, m.Config.Context-len(prompt)-1)
	// A first short run touches all memory.
	if _, err := g.Run(ctx, prompt[:1], 2, func(int) error { return nil }); err != nil {
		return llama.Stats{}, err
	}
	st, err := g.Run(ctx, prompt, n, func(int) error { return nil })
	if err == nil && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	return st, err
}
