package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// preview prints a line for each quantized tensor, and the sums.
func preview(w io.Writer, items []checkpoint.ItemResult, measured bool) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tab, "tensor\tshape\tfrom\tto\tgroup\tbits/weight\tbytes")
	if measured {
		fmt.Fprint(tab, "\tSQNR dB\tmax error")
	}
	fmt.Fprintln(tab)
	sum := sums(items)
	for _, it := range items {
		if !it.To.Quantized {
			continue
		}
		fmt.Fprintf(tab, "%s\t%v\t%s\t%s\t%d\t%.3f\t%s", it.To.Name, it.To.Shape, it.From.DType, it.To.DType, it.To.GroupSize, it.BitsPerWeight(), cli.Size(it.To.Bytes))
		if measured {
			fmt.Fprintf(tab, "\t%.2f\t%.3g", it.Stats.SQNR(), it.Stats.MaxError)
		}
		fmt.Fprintln(tab)
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	if sum.quantized > 0 {
		fmt.Fprintf(w, "%d tensors quantized, %s to %s, %.3f bits a weight", sum.quantized, cli.Size(sum.quantizedFrom), cli.Size(sum.quantizedTo), 8*float64(sum.quantizedTo)/float64(sum.weights))
		if measured {
			fmt.Fprintf(w, ", SQNR %.2f dB", sum.stats.SQNR())
		}
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintf(w, "%d tensors kept, %d of them skipped; in all %s to %s\n", sum.kept, sum.skipped, cli.Size(sum.from), cli.Size(sum.to))
	return err
}

// totals are sums over tensors.
type totals struct {
	quantized, kept, skipped   int
	weights                    int64
	quantizedFrom, quantizedTo int64
	from, to                   int64
	stats                      checkpoint.Stats
}

func sums(items []checkpoint.ItemResult) totals {
	var t totals
	for _, it := range items {
		t.from += it.From.Bytes
		t.to += it.To.Bytes
		if !it.To.Quantized {
			t.kept++
			if it.Skipped {
				t.skipped++
			}
			continue
		}
		t.quantized++
		t.weights += it.To.Elements()
		t.quantizedFrom += it.From.Bytes
		t.quantizedTo += it.To.Bytes
		t.stats.Add(it.Stats)
	}
	return t
}
