package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/examples/internal/cli/clitest"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// TestScale goes from a model to one with scales, and from there to a result.
func TestScale(t *testing.T) {
	model := filepath.Join("..", "..", "internal", "tinylm")
	scaled := filepath.Join(t.TempDir(), "scaled")
	flags := []string{"scale", model, "-out", scaled, "-type", "bitmod3", "-group", "32", "-calibrate", "default", "-nsamples", "2", "-length", "60", "-feedback"}
	out := program.Must(t, flags...)
	for _, want := range []string{
		"choosing scales with 2 texts of up to 60 tokens from the module's own text, and comparing them on 2 others\n",
		`layer 0: error of outputs: query, key and value \S+ dB, output \S+ dB, gate and up \S+ dB, down \S+ dB`,
		`\d+ tensors are changed, others copied`,
		`copied beside it: .*config.json`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	a, err := checkpoint.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := checkpoint.Open(scaled)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, x := range a.Tensors() {
		if y, ok := b.Tensor(x.Name); !ok || y.DType != x.DType && y.DType != "F32" || !slices.Equal(y.Shape, x.Shape) {
			t.Errorf("%+v became %+v", x, y)
		}
	}
	for _, args := range [][]string{nil, {"-calibrate", "default", "-nsamples", "2", "-length", "60"}} {
		dst := filepath.Join(t.TempDir(), "out")
		program.Must(t, append([]string{"-in", scaled, "-out", dst, "-type", "bitmod3", "-group", "32"}, args...)...)
	}
	program.Must(t, append(flags, "-overwrite", "-feedback=false")...)
	gguf := filepath.Join("..", "..", "internal", "llm", "testdata", "llama.gguf")
	fromGGUF := filepath.Join(t.TempDir(), "scaled")
	program.Must(t, "scale", gguf, "-out", fromGGUF, "-group", "32", "-calibrate", "default", "-nsamples", "2", "-length", "30")
	g, err := checkpoint.Open(fromGGUF)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if m := g.Metadata(); len(m) != 1 || m["format"] != "pt" {
		t.Errorf("metadata %v", m)
	}
	file := filepath.Join(t.TempDir(), "s.safetensors")
	program.Must(t, append(flags, "-out", file)...)
	if names, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); err != nil || len(names) > 0 {
		t.Errorf("left: %q, %v", names, err)
	}

	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("once upon a time"), 0o666); err != nil {
		t.Fatal(err)
	}
	encoder := filepath.Join("..", "..", "internal", "tinyembed")
	const rest = " -feedback -calibrate default"
	program.Errors(t, []clitest.Case{
		{"scale", 2, "the model is missing"},
		{"scale " + model + rest, 2, "-out is missing"},
		{"scale " + model + " -out x", 2, "-calibrate is missing"},
		{"scale " + model + " -out x -calibrate x.gguf", 2, "scales need a text"},
		{"scale " + model + " -out x -nsamples -1" + rest, 2, "-nsamples is -1"},
		{"scale nowhere -out x" + rest, 1, "no such file"},
		{"scale " + model + " -out " + model + rest, 1, "it is the model to scale"},
		{"scale " + model + " -out " + scaled + rest, 1, "-overwrite replaces it"},
		{"scale " + model + " -out x -feedback -calibrate " + short, 1, "want at least two"},
		{"scale " + encoder + " -out x" + rest, 1, "for language models only"},
		{"scale " + model + " -out x -group 3" + rest, 1, "GroupSize is 3"},
	})
	if _, err := os.Stat("x"); err == nil {
		t.Error("x is there")
	}
	if !strings.Contains(usage, "quantize scale ") {
		t.Error("the usage does not say it")
	}
}
