package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant"
)

// A contender is one way to keep the weights of a model.
type contender struct {
	name             string
	model            *llm.Model
	prompt, generate []float64 // tokens per second, by round
}

// speed measures tokens per second of one model with float32 weights and with 4- and
// 3-bit weights, for reading a prompt and for generating token by token. All are in
// memory and take turns, so that a machine that slows down does so for all of them.
func speed(ctx context.Context, o *options, kv llm.KV, w io.Writer) error {
	list, err := contenders(o)
	if err != nil {
		return err
	}
	for range o.rounds {
		for i := range list {
			c := &list[i]
			st, err := measure(ctx, c.model, o, kv)
			if err != nil {
				return err
			}
			c.prompt = append(c.prompt, float64(st.Prompt)/st.PromptTime.Seconds())
			c.generate = append(c.generate, st.Speed())
		}
	}
	var lines []speedLine
	for _, c := range list {
		lines = append(lines, speedLine{c.name, c.model.BitsPerWeight(), c.model.Bytes(), cli.Median(c.prompt), cli.Median(c.generate)})
	}
	if o.json {
		return json.NewEncoder(w).Encode(lines)
	}
	fmt.Fprintf(w, "%d goroutines, tokens/s, medians of %d turns\n\n%-26s%6s%10s%10s%10s\n",
		o.threads, o.rounds, "weights", "bits", "memory", "prompt", "generate")
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "%-26s%6.2f%10s%10.1f%10.1f\n", l.Weights, l.Bits, cli.Size(l.Bytes), l.Prompt, l.Generate); err != nil {
			return err
		}
	}
	return nil
}

// A speedLine is the output for a contender. With -json it is printed as an object.
type speedLine struct {
	Weights          string
	Bits             float64 // per weight, in the layers
	Bytes            int
	Prompt, Generate float64 // tokens per second
}

// contenders makes all contenders of one model, which share common parts. A packed
// model is the only contender.
func contenders(o *options) ([]contender, error) {
	if o.synthetic {
		float, err := llm.Synthetic(llm.Llama1B, llm.Options{})
		if err != nil {
			return nil, err
		}
		return quantized(o, float)
	}
	f, err := o.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if len(f.Packed()) == 0 {
		float, err := f.Load(llm.Options{})
		if err != nil {
			return nil, err
		}
		return quantized(o, float)
	}
	w, err := o.choose(f)
	if err != nil {
		return nil, err
	}
	m, err := f.Load(w.options)
	return []contender{{name: w.name, model: m}}, err
}

// quantized returns the model itself and its quantized forms.
func quantized(o *options, float *llm.Model) ([]contender, error) {
	list := []contender{{name: "float32", model: float}}
	inLayers := func(p llm.Place) bool { return p.Layer >= 0 }
	outside := func(p llm.Place) bool { return p.Layer < 0 }
	for _, t := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3} {
		maker := llm.Quantizer{Config: quant.Config{Type: t, GroupSize: o.group}, All: true, Activations: o.activations}.Make
		m, err := float.ReplaceSome(inLayers, maker)
		if err != nil {
			return nil, err
		}
		all, err := m.ReplaceSome(outside, maker)
		if err != nil {
			return nil, err
		}
		list = append(list, contender{name: t.String(), model: m}, contender{name: t.String() + " and classifier", model: all})
	}
	return list, nil
}

func measure(ctx context.Context, m *llm.Model, o *options, kv llm.KV) (llm.Stats, error) {
	r := llm.NewRunner(m, o.threads)
	defer r.Close()
	prompt := make([]int, min(o.speedPrompt, m.Config.Context/2))
	for i := range prompt {
		prompt[i] = i * 7919 % m.Config.Vocab
	}
	g := llm.Generator{Runner: r, Sampler: llm.NewSampler(0, 1, 0), KV: kv, Endless: true}
	n := min(o.n, m.Config.Context-len(prompt))
	// A first short run touches all memory.
	if _, err := g.Run(ctx, prompt[:1], 2, func(int) error { return nil }); err != nil {
		return llm.Stats{}, err
	}
	st, err := g.Run(ctx, prompt, n, func(int) error { return nil })
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return st, err
}
