package llm

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// A GGUF file gives transformers' logits for its weights. A quantized result of it
// computes the same as the weights quantized in memory.
func TestGGUF(t *testing.T) {
	const path = "testdata/llama.gguf"
	data, err := os.ReadFile("testdata/llama.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Text   string
		IDs    []int
		Logits []float64
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	m, tok, err := Open(path, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := Prompt(&m.Config, tok, want.Text)
	if err != nil || !slices.Equal(ids, want.IDs) {
		t.Fatalf("%q is %d, error %v, want %d", want.Text, ids, err, want.IDs)
	}
	if !slices.Equal(m.Config.EOS, []int{2}) || m.Config.BOS != 1 {
		t.Errorf("configuration %+v", m.Config)
	}
	got := logits(t, m, ids, len(ids), 1, KV{})
	got = got[len(got)-len(want.Logits):]
	lo, hi, worst := math.Inf(1), math.Inf(-1), 0.0
	for i, w := range want.Logits {
		lo, hi = min(lo, w), max(hi, w)
		worst = max(worst, math.Abs(w-float64(got[i])))
	}
	if len(got) != m.Config.Vocab || worst > 1e-4*(hi-lo) {
		t.Errorf("%d logits differ from transformers' by up to %g, of a range of %g", len(got), worst, hi-lo)
	}

	config := quant.Config{Type: datatype.BitMoD4, GroupSize: 16}
	source, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	plan, err := checkpoint.NewPlan(source, checkpoint.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	result := filepath.Join(t.TempDir(), "result")
	if _, err := plan.Run(t.Context(), result, checkpoint.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	packed, packedTok, err := Open(result, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	inMemory, err := Load(path, Options{Maker: Quantizer{Config: config}.Make})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Prompt(&packed.Config, packedTok, want.Text); err != nil || !slices.Equal(again, ids) {
		t.Errorf("the result's tokenizer gives %d, error %v, want %d", again, err, ids)
	}
	a, b := logits(t, packed, ids, len(ids), 1, KV{}), logits(t, inMemory, ids, len(ids), 1, KV{})
	if !slices.Equal(a, b) || slices.Equal(a[len(a)-len(got):], got) {
		t.Errorf("logits of the result differ from those of weights quantized in memory by %g", maxDiff(a, b))
	}
}
