// Perplexity measures what data types cost a language model. It quantizes the model's
// weights to one type after another, and compares each with the float32 weights on the
// same text.
//
//	go run ./examples/perplexity
//	go run ./examples/perplexity -types bitmod3,bitmod3+gptq,kv:bitmod4 -group 64
//	go run ./examples/perplexity -types all
//	go run ./examples/perplexity -model DIR -text FILE -tokens 30000 -json
//	go run ./examples/perplexity -model RESULT -reference DIR -text FILE
//	go run ./examples/perplexity -model DIR -text FILE -types bitmod4 -beside Q4_0.gguf,Q4_K_M.gguf
//	go run ./examples/perplexity -model DIR -text FILE -types bitmod3+all -calibrate OTHER
//
// Compare the perplexity that bitmod3 adds with that of other 3-bit types, and both with
// the standard errors. KL divergence needs less text to tell types apart.
//
// Without -model it runs the small model of this module, and without -text the float32
// model writes the text. A RESULT of examples/quantize is evaluated as it is; -reference
// is the model that it was made from.
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

Compares a language model with quantized weights to the same model with float32
weights, a row for each type:

  ppl    perplexity on the text
  +ppl   increase of the perplexity, from the losses of the same tokens
  KL     Kullback-Leibler divergence from the float32 model's predictions, in nats
  top-1  how often both models find the same token likeliest

If the text has several windows, each figure has its standard error. The matrices of the
layers are quantized; embedding and classifier stay float32. "kv:TYPE" has float32 weights
and a quantized key-value cache. "a8:TYPE" and "a16:TYPE" multiply quantized weights by
activations of 8 and 16 bits.

"olive4" and "mxfp3" are other formats that the paper compares with: OliVe's
outlier-victim pairs of 4 bits, and MX with elements of 3 bits in groups of 32.

"mixed3.5" gives the rows of all layers 3, 4 or 8 bits (bitmod3, bitmod4, int8), which are
3.5 on average with their scales. Options may follow a type or mixed3.5, as in
"bitmod3+search+gptq". Most options calibrate with the text of -calibrate, or else with a
text that the float32 model writes, which is never the text to predict:

  +search      searches for the scales and special values with the least error
  +importance  weights errors by the mean squares of a column's activations
  +gptq        makes up for errors in the columns that follow: GPTQ with the settings
               of examples/quantize -calibrate, but for what earlier layers have lost
  +sequential  calibrates each layer behind quantized layers
  +awq         scales channels (AWQ)
  +all         all of these

If -model is a result of examples/quantize, it is one row, and is not quantized again. It
is compared with -reference, or else with itself, and then only ppl is of interest.
-beside names other files of the same model, such as GGUF files in llama.cpp's types. Each
of them is a row with the bits that the file takes.
`

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("perplexity", flag.ContinueOnError)
	var (
		model     = flags.String("model", "", "Hugging Face directory, GGUF `FILE`, result of examples/quantize, or llama2.c file; if empty, this module's own model")
		reference = flags.String("reference", "", "`MODEL` to compare with; if empty, -model with float32 weights")
		tokenizer = flags.String("tokenizer", "", "`FILE` of llama2.c or tokenizer.json; if empty, the model's own")
		text      = flags.String("text", "", "`FILE` to predict; if empty, the float32 model writes one")
		tokens    = flags.Int("tokens", defaultTokens, "number `N` of tokens to predict; 0 is all of the text")
		window    = flags.Int("window", defaultWindow, "maximum number `N` of tokens in a window; the model reads each window from its beginning")
		types     = flags.String("types", "", "comma-separated `LIST` of types; all stands for the types of 3 and 4 bits and many options; if empty, "+shortTable+", in groups of 128")
		group     = flags.Int("group", 0, "group size `N`; 0 tries 32, 64 and 128; MX and NV types have their own")
		beside    = flags.String("beside", "", "comma-separated `LIST` of other models to compare with the reference")
		known     = flags.Int("calibration", 8192, "number `N` of tokens to calibrate with")
		calibrate = flags.String("calibrate", "", "`FILE` of text to calibrate with, not that of -text; if empty, the float32 model writes a text")
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
		return cli.Usagef("-tokens 0 is all of the text: it needs -text")
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
			return fmt.Errorf("the weights of %s are already packed: leave out -types and -group, or take the model that they were made from", *model)
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
			fmt.Fprintf(stderr, "perplexity: left out %s: %v\n", v.name, err)
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
