// Quantize shows the main job of the library on trained weights: rows of floats
// in, packed 3- and 4-bit matrices out, and what that costs in accuracy.
//
// Without arguments it quantizes the linear layers of a small language model that
// comes with it to one type after another and prints a table. With -in and -out
// it quantizes a safetensors file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

const usage = `usage: quantize [-types LIST] [-group N]
       quantize -in FILE.safetensors -out FILE [-type NAME] [-group N]

Without -in, quantize the linear layers of the embedded model to each type and
print what came of it. With -in, quantize the linear layers of a file, and copy
its other tensors.

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

type options struct {
	in, out string
	types   []datatype.Type
	config  quant.Config
}

// run returns the exit code: 0, 1 for a failure, 2 for wrong usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opt, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "quantize:", err)
		return 2
	}
	if opt.in == "" {
		err = compare(ctx, stdout, opt)
	} else {
		err = convert(ctx, stdout, opt)
	}
	if err != nil {
		fmt.Fprintln(stderr, "quantize:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	var opt options
	fs := flag.NewFlagSet("quantize", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprint(stderr, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&opt.in, "in", "", "safetensors `file` to quantize")
	fs.StringVar(&opt.out, "out", "", "safetensors `file` to write")
	types := fs.String("types", defaultTypes, "types to compare, a `list` with commas, or all")
	fs.TextVar(&opt.config.Type, "type", datatype.BitMoD4, "data `type` of -out")
	fs.IntVar(&opt.config.GroupSize, "group", 0, "`columns` that share a scale; 0 is the type's own, 128 for most")
	fs.IntVar(&opt.config.Workers, "workers", 0, "goroutines; 0 is one per processor")
	if err := fs.Parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			err = errors.New("see -h for the flags") // fs has printed what is wrong
		}
		return opt, err
	}
	if fs.NArg() > 0 {
		return opt, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if (opt.in == "") != (opt.out == "") {
		return opt, errors.New("-in and -out go together")
	}
	if *types == "all" {
		opt.types = datatype.Types()
		return opt, nil
	}
	for name := range strings.SplitSeq(*types, ",") {
		t, err := datatype.Parse(strings.TrimSpace(name))
		if err != nil {
			return opt, err
		}
		opt.types = append(opt.types, t)
	}
	return opt, nil
}
