// Perplexity measures the loss of a language model to data types: it quantizes the
// model's weights to one type after another, and compares each with the float32 weights
// on the same text.
//
//	go run ./examples/perplexity
//	go run ./examples/perplexity -types bitmod3,bitmod3+gptq,kv:bitmod4 -group 64
//	go run ./examples/perplexity -types all
//	go run ./examples/perplexity -model DIR -text FILE -tokens 30000 -json
//	go run ./examples/perplexity -model RESULT -reference DIR -text FILE
//	go run ./examples/perplexity -model DIR -text FILE -types bitmod4 -beside Q4_0.gguf,Q4_K_M.gguf
//	go run ./examples/perplexity -model DIR -text FILE -types bitmod3+all -calibrate OTHER
//
// Look at how much perplexity bitmod3 adds and how much other types of 3 bits do,
// beside the standard errors; KL divergence tells types apart on less text.
//
// Without -model it takes the small model of the module, and without -text a text that
// the float32 model writes. A RESULT of examples/quantize is evaluated as it is packed;
// -reference is the model that it was made from.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant"
)

func main() { cli.Main("perplexity", run) }

const usage = `usage: go run ./examples/perplexity [flags]

Compares a language model with quantized weights to the same with float32
weights, type by type:

  ppl    perplexity on the text
  +ppl   how much of it the quantization adds, from the same tokens' losses
  KL     Kullback-Leibler divergence from the float32 model's predictions, nats
  top-1  how often both models find the same token likeliest

each with its standard error, if the text has several windows. Quantized are the matrices of the layers; embedding
and classifier stay float32. "kv:TYPE" is float32 weights with a quantized
key-value cache, "a8:TYPE" and "a16:TYPE" quantized weights multiplied by activations of
8 and 16 bits.

"olive4" and "mxfp3" are what the paper compares with besides: OliVe's outlier-victim
pairs of 4 bits, and MX with elements of 3 bits in groups of 32.

"mixed3.5" gives rows of all layers 3, 4 or 8 bits (bitmod3, bitmod4, int8), 3.5 on
average with their scales. Behind a type, or behind mixed3.5, go options, such as
"bitmod3+search+gptq", which know more than the weights, from text that the float32
model writes (other than the text to predict), or from -calibrate:

  +search      looks for scales and special values with the least error
  +importance  weighs errors by the mean squares of a column's activations
  +gptq        makes up for errors in the columns that follow (GPTQ)
  +actorder    GPTQ in the order of falling activations
  +sequential  takes activations behind layers as quantized
  +awq         scales channels (AWQ)
  +all         all of these

A -model that is packed already, a result of examples/quantize, is one row: nothing
else is made of it. It is compared with the -reference, or else with itself, so that
only ppl tells something. -beside names other files of the same model, such as GGUF files
in llama.cpp's types, each of which is a row with the bits that it takes.
`

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("perplexity", flag.ContinueOnError)
	var (
		model     = flags.String("model", "", "Hugging Face directory, GGUF `FILE`, result of examples/quantize, or llama2.c file; if empty, the model of this module")
		reference = flags.String("reference", "", "`MODEL` to compare with; if empty, -model with float32 weights")
		tokenizer = flags.String("tokenizer", "", "`FILE` of llama2.c or tokenizer.json; if empty, the model's own")
		text      = flags.String("text", "", "`FILE` to predict; if empty, the float32 model writes one")
		tokens    = flags.Int("tokens", defaultTokens, "number `N` of tokens to predict; 0 is all of the text")
		window    = flags.Int("window", defaultWindow, "number `N` of tokens, at most, that are predicted from their own beginning")
		types     = flags.String("types", "", "`LIST` of types with commas, or all: those of 3 and 4 bits and many options; if empty, "+shortTable+", in groups of 128")
		group     = flags.Int("group", 0, "group size `N`; 0 is 32, 64 and 128. MX and NV types have their own")
		beside    = flags.String("beside", "", "`LIST` of other models, with commas, to compare with the reference, too")
		known     = flags.Int("calibration", 8192, "number `N` of tokens for types with options")
		calibrate = flags.String("calibrate", "", "`FILE` of text for types with options, other than -text; if empty, the float32 model writes it")
		asJSON    = flags.Bool("json", false, "write a JSON object per line")
	)
	if _, err := cli.Parse(flags, usage, args, stderr); err != nil {
		return err
	}
	if *tokens < 0 {
		return cli.Usagef("-tokens is %d, want 0 or more", *tokens)
	}
	if *window < 2 {
		return cli.Usagef("-window is %d, want 2 or more", *window)
	}
	if *known < 1 {
		return cli.Usagef("-calibration is %d, want 1 or more", *known)
	}
	if *tokens == 0 && *text == "" {
		return cli.Usagef("-tokens 0 is all of the -text, and there is none")
	}
	variants, err := parseVariants(*types, *group)
	if err != nil {
		return err
	}
	others, err := findOthers(*beside)
	if err != nil {
		return err
	}
	set, err := open(*model, *tokenizer, *reference)
	if err != nil {
		return err
	}
	if set.packed {
		if *types != "" || *group != 0 {
			return fmt.Errorf("the weights of %s are packed already: leave out -types and -group, or take the model that they were made from", *model)
		}
		variants = nil
	} else {
		variants = variants[1:] // without float32, which is among the rows of set
	}
	variants = append(set.rows, variants...)

	status := cli.NewStatus(stderr)
	defer status.Clear()
	blocks, err := readBlocks(ctx, set.reference, set.tokenizer, *text, *tokens, *window)
	if err != nil {
		return err
	}
	doing := "the reference"
	e, err := llm.NewEvaluator(ctx, set.reference, blocks, func(done, total int) {
		status.Show("%s: %d %%", doing, 100*done/total)
	})
	if err != nil {
		return err
	}
	calibration := llm.NewCalibration(ctx, set.model, nil)
	if slices.ContainsFunc(variants, func(v variant) bool { return v.calibrated() }) {
		status.Show("text to calibrate with")
		if calibration, err = newCalibration(ctx, set, *calibrate, *known); err != nil {
			return err
		}
	}
	var w rowWriter = &table{w: stdout}
	if *asJSON {
		w = &jsonLines{w: stdout}
	}
	show := func(r row, err error) error {
		if err != nil {
			return fmt.Errorf("%v: %w", r.name, err)
		}
		status.Clear()
		return w.write(r)
	}
	c := &set.model.Config
	for _, v := range distinct(variants, c.KVHeads*c.HeadDim) {
		doing = v.name
		status.Show("%s: quantizing", doing)
		r, err := v.measure(set.modelOf(v), e, calibration)
		if *types == allTypes && v.mixed != 0 && errors.Is(err, quant.ErrShape) {
			// The scales of narrow rows take more than the table counts.
			fmt.Fprintf(stderr, "perplexity: without %s: %v\n", v.name, err)
			continue
		}
		if err := show(r, err); err != nil {
			return err
		}
	}
	for _, path := range others {
		status.Show("reading %s", path)
		m, v, err := loadOther(path)
		if err != nil {
			return err
		}
		doing = v.name
		if err := show(v.measure(m, e, calibration)); err != nil {
			return err
		}
	}
	return nil
}
