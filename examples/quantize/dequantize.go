package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// dequantize is the command of that name.
func dequantize(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := newFlags()
	o := checkpoint.DequantizeOptions{Tool: "bitmod quantize dequantize"}
	out := fs.String("out", "", "`file` or directory to write")
	dtype := fs.String("dtype", "bf16", "`type` of the floats: bf16, f16 or f32")
	fs.BoolVar(&o.Overwrite, "overwrite", false, "replace files that were made with other settings or by other programs")
	fs.IntVar(&o.Workers, "workers", 0, "number of goroutines; 0 is one per processor")
	fs.Func("shard-size", "size of one file in `bytes`, such as 500M; 2G by default", func(s string) (err error) {
		o.ShardSize, err = parseSize(s)
		return err
	})
	paths, err := cli.Parse(fs, usage, args, stderr, "the checkpoint")
	if err != nil {
		return err
	}
	o.DType = strings.ToUpper(*dtype)
	switch {
	case *out == "":
		return cli.Usagef("-out is missing")
	case o.DType != "BF16" && o.DType != "F16" && o.DType != "F32":
		return cli.Usagef("-dtype is %q, want bf16, f16 or f32", *dtype)
	case o.ShardSize > 0 && strings.HasSuffix(*out, ".safetensors"):
		return cli.Usagef("%s is one file: -shard-size needs a directory", *out)
	}
	c, err := checkpoint.Open(paths[0])
	if err != nil {
		return err
	}
	defer c.Close()
	bar := newProgress(stderr)
	o.Progress = bar.update
	r, err := checkpoint.Dequantize(ctx, c, *out, o)
	bar.end()
	if err != nil {
		if ctx.Err() != nil {
			fmt.Fprintln(stderr, "files with final names are complete; run the same command again to continue after them")
		}
		return err
	}
	var bytes int64
	kept := make(map[string]int)
	for _, it := range r.Items {
		bytes += it.To.Bytes
		if it.To.DType != o.DType {
			kept[it.To.DType]++
		}
	}
	fmt.Fprintf(stdout, "%d tensors, %.1f MB, of %s", len(r.Items), float64(bytes)/1e6, o.DType)
	for _, t := range []string{"F64", "F32", "F16", "BF16"} { // vectors, which are not rounded
		if kept[t] > 0 {
			fmt.Fprintf(stdout, ", but %d vectors kept in %s", kept[t], t)
			delete(kept, t)
		}
	}
	others := 0
	for _, n := range kept {
		others += n
	}
	if others > 0 {
		fmt.Fprintf(stdout, ", and %s copied", plural(others, "tensor without floats", "tensors without floats"))
	}
	fmt.Fprintln(stdout)
	listFiles(stdout, r)
	listCompanions(stdout, *out, r)
	return nil
}
