// Quantize quantizes the linear layers of a small trained language model to one type
// after another and prints a table. It also converts a model in safetensors or GGUF files
// to 2 to 8 bits a weight, with one block of rows in memory at a time. It verifies and
// inspects results, writes them as plain floats for other programs, and scales channels.
//
//	go run ./examples/quantize
//	go run ./examples/quantize -types bitmod3,int3_asym -group 64
//	go run ./examples/quantize -in MODEL -dry-run -measure
//	go run ./examples/quantize -in MODEL -out RESULT -type bitmod4 -report report.html
//	go run ./examples/quantize -in MODEL -out RESULT -embeddings int8 -kept bf16
//	go run ./examples/quantize -in MODEL -out RESULT -type bitmod3 -calibrate TEXT
//	go run ./examples/quantize -in MODEL -out RESULT -bits 3.5 -calibrate TEXT
//	go run ./examples/quantize verify RESULT -original MODEL
//	go run ./examples/quantize inspect RESULT
//	go run ./examples/quantize dequantize RESULT -out PLAIN -dtype bf16
//	go run ./examples/quantize scale MODEL -out SCALED -type bitmod3 -calibrate TEXT
//
// In the table, compare the SQNR of types with the same number of bits, and see how often
// groups choose each special value.
package main

import (
	"context"
	"flag"
	"io"
	"os"
	"runtime/debug"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
)

const usage = `usage:
  go run ./examples/quantize [-types LIST] [-group N]                 compare types on the embedded model
  go run ./examples/quantize -in SOURCE -out RESULT [flags]           quantize a checkpoint
  go run ./examples/quantize -in SOURCE -dry-run [-measure] [flags]   preview sizes, and errors
  go run ./examples/quantize verify RESULT [-original SOURCE]         checksums, and errors
  go run ./examples/quantize inspect CHECKPOINT [-json]               header and statistics
  go run ./examples/quantize dequantize CHECKPOINT -out PLAIN [-dtype bf16|f16|f32]   for other programs
  go run ./examples/quantize scale SOURCE -out SCALED -calibrate TEXT [-type T] [-group N]   AWQ's scales of channels
  go run ./examples/quantize merge DIRECTORY                          put the parts of -shard together

SOURCE is a .safetensors file, a directory or index of several, or a .gguf file.
RESULT and PLAIN are files if their names end in .safetensors. Otherwise they are
directories, which also get the other files of the model. PATTERN is a run of
components of a tensor's name (mlp.down_proj, layers.*.mlp), re:REGEXP, "embeddings",
"head", or "linear", the default: the weights of linear layers.

With -calibrate TEXT, the model reads some of the text, one matrix after another. GPTQ
quantizes each matrix by the inputs that it gets from the quantized matrices before it.
Scales are searched for, and the weights are first adjusted to make up for half of the
error in those inputs. This works for the families that examples/llama and examples/embed
run. It takes minutes, where the weights alone take seconds. A line for each layer shows
the error of its outputs.

With -bits, such as 3.5, every row gets a type of 3 to 8 bits, so that all quantized
tensors, the embedding and the head included, have that many bits a weight on average.
Rows whose errors change the predictions most get more bits: a backward pass over TEXT
finds them. Without a text, and for families without a backward pass in the engine, every
tensor gets bits by the size of its errors.

TEXT should be like what the model is used for; without such a text, -calibrate default
reads a text of several kinds. For models of any family, TEXT may also be a file of
statistics: an importance matrix of llama.cpp (.gguf), or what package quant/calibrate
saves (.safetensors).

An interrupted run continues after the last finished file of -shard-size.

scale writes a model that computes the same as SOURCE, but loses less when it is quantized
with the given -type and -group. It multiplies columns of matrices by AWQ's scales, in
float32, and divides the weights before them by the same scales: a norm, or the rows of
another matrix. It chooses the scales that make the errors of outputs smallest when the
weights alone choose the codes. Quantize SCALED with the same -type and -group, without
-calibrate: that needs scales of -feedback, which are compared on other texts and gave
nothing on SmolLM2-135M. This works for language models only.
`

func main() {
	// A run keeps a few megabytes. Collecting garbage whenever these have doubled takes a
	// sixth of its time.
	collect(400)
	cli.Main("quantize", run)
}

// collect lets the garbage in memory grow to a percentage of what is in use, unless GOGC
// says how far it may grow. Commands that keep a model in memory call it with 100.
func collect(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "verify":
			return verify(ctx, args[1:], stdout, stderr)
		case "inspect":
			return inspect(ctx, args[1:], stdout, stderr)
		case "dequantize":
			return dequantize(ctx, args[1:], stdout, stderr)
		case "scale":
			return scale(ctx, args[1:], stdout, stderr)
		case "merge":
			return merge(ctx, args[1:], stdout, stderr)
		}
	}
	return quantize(ctx, args, stdout, stderr)
}

func newFlags() *flag.FlagSet { return flag.NewFlagSet("quantize", flag.ContinueOnError) }
