package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// preview prints a line for each tensor, in the order of the layers.
func preview(w io.Writer, items []checkpoint.Item, measured bool) error {
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b checkpoint.Item) int { return compareNames(a.From.Name, b.From.Name) })
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tab, "tensor\tshape\tfrom\tto\tgroup\tbits/weight\tbytes")
	if measured {
		fmt.Fprint(tab, "\tSQNR dB\tmax error")
	}
	fmt.Fprintln(tab, "\twhy")
	for _, it := range items {
		group := ""
		if it.To.Quantized && it.To.Parts == nil {
			group = fmt.Sprint(it.To.GroupSize)
		}
		fmt.Fprintf(tab, "%s\t%v\t%s\t%s\t%s\t%.3f\t%s", show(it.To.Name), it.To.Shape, show(it.From.DType), show(it.To.DType), group, bitsPerWeight(it.To), cli.Size(it.To.Bytes))
		if measured && it.To.Quantized {
			fmt.Fprintf(tab, "\t%.2f\t%.3g", it.Stats.SQNR(), it.Stats.MaxError)
		} else if measured {
			fmt.Fprint(tab, "\t\t")
		}
		fmt.Fprintf(tab, "\t%s\n", it.Reason)
	}
	return tab.Flush()
}

// bitsPerWeight returns the bits that an element of t takes.
func bitsPerWeight(t checkpoint.Tensor) float64 {
	return 8 * float64(t.Bytes) / float64(max(t.Elements(), 1))
}

// previewKinds prints a line for the quantized tensors of each kind. The names of a
// kind differ only in the layer.
func previewKinds(w io.Writer, items []checkpoint.Item) error {
	names, byKind := kinds(rowsOf(items))
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "tensors\tcount\tto\tbits/weight\tbytes\tSQNR dB\tleast, layer\tmax error")
	for _, name := range names {
		var rs []checkpoint.Item
		least := byKind[name][0]
		for _, r := range byKind[name] {
			rs = append(rs, r.Item)
			if r.Stats.SQNR() < least.Stats.SQNR() {
				least = r
			}
		}
		at := fmt.Sprintf("%.2f", least.Stats.SQNR())
		if least.Layer >= 0 {
			at += fmt.Sprintf(", %d", least.Layer)
		}
		s := sums(rs)
		fmt.Fprintf(tab, "%s\t%d\t%s\t%.3f\t%s\t%.2f\t%s\t%.3g\n", show(name), len(rs), usual(byKind[name]),
			8*float64(s.quantizedTo)/float64(max(s.weights, 1)), cli.Size(s.quantizedTo), s.stats.SQNR(), at, s.stats.MaxError)
	}
	return tab.Flush()
}

// totals are sums over tensors.
type totals struct {
	quantized, kept, skipped   int
	weights                    int64
	quantizedFrom, quantizedTo int64
	from, to                   int64
	stats                      checkpoint.Stats
}

func sums(items []checkpoint.Item) totals {
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

// zeroedGroups returns a phrase with the number of groups that became all 0, if there
// are any.
func zeroedGroups(s checkpoint.Stats) string {
	if s.Zeroed == 0 {
		return ""
	}
	return ", " + plural(int(s.Zeroed), "group", "groups") + " of small weights became all 0"
}
