package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// listForms prints the assumptions about quantized tensors, and the stored tensors that
// are not part of the model, a line for each reason.
func listForms(w io.Writer, c *checkpoint.Checkpoint, items []checkpoint.Item) {
	var assumed, left reasons
	for _, it := range items {
		if it.To.Quantized && it.Reason != "" {
			assumed.add(it.Reason, it.From.Name)
		}
	}
	out := c.LeftOut()
	for _, name := range slices.Sorted(maps.Keys(out)) {
		left.add(out[name], name)
	}
	assumed.print(w, "assumed about")
	left.print(w, "left out")
}

// reasons counts tensors by reason, in the order of the first of each.
type reasons []struct {
	reason, first string
	count         int
}

func (rs *reasons) add(reason, name string) {
	for i := range *rs {
		if r := &(*rs)[i]; r.reason == reason {
			r.count++
			return
		}
	}
	*rs = append(*rs, struct {
		reason, first string
		count         int
	}{reason, name, 1})
}

func (rs reasons) print(w io.Writer, verb string) {
	for _, r := range rs {
		more := ""
		if r.count > 1 {
			more = fmt.Sprintf(" and %d more", r.count-1)
		}
		fmt.Fprintf(w, "%s %q%s: %s\n", verb, r.first, more, r.reason)
	}
}
