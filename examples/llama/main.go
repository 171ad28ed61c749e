// Llama runs a language model with quantized weights: it continues a prompt or chats, and
// prints the speed and the size of the weights.
//
//	go run ./examples/llama -prompt "Once upon a time"
//	go run ./examples/llama -type bitmod3 -group 64 -temperature 0.8 -prompt "The king"
//	go run ./examples/llama -model DIR -chat
//	go run ./examples/llama -model DIR -kv bitmod4 -prompt-file story.txt
//	go run ./examples/llama -model RESULT -prompt "Once upon a time"
//	go run ./examples/llama -speed
//	go run ./examples/llama -speed -synthetic
//
// Without -model it runs the small model of this module. It quantizes weights when it
// reads them; a RESULT of examples/quantize is packed already and used as it is. The same
// -seed gives the same text: compare the texts of -type float32, bitmod4, bitmod3 and
// int3, and with -speed their tokens a second.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/internal/llm"
)

func main() { cli.Main("llama", run) }

const usage = `usage: go run ./examples/llama [flags]

Continues a text with a language model that has quantized weights. With -chat it holds a
conversation: each line of standard input is a message, until the input ends or an
interrupt comes.

Models to try first, as a Hugging Face directory or a GGUF file: SmolLM2-135M-Instruct,
which internal/models/get downloads, then SmolLM3-3B, Qwen3-0.6B to 8B,
Llama-3.2-1B-Instruct, gemma-3-1b-it, Phi-4-mini-instruct, OLMo-2-0425-1B-Instruct and
gpt-oss-20b.

-temperature, -topp and -topk say how to sample. Their defaults are those of the model's
generation_config.json, if it has one.
`

