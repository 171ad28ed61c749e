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

// familyModels returns the directories of testdata/families, which families.py makes.
func familyModels(tb testing.TB) []string {
	dirs, err := filepath.Glob("testdata/families/*/config.json")
	if err != nil || len(dirs) < 19 {
		tb.Fatalf("%d models, %v", len(dirs), err)
	}
	for i := range dirs {
		dirs[i] = filepath.Dir(dirs[i])
	}
	return dirs
}

// A judged is a text with transformers' logits after every token.
type judged struct {
	IDs    []int
	Logits [][]float64
}

func readJudged(tb testing.TB, dir string) []judged {
	data, err := os.ReadFile(filepath.Join(dir, "logits.json"))
	var js []judged
	if err == nil {
		err = json.Unmarshal(data, &js)
	}
	if err != nil || len(js) == 0 {
		tb.Fatalf("%d texts, %v", len(js), err)
	}
	return js
}

// worst returns the largest difference of logits, relative to their range.
func (j judged) worst(got []float32) float64 {
	want := slices.Concat(j.Logits...)
	if len(got) != len(want) {
		return math.Inf(1)
	}
	d := 0.0
	for i, w := range want {
		d = max(d, math.Abs(w-float64(got[i])))
	}
	return d / (slices.Max(want) - slices.Min(want))
}

// TestFamilies compares logits with transformers', of texts in one piece and token by
// token.
func TestFamilies(t *testing.T) {
	for _, dir := range familyModels(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			m, err := Load(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			worst := 0.0
			for _, j := range readJudged(t, dir) {
				kv := KV{Length: len(j.IDs)}
				got := logits(t, m, j.IDs, len(j.IDs), 1, kv)
				worst = max(worst, j.worst(got))
				for _, chunk := range []int{1, 5, 17} {
					if again := logits(t, m, j.IDs, chunk, 2, kv); !slices.Equal(again, got) {
						t.Errorf("%d tokens: %d at a time differ by %g from all at once", len(j.IDs), chunk, maxDiff(again, got))
					}
				}
			}
			t.Logf("logits differ by %.1e of their range", worst)
			if !(worst < 1e-4) {
				t.Errorf("logits differ from transformers' by %g of their range", worst)
			}
		})
	}
}

// TestFamiliesQuantized checks that a quantized model computes the same as its weights
// quantized in memory.
func TestFamiliesQuantized(t *testing.T) {
	for _, dir := range familyModels(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			config := quant.Config{Type: datatype.BitMoD4, GroupSize: 8}
			result := quantizeDir(t, dir, checkpoint.Options{Config: config})
			maker := Quantizer{Config: config}.Make
			got, err := Load(result, Options{Maker: func(p Place, w []float32, cols int) (Linear, error) {
				if p.Layer >= 0 {
					t.Errorf("%v is made of floats", p)
				}
				return Float(p, w, cols)
			}})
			if err != nil {
				t.Fatal(err)
			}
			want, err := Load(dir, Options{Maker: maker})
			if err != nil {
				t.Fatal(err)
			}
			if g, w := got.Bytes(), want.Bytes(); g != w {
				t.Errorf("%d bytes of weights, %d in memory", g, w)
			}
			j := readJudged(t, dir)[1]
			kv := KV{Length: len(j.IDs)}
			a := logits(t, got, j.IDs, len(j.IDs), 1, kv)
			if b := logits(t, want, j.IDs, len(j.IDs), 1, kv); !slices.Equal(a, b) {
				t.Errorf("logits of the result differ from those of weights quantized in memory by %g", maxDiff(a, b))
			}
			if b := logits(t, got, j.IDs, 1, 2, kv); !slices.Equal(a, b) {
				t.Errorf("token by token logits differ by %g", maxDiff(a, b))
			}
			if d := j.worst(a); d == 0 || d > 0.9 {
				t.Errorf("quantized weights change logits by %g of their range", d)
			}
		})
	}
}

// TestFamiliesGGUF compares logits with transformers' for GGUF files that
// internal/gguf/hf converts, and for directories that dequantizing writes.
func TestFamiliesGGUF(t *testing.T) {
	data, err := os.ReadFile("testdata/gguf.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]judged
	if err := json.Unmarshal(data, &want); err != nil || len(want) < 12 {
		t.Fatalf("%d models, %v", len(want), err)
	}
	for name, j := range want {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("..", "gguf", "hf", "testdata", name+".gguf")
			m, err := Load(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			kv := KV{Length: len(j.IDs)}
			got := logits(t, m, j.IDs, len(j.IDs), 1, kv)
			d := j.worst(got)
			t.Logf("logits differ by %.1e of their range", d)
			if !(d < 1e-4) {
				t.Errorf("logits differ from transformers' by %g of their range", d)
			}
			if again := logits(t, m, j.IDs, 1, 2, kv); !slices.Equal(again, got) {
				t.Errorf("token by token logits differ by %g", maxDiff(again, got))
			}
			c, err := checkpoint.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			dir := filepath.Join(t.TempDir(), "floats")
			if _, err := checkpoint.Dequantize(t.Context(), c, dir, checkpoint.DequantizeOptions{DType: "F32"}); err != nil {
				t.Fatal(err)
			}
			hf, err := Load(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if again := logits(t, hf, j.IDs, len(j.IDs), 1, kv); !slices.Equal(again, got) {
				t.Errorf("logits of the directory that is made of it differ by %g", maxDiff(again, got))
			}
		})
	}
}
