package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// TestListForms checks the lines on tensors left out of an 8-bit model, and on
// assumptions about experts.
func TestListForms(t *testing.T) {
	c, err := checkpoint.Open("../../quant/checkpoint/testdata/forms/fp8_tensor.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	experts := func(name string) checkpoint.Item {
		return checkpoint.Item{From: checkpoint.Tensor{Name: name}, To: checkpoint.Tensor{Name: name, Quantized: true}, Reason: "for a reason"}
	}
	var out bytes.Buffer
	listForms(&out, c, []checkpoint.Item{experts("a\x1b[2J"), experts("b"), {Reason: "kept"}})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || lines[0] != `assumed about "a\x1b[2J" and 1 more: for a reason` ||
		!strings.HasPrefix(lines[1], `left out "attn.k_scale" and 1 more: `) || !strings.HasPrefix(lines[2], `left out "l0.input_scale" and 2 more: `) {
		t.Errorf("%q", lines)
	}
}