// options are the command line.
type options struct {
	model, tokenizer       string
	prompt, promptFile     string
	chat                   bool
	system                 string
	mapped                 bool
	weights, cache         string
	group, cacheGroup      int
	all                    bool
	activations            llm.Activations
	temperature, topP      float64
	topK                   int
	given                  map[string]bool // flags of the command line
	seed                   uint64
	n, threads             int
	speed, synthetic, json bool
	rounds, speedPrompt    int
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("llama", flag.ContinueOnError)
	flags.StringVar(&o.model, "model", "", "Hugging Face directory, GGUF `FILE`, result of examples/quantize, or llama2.c file; if empty, this module's own model")
	flags.BoolVar(&o.mapped, "mapped", false, "map the file of a result of examples/quantize into memory, which takes less time than reading its matrices")
	flags.StringVar(&o.tokenizer, "tokenizer", "", "`FILE` of llama2.c or tokenizer.json; if empty, the model's own")
	flags.StringVar(&o.prompt, "prompt", "", "`TEXT` to continue")
	flags.StringVar(&o.promptFile, "prompt-file", "", "`FILE` with the text to continue; - is standard input")
	flags.BoolVar(&o.chat, "chat", false, "hold a conversation, with the model's chat template; -prompt is the first message")
	flags.StringVar(&o.system, "system", "", "with -chat: `TEXT` of the system message; if empty, that of the template")
	flags.StringVar(&o.weights, "type", "", "data `TYPE` of the weights, or float32; if empty, packed weights stay as they are, and others become bitmod4")
	flags.IntVar(&o.group, "group", 0, "number of weights that share a scale; 0 is the type's default, or that of packed weights")
	flags.BoolVar(&o.all, "all", false, "also quantize embedding and classifier")
	flags.TextVar(&o.activations, "activations", llm.Int8, "`FORM` of the activations that multiply packed weights: int8, int16 (which loses almost nothing) or float32")
	flags.StringVar(&o.cache, "kv", "float32", "data `TYPE` of the key-value cache, or float32")
	flags.IntVar(&o.cacheGroup, "kvgroup", 0, "number of keys or values that share a scale; 0 is the width of a head")
	flags.Float64Var(&o.temperature, "temperature", 0.8, "0 takes the likeliest token, 1 samples with the model's probabilities")
	flags.Float64Var(&o.topP, "topp", 0.95, "sample among the likeliest tokens that together have this probability")
	flags.IntVar(&o.topK, "topk", 0, "sample among this many of the likeliest tokens; 0 is all")
	flags.Uint64Var(&o.seed, "seed", 1, "seed for sampling; the same seed gives the same text")
	flags.IntVar(&o.n, "n", 256, "maximum number of tokens to generate, for each message of a chat")
	flags.IntVar(&o.threads, "threads", runtime.GOMAXPROCS(0), "number of goroutines")
	flags.BoolVar(&o.speed, "speed", false, "measure tokens/s with float32, 4-bit and 3-bit weights")
	flags.BoolVar(&o.synthetic, "synthetic", false, "with -speed: random weights in the shapes of Llama-3.2-1B (7 GB of memory)")
	flags.BoolVar(&o.json, "json", false, "with -speed: print a JSON array")
	flags.IntVar(&o.rounds, "rounds", 3, "with -speed: number of turns; results are medians")
	flags.IntVar(&o.speedPrompt, "promptlen", 128, "with -speed: number of tokens in the prompt")
	if _, err := cli.Parse(flags, usage, args, stderr); err != nil {
		return nil, err
	}
	o.given = map[string]bool{}
	flags.Visit(func(f *flag.Flag) { o.given[f.Name] = true })
	switch {
	case !(o.temperature >= 0):
		return nil, cli.Usagef("-temperature is %v, want 0 or more", o.temperature)
	case !(o.topP > 0 && o.topP <= 1):
		return nil, cli.Usagef("-topp is %v, want more than 0 and at most 1", o.topP)
	case o.topK < 0:
		return nil, cli.Usagef("-topk is %d, want 0 or more", o.topK)
	case o.given["prompt"] && o.given["prompt-file"]:
		return nil, cli.Usagef("use only one of -prompt and -prompt-file")
	case o.chat && o.promptFile == "-":
		return nil, cli.Usagef("-prompt-file - is standard input, from which -chat reads messages")
	case o.system != "" && !o.chat:
		return nil, cli.Usagef("-system needs -chat")
	case o.mapped && o.model == "":
		return nil, cli.Usagef("-mapped needs -model")
	case o.n < 1:
		return nil, cli.Usagef("-n is %d, want 1 or more", o.n)
	case o.threads < 1:
		return nil, cli.Usagef("-threads is %d, want 1 or more", o.threads)
	case o.rounds < 1:
		return nil, cli.Usagef("-rounds is %d, want 1 or more", o.rounds)
	case o.speedPrompt < 2:
		return nil, cli.Usagef("-promptlen is %d, want 2 or more", o.speedPrompt)
	case o.synthetic && !o.speed:
		return nil, cli.Usagef("-synthetic has random weights, which make no text: it needs -speed")
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
	f, err := o.open()
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
	var template *llm.Chat
	if o.chat {
		if template, err = f.Chat(); err != nil {
			return err
		}
	}
	if o.promptFile != "" {
		if o.prompt, err = readPrompt(o.promptFile); err != nil {
			return err
		}
	}
	start := time.Now()
	m, err := f.Load(w.options)
	if err != nil {
		return err
	}
	loading := time.Since(start)
	r := llm.NewRunner(m, o.threads)
	defer r.Close()
	s := session{
		options: o, tokenizer: tok, out: newTextWriter(stdout), stderr: stderr,
		generator: llm.Generator{Runner: r, Sampler: o.sampler(f.Sampling, stderr), KV: kv, Reuse: o.chat},
	}
	if o.chat {
		err = s.chat(ctx, template)
	} else {
		err = s.complete(ctx, m)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "\n%s: %s of weights, %.2f bits each in the layers, loaded in %.0f ms\n", w.name, cli.Size(m.Bytes()), m.BitsPerWeight(), 1e3*loading.Seconds())
	s.report()
	return context.Cause(ctx)
}

// open opens the model.
func (o *options) open() (*llm.File, error) {
	if o.mapped {
		return llm.OpenMapped(o.model)
	}
	return llm.OpenFile(o.model)
}

// maxPrompt is the largest prompt in bytes, far longer than any model reads.
const maxPrompt = 1 << 26

// readPrompt reads the text of a file, or of standard input.
func readPrompt(name string) (string, error) {
	file := os.Stdin
	if name != "-" {
		var err error
		if file, err = os.Open(name); err != nil {
			return "", err
		}
		defer file.Close()
	}
	data, err := io.ReadAll(io.LimitReader(file, maxPrompt+1))
	if err == nil && len(data) > maxPrompt {
		err = fmt.Errorf("%s: more than %s", name, cli.Size(maxPrompt))
	}
	return string(data), err
}

// sampler returns the sampler that the command line asks for. The defaults are those of
// the model's files.
func (o *options) sampler(s llm.Sampling, stderr io.Writer) *llm.Sampler {
	if s.Temperature != nil && !o.given["temperature"] {
		o.temperature = *s.Temperature
	}
	if s.TopP != nil && !o.given["topp"] {
		o.topP = *s.TopP
	}
	if s.TopK != nil && !o.given["topk"] {
		o.topK = *s.TopK
	}
	if len(s.Unused) > 0 {
		fmt.Fprintf(stderr, "not used: %s of generation_config.json\n", strings.Join(s.Unused, ", "))
	}
	sampler := llm.NewSampler(o.temperature, o.topP, o.seed)
	sampler.TopK = o.topK
	return sampler
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
