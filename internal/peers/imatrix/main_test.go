package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/internal/generaltext"
	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant/calibrate"
)

const model = "../../tinylm"

// TestRoundTrip reads a file with the reader that reads llama.cpp's own.
func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	text, out := filepath.Join(dir, "text"), filepath.Join(dir, "imatrix.gguf")
	if err := os.WriteFile(text, []byte(generaltext.Text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(model, text, 2, out); err != nil {
		t.Fatal(err)
	}
	s, err := calibrate.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	s.Rename(calibrate.HuggingFaceName)

	f, err := llm.OpenFile(model)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := f.Load(llm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n, want := len(s.Tensors()), 7*len(m.Layers)+1; n != want { // with the output head
		t.Errorf("%d tensors, want %d", n, want)
	}
	for _, name := range s.Tensors() {
		if strings.HasPrefix(name, "blk.") {
			t.Errorf("%s has no name of Hugging Face's", name)
		}
		a := s.Importance(name, 0)
		sum := 0.0
		for _, x := range a {
			sum += x
		}
		if cols := m.Config.Dim; len(a) < cols || !(sum > 0) {
			t.Errorf("%s: %d columns with a sum of %v", name, len(a), sum)
		}
	}
	// The inputs of the first layer are the same for queries, keys and values.
	const first = "model.layers.0.self_attn."
	for i, x := range s.Importance(first+"q_proj.weight", 0) {
		if y := s.Importance(first+"v_proj.weight", 0)[i]; x != y {
			t.Fatalf("column %d: %v for queries, %v for values", i, x, y)
		}
	}
}

func TestErrors(t *testing.T) {
	if err := run(model, "no such file", 2, filepath.Join(t.TempDir(), "out")); err == nil {
		t.Error("no text: no error")
	}
	if err := run("no such model", "main.go", 2, filepath.Join(t.TempDir(), "out")); err == nil {
		t.Error("no model: no error")
	}
}
