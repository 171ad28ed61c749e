package main

import (
	"strings"
	"testing"
)

// TestAgain quantizes blocks of every type of GGUF, and says of which that is a
// loss.
func TestAgain(t *testing.T) {
	source := "../../internal/gguf/testdata/quants.gguf"
	const line = "5 bits or fewer"
	out := program.Must(t, "-in", source, "-dry-run", "-include", "*")
	want := "11 of the tensors to quantize have 5 bits or fewer in the source (Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, IQ4_NL, IQ4_XS, MXFP4)"
	if strings.Count(out, line) != 1 || !strings.Contains(out, want) {
		t.Errorf("want one line with %q:\n%s", want, out)
	}
	out = program.Must(t, "-in", source, "-dry-run", "-include", "re:^(Q8_0|Q6_K|BF16|F..)$")
	if strings.Contains(out, line) {
		t.Errorf("types of more bits:\n%s", out)
	}
	// Some of the blocks have infinite scales.
	status, _, errs := program.Invoke(t, "-in", source, "-dry-run", "-measure", "-include", "Q4_K")
	if status != 1 || !strings.Contains(errs, `tensor "Q4_K": quant: weight at row 15, column 0 is NaN`) {
		t.Errorf("exit status %d, %s", status, errs)
	}
}
