// Llama shows a language model running on quantized weights: it continues a
// prompt, and says how fast and how large the weights are.
//
//	go run ./examples/llama -prompt "Once upon a time"
//	go run ./examples/llama -type bitmod3 -group 64 -temperature 0.8 -prompt "The king"
//	go run ./examples/llama -model DIR -kv bitmod4 -prompt "Once upon a time"
//	go run ./examples/llama -model RESULT -prompt "Once upon a time"
//	go run ./examples/llama -speed
//	go run ./examples/llama -speed -synthetic
//
// Without -model it takes the small model that the module carries. The weights of a
// model are quantized as they are read; those of a RESULT of examples/quantize are
// packed already, and used as they are. The same -seed gives the same text: compare
// what -type float32, bitmod4, bitmod3 and int3 make of it, and with -speed what they
// do to tokens a second.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"runtime"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/internal/llm"
)

func main() { cli.Main("llama", run) }

const usage = `usage: go run ./examples/llama [flags]

Continues a text with a language model on quantized weights.
`

// options are the command line.
type options struct {
	model, tokenizer, prompt string
	weights, cache           string
	group, cacheGroup        int
	all, exact               bool
	temperature, topP        float64
	seed                     uint64
	n, threads               int
	speed, synthetic, json   bool
	rounds, speedPrompt      int
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("llama", flag.ContinueOnError)
	flags.StringVar(&o.model, "model", "", "Hugging Face directory, GGUF `FILE`, result of examples/quantize, or llama2.c file; if empty, the model of this module")
	flags.StringVar(&o.tokenizer, "tokenizer", "", "`FILE` of llama2.c or tokenizer.json; if empty, the model's own")
	flags.StringVar(&o.prompt, "prompt", "", "`TEXT` to continue")
	flags.StringVar(&o.weights, "type", "", "data `TYPE` of the weights, or float32; if empty, what they are packed in, and bitmod4 if they are not")
	flags.IntVar(&o.group, "group", 0, "weights that share a scale; 0 is the type's own, or what they are packed in")
	flags.BoolVar(&o.all, "all", false, "quantize embedding and classifier, too")
	flags.BoolVar(&o.exact, "exact", false, "multiply weights by float32, not by 8-bit integers")
	flags.StringVar(&o.cache, "kv", "float32", "data `TYPE` of the key-value cache, or float32")
	flags.IntVar(&o.cacheGroup, "kvgroup", 0, "keys and values that share a scale; 0 is a head's")
	flags.Float64Var(&o.temperature, "temperature", 0.8, "0 takes the likeliest token, 1 samples as the model says")
	flags.Float64Var(&o.topP, "topp", 0.95, "sample among the likeliest tokens that together have this probability")
	flags.Uint64Var(&o.seed, "seed", 1, "of the sampling: the same seed gives the same text")
	flags.IntVar(&o.n, "n", 256, "number of tokens to generate at most")
	flags.IntVar(&o.threads, "threads", runtime.GOMAXPROCS(0), "goroutines to compute with")
	flags.BoolVar(&o.speed, "speed", false, "measure tokens/s with float32, 4-bit and 3-bit weights")
	flags.BoolVar(&o.synthetic, "synthetic", false, "with -speed: random weights in the shapes of Llama-3.2-1B (7 GB of memory)")
	flags.BoolVar(&o.json, "json", false, "with -speed: print a JSON array")
	flags.IntVar(&o.rounds, "rounds", 3, "with -speed: turns that all weights take, of which the medians are shown")
	flags.IntVar(&o.speedPrompt, "promptlen", 128, "with -speed: tokens of the prompt")
	if _, err := cli.Parse(flags, usage, args, stderr); err != nil {
		return nil, err
	}
	switch {
	case !(o.temperature >= 0):
		return nil, cli.Usagef("-temperature is %v, want 0 or more", o.temperature)
	case !(o.topP > 0 && o.topP <= 1):
		return nil, cli.Usagef("-topp is %v, want above 0, up to 1", o.topP)
	case o.n < 1:
		return nil, cli.Usagef("-n is %d, want 1 or more", o.n)
	case o.threads < 1:
		return nil, cli.Usagef("-threads is %d, want 1 or more", o.threads)
	case o.rounds < 1:
		return nil, cli.Usagef("-rounds is %d, want 1 or more", o.rounds)
	case o.speedPrompt < 2:
		return nil, cli.Usagef("-promptlen is %d, want 2 or more", o.speedPrompt)
	case o.synthetic && !o.speed:
		return nil, cli.Usagef("-synthetic has random weights, which make no text: it goes with -speed")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.weights != "" && o.weights != "float32" {
		if _, err := datatype.Parse(o.weights); err != nil {
			return cli.Usagef("-type: %w", err)
		}
	}
	kv, err := o.kv()
	if err != nil {
		return err
	}
	if o.speed {
		return speed(ctx, o, kv, stdout)
	}
	f, err := llm.OpenFile(o.model)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := o.choose(f)
	if err != nil {
		return err
	}
	tok, err := f.Tokenizer(o.tokenizer)
	if err != nil {
		return err
	}
	m, err := f.Load(w.options)
	if err != nil {
		return err
	}
	prompt, err := llm.Prompt(&m.Config, tok, o.prompt)
	if err != nil {
		return err
	}
	r := llm.NewRunner(m, o.threads)
	defer r.Close()
	g := llm.Generator{Runner: r, Sampler: llm.NewSampler(o.temperature, o.topP, o.seed), KV: kv}
	if _, err := io.WriteString(stdout, o.prompt); err != nil {
		return err
	}
	prev := prompt[len(prompt)-1]
	st, err := g.Run(ctx, prompt, o.n, func(token int) error {
		_, err := stdout.Write(printable(tok.Decode(prev, token)))
		prev = token
		return err
	})
	fmt.Fprintln(stdout)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "\n%s: %s of weights, %.2f bits each in the layers\n", w.name, cli.Size(m.Bytes()), m.BitsPerWeight())
	fmt.Fprintf(stderr, "%d tokens of prompt in %.0f ms; %d generated, %.1f tokens/s; key-value cache %s\n",
		st.Prompt, 1e3*st.PromptTime.Seconds(), st.Tokens, st.Speed(), cli.Size(st.CacheBytes))
	return context.Cause(ctx)
}

func (o *options) kv() (llm.KV, error) {
	if o.cache == "float32" {
		return llm.KV{}, nil
	}
	t, err := datatype.Parse(o.cache)
	if err != nil {
		return llm.KV{}, cli.Usagef("-kv: %w", err)
	}
	return llm.KV{Quantize: true, Type: t, GroupSize: o.cacheGroup}, nil
}

// printable removes what would make a terminal do other things than print. A part
// of a character stays: the rest comes with the next token.
func printable(b []byte) []byte {
	var out []byte
	for _, c := range b {
		if c >= ' ' && c != 0x7f || c == '\n' || c == '\t' {
			out = append(out, c)
		}
	}
	return out
}
