package encoder

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestModels compares the vectors of MiniLM with those that an independent program
// computes in float64. BITMOD_MODELS names the folder of published models; without MiniLM
// there the test is skipped.
func TestModels(t *testing.T) {
	dir := os.Getenv("BITMOD_MODELS")
	if dir == "" {
		t.Skip("BITMOD_MODELS does not say where published models are")
	}
	data, err := os.ReadFile("testdata/minilm.json")
	if err != nil {
		t.Fatal(err)
	}
	var lines []struct{ Sentence, Vector string }
	if err := json.Unmarshal(data, &lines); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(filepath.Join(dir, "minilm"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	e := Embedder{}
	if e.Tokenizer, err = f.Tokenizer(); err != nil {
		t.Fatal(err)
	}
	if e.Pipeline, err = f.Pipeline(); err != nil {
		t.Fatal(err)
	}
	m, err := f.Load(Options{})
	if err != nil {
		t.Fatal(err)
	}
	e.Runner = NewRunner(m, 2)
	defer e.Runner.Close()
	var sentences []string
	for _, l := range lines {
		sentences = append(sentences, l.Sentence)
	}
	vectors, _, err := e.Embed(t.Context(), sentences, nil)
	if err != nil {
		t.Fatal(err)
	}
	least := 1.0
	for i, l := range lines {
		b, err := base64.StdEncoding.DecodeString(l.Vector)
		if err != nil || len(b) != 4*len(vectors[i]) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		want := make([]float32, len(vectors[i]))
		for j := range want {
			want[j] = math.Float32frombits(uint32(b[4*j]) | uint32(b[4*j+1])<<8 | uint32(b[4*j+2])<<16 | uint32(b[4*j+3])<<24)
		}
		c := Cosine(vectors[i], want)
		least = min(least, c)
		if !(c > 1-1e-9) {
			t.Errorf("%.30q: cosine %.12f", l.Sentence, c)
		}
	}
	t.Logf("%d sentences, the least cosine is 1 − %.1e", len(lines), 1-least)
}
