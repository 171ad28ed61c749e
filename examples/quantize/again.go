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
		fmt.Fprintf(w, "%[3]d of the tensors to quantize have %[1]d bits or fewer in the source (%[2]s): quantizing them again costs quality, so take a source with more bits if there is one\n", few, strings.Join(types, ", "), n)
	}
}
