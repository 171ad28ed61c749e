package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/examples/internal/cli/clitest"
	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// TestDequantize goes from a model to a result, and from there to one that is
// like the model.
func TestDequantize(t *testing.T) {
	src := source(t)
	os.WriteFile(filepath.Join(src, "vocab.bpe"), []byte("a b"), 0o666)
	os.WriteFile(filepath.Join(src, "pytorch_model.bin"), nil, 0o666)
	q := filepath.Join(t.TempDir(), "q")
	out := program.Must(t, "-in", src, "-out", q, "-group", "32")
	for _, want := range []string{"copied beside it: vocab.bpe\n", "left out, other weights: pytorch_model.bin\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("quantize lacks %q:\n%s", want, out)
		}
	}
	dst := filepath.Join(t.TempDir(), "plain")
	out = program.Must(t, "dequantize", q, "-out", dst, "-dtype", "f16", "-shard-size", "1M")
	for _, want := range []string{"MB, of F16, but 25 vectors kept in BF16\n", "model.safetensors.index.json is written\n", "config.json is copied: without quantization_config, torch_dtype is float16\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("dequantize lacks %q:\n%s", want, out)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(dst, "config.json")); string(b) != `{"torch_dtype": "float16"}` {
		t.Errorf("config.json: %s", b)
	}
	if out = program.Must(t, "dequantize", q, "-out", dst, "-dtype", "f16", "-shard-size", "1M"); !strings.Contains(out, "was finished already") {
		t.Errorf("again:\n%s", out)
	}
	a, err := checkpoint.Open(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := checkpoint.Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, x := range a.Tensors() {
		if y, ok := b.Tensor(x.Name); !ok || y.Quantized || x.Elements() != y.Elements() {
			t.Errorf("%s: %v", x.Name, y)
		}
	}
	program.Errors(t, []clitest.Case{
		{"dequantize " + q, 2, "-out is missing"},
		{"dequantize", 2, "the checkpoint is missing"},
		{"dequantize " + q + " -out x -dtype f64", 2, "want bf16, f16 or f32"},
		{"dequantize " + q + " -out x.safetensors -shard-size 1M", 2, "is one file"},
		{"dequantize nowhere -out x", 1, "no such file"},
		{"dequantize " + q + " -out " + dst, 1, "it exists"},
	})
}

// TestLastRunCounts writes one result over another: files, then one file. Without
// -overwrite that is an error, and with it nothing of the first is left.
func TestLastRunCounts(t *testing.T) {
	src := source(t)
	dst := filepath.Join(t.TempDir(), "out")
	program.Must(t, "-in", src, "-out", dst, "-type", "bitmod3", "-shard-size", "300K")
	second := []string{"-in", src, "-out", dst, "-type", "bitmod4"}
	if code, _, errs := program.Invoke(t, second...); code != 1 || !strings.Contains(errs, "it exists") {
		t.Errorf("exit code %d, %s", code, errs)
	}
	program.Must(t, append(second, "-overwrite")...)
	if names := dirtest.Names(t, dst); strings.Join(names, " ") != "config.json model.safetensors" {
		t.Errorf("there are %v", names)
	}
	if out := program.Must(t, "verify", dst, "-original", src); strings.Contains(out, "bitmod3") {
		t.Errorf("verify\n%s", out)
	}
	if code, _, errs := program.Invoke(t, "-in", src, "-out", src, "-overwrite"); code != 1 || !strings.Contains(errs, "the directory of the source") {
		t.Errorf("the source as the target: exit code %d, %s", code, errs)
	}
}

// TestVerifyAnotherModel wants a short error for a model of the same names.
func TestVerifyAnotherModel(t *testing.T) {
	src := source(t)
	dst := filepath.Join(t.TempDir(), "out")
	program.Must(t, "-in", src, "-out", dst)
	other := filepath.Join(t.TempDir(), "model.safetensors")
	ws := transformer(12, 128, 344)
	generate(t, other, append(ws[1:], ws[0])) // the same numbers for other tensors
	code, _, errs := program.Invoke(t, "verify", dst, "-original", other)
	if code != 1 || !strings.Contains(errs, "it was not made from this original") || !strings.Contains(errs, `tensor "model.`) {
		t.Errorf("exit code %d, %s", code, errs)
	}
	if n := strings.Count(errs, "\n"); n > 24 {
		t.Errorf("%d lines:\n%s", n, errs)
	}
}
