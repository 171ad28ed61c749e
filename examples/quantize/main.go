// Quantize turns the checkpoint of a model, safetensors or GGUF, into one of 2 to
// 8 bits a weight, a block of rows at a time, and verifies and inspects it.
//
// Without arguments it shows the main job of the library on trained weights: it
// quantizes the linear layers of a small language model that comes with it to
// one type after another and prints a table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage:
  quantize [-types LIST] [-group N]                 compare types on the embedded model
  quantize -in SOURCE -out RESULT [flags]           quantize a checkpoint
  quantize -in SOURCE -dry-run [-measure] [flags]   preview sizes, and errors
  quantize verify RESULT [-original SOURCE]         checksums, and errors
  quantize inspect CHECKPOINT [-json]               header and statistics
  quantize merge DIRECTORY                          put the parts of -shard together

SOURCE is a .safetensors file, a directory or index of several, or a .gguf file.
RESULT is a .safetensors file if its name says so, else a directory. PATTERN is a
run of components of a tensor's name (mlp.down_proj, layers.*.mlp), re:REGEXP, or
"linear", the default: weights of linear layers.
`

func main() {
	// The first signal stops the work and removes the unfinished file, the
	// second one ends the process as usual.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop()
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// errUsage is an error that has been printed, in the arguments.
var errUsage = errors.New("see -h for usage")

// run returns the exit code: 0, 1 for a failure, 2 for wrong usage, 130 for an
// interruption.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command := quantize
	if len(args) > 0 {
		switch args[0] {
		case "verify":
			command, args = verify, args[1:]
		case "inspect":
			command, args = inspect, args[1:]
		case "merge":
			command, args = merge, args[1:]
		}
	}
	err := command(ctx, args, stdout, stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, "quantize:", err)
		return 2
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		fmt.Fprintln(stderr, "quantize: interrupted; files with their final names are whole, and the same command goes on after them")
		return 130
	}
	fmt.Fprintln(stderr, "quantize:", err)
	return 1
}

// newFlags returns a set of flags that prints the usage.
func newFlags(stderr io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet("quantize", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprint(stderr, usage+"\nflags:\n")
		fs.PrintDefaults()
	}
	return fs
}

// parseFlags parses flags before and after n arguments, which it returns.
func parseFlags(fs *flag.FlagSet, args []string, n int, what string) ([]string, error) {
	var positional []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, errUsage // fs has printed what is wrong
		}
		if fs.NArg() == 0 {
			break
		}
		positional = append(positional, fs.Arg(0))
		args = fs.Args()[1:]
	}
	switch {
	case len(positional) > n:
		return nil, fmt.Errorf("unexpected argument %q; %w", positional[n], errUsage)
	case len(positional) < n:
		return nil, fmt.Errorf("%s is missing; %w", what, errUsage)
	}
	return positional, nil
}
