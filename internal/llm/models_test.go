package llm

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// models returns a model's directory in BITMOD_MODELS, the directory of published models,
// and skips the test if there is none.
func models(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("BITMOD_MODELS")
	if dir == "" {
		t.Skip("BITMOD_MODELS does not name a directory of published models")
	}
	return filepath.Join(dir, name)
}

// A published model is read from its GGUF file and as a Hugging Face directory.
func TestModelsSmolLM2(t *testing.T) {
	var want []float32
	for _, name := range []string{"smollm2.gguf", "smollm2"} {
		m, tok, err := Open(models(t, name), "", Options{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := Prompt(&m.Config, tok, "The capital of France is")
		if err != nil || !slices.Equal(text, []int{504, 3575, 282, 4649, 314}) {
			t.Errorf("%s: tokens %d, error %v", name, text, err)
		}
		got := logits(t, m, text, len(text), 2, KV{})
		last := got[len(got)-m.Config.Vocab:]
		if next := string(tok.Decode(314, argmax(last))); next != " Paris" {
			t.Errorf("%s: the capital of France is %q", name, next)
		}
		if want == nil {
			want = got
		} else if !slices.Equal(got, want) {
			t.Errorf("%s: logits differ by %g", name, maxDiff(got, want))
		}
	}
}
