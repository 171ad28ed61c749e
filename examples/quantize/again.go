package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// warnAgain prints a line if tensors to be quantized have few bits already, as the
// errors add up.
func warnAgain(w io.Writer, items []checkpoint.Item) {
	const few = 5
	n := 0
	var types []string
	for _, it := range items {
		if bits := it.From.Bits(); !it.To.Quantized || it.From.Quantized || bits == 0 || bits > few {
			continue
		}
		n++
		if !slices.Contains(types, it.From.DType) {
			types = append(types, it.From.DType)
		}
	}
	if n > 0 {
		fmt.Fprintf(w, "the source has %d bits or fewer (%s) in %d of the tensors to quantize: quantizing again costs quality, so take a source with more bits if there is one\n", few, strings.Join(types, ", "), n)
	}
}
