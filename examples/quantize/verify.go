package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// verify is the command of that name.
func verify(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := newFlags()
	from := fs.String("original", "", "compare with the `checkpoint` that it was made from")
	verbose := fs.Bool("v", false, "print a line for every wrong tensor, instead of one for every cause")
	paths, err := cli.Parse(fs, usage, args, stderr, "the checkpoint")
	if err != nil {
		return err
	}
	c, err := checkpoint.Open(paths[0])
	if err != nil {
		return err
	}
	defer c.Close()
	var original *checkpoint.Checkpoint
	if *from != "" {
		if original, err = checkpoint.Open(*from); err != nil {
			return err
		}
		defer original.Close()
	}
	bar := newProgress(stderr)
	found, bad := checkpoint.Verify(ctx, c, original, bar.update)
	bar.end()
	if ctx.Err() != nil {
		return bad
	}
	var sum checkpoint.Stats
	if original != nil {
		tab := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tab, "tensor\tshape\ttype\tSQNR dB\tmax error")
		slices.SortStableFunc(found, func(a, b checkpoint.Verification) int { return compareNames(a.Name, b.Name) })
		for _, v := range found {
			if v.Quantized {
				fmt.Fprintf(tab, "%s\t%v\t%s\t%.2f\t%.3g\n", show(v.Name), v.Shape, v.DType, v.Stats.SQNR(), v.Stats.MaxError)
				sum.Add(v.Stats)
			}
		}
		if err := tab.Flush(); err != nil {
			return err
		}
	}
	if bad != nil {
		return fmt.Errorf("%s is wrong:\n%w", paths[0], causes{bad, *verbose})
	}
	bounded := 0
	fmt.Fprintf(stdout, "%s: %d tensors, all checksums, codes and scales are right", paths[0], len(found))
	if original != nil {
		fmt.Fprintf(stdout, "; SQNR %.2f dB%s, kept tensors equal the original's", sum.SQNR(), zeroedGroups(sum))
		rounded := 0
		for _, v := range found {
			if v.Rounded {
				rounded++
			}
			if v.Bounded {
				bounded++
			}
		}
		if rounded > 0 {
			fmt.Fprintf(stdout, ", %d of them after rounding", rounded)
		}
	}
	fmt.Fprintln(stdout)
	if bounded > 0 {
		fmt.Fprintf(stdout, "%s calibrated: the original alone does not determine the codes, so only the errors were checked; they are as small as calibration leaves them\n", plural(bounded, "tensor is", "tensors are"))
	}
	return nil
}
