package checkpoint

import (
	"context"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/internal/gguf"
)

// TestGGUFModels takes a small model of each family all the way: the tensors have
// the names of Hugging Face's, and what a run makes of them is what they are.
func TestGGUFModels(t *testing.T) {
	paths, err := filepath.Glob("../../internal/gguf/hf/testdata/*.gguf")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c := open(t, path)
			if _, err := fs.Stat(c.Companions(), "config.json"); err != nil {
				t.Fatal(err)
			}
			for _, x := range c.Tensors() {
				v := floats(t, c, x.Name)
				r, ok := c.dataOf(x).(raw)
				if !ok {
					continue
				}
				b, err := io.ReadAll(r.Bytes())
				if err != nil || int64(len(b)) != x.Bytes {
					t.Fatalf("%s: %d bytes, %v, want %d", x.Name, len(b), err, x.Bytes)
				}
				if typ, _ := gguf.ParseType(x.DType); x.DType == "F32" && !slices.Equal(leBytes(v), b) || typ.Size(x.Elements()) != x.Bytes {
					t.Errorf("%s: other bytes than elements", x.Name)
				}
			}
			dst := t.TempDir()
			p := plan(t, c, Options{Rules: Rules{Transposed: patterns(t, "c_attn", "c_fc", "c_proj")}})
			r := run(t, p, dst, RunOptions{})
			for _, f := range r.Companions {
				if why := f.LeftOut; why != "" && !strings.Contains(why, "tokenizer.ggml.model") {
					t.Errorf("%s is left out: %s", f.Name, why)
				}
			}
			q := open(t, dst)
			if len(q.Tensors()) != len(c.Tensors()) {
				t.Errorf("%d tensors, want %d", len(q.Tensors()), len(c.Tensors()))
			}
			vs, err := Verify(context.Background(), q, c, nil)
			if err != nil {
				t.Fatal(err)
			}
			quantized := 0
			for _, v := range vs {
				if v.Quantized {
					quantized++
				}
				if v.Quantized && v.Stats.SQNR() < 10 {
					t.Errorf("%s: %.1f dB", v.Name, v.Stats.SQNR())
				}
			}
			if quantized == 0 {
				t.Error("nothing is quantized")
			}
			_, err = fs.Stat(q.Companions(), "tokenizer.json")
			if _, carried := q.Metadata()["gguf.tokenizer.ggml.bos_token_id"]; carried == (err == nil) {
				t.Errorf("keys about the tokenizer are carried: %v, beside tokenizer.json: %v", carried, err)
			}
			if q.Metadata()["gguf.general.name"] == "" {
				t.Errorf("the name is not carried: %v", q.Metadata())
			}
			for k, v := range q.Metadata() {
				if len(v) > maxCarried && !slices.Contains([]string{keyTensors, keySHA256, keySettings}, k) {
					t.Errorf("the metadata %s has %d bytes", k, len(v))
				}
			}
		})
	}
}
