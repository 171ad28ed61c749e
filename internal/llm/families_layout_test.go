package llm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// resave writes a model with tensors renamed by rename, which returns "" for tensors to
// leave out.
func resave(t *testing.T, dir string, rename func(name string) string, more []checkpoint.Entry) string {
	t.Helper()
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	entries := more
	for _, x := range c.Tensors() {
		if name := rename(x.Name); name != "" {
			entries = append(entries, checkpoint.Entry{Name: name, From: c, Source: x.Name})
		}
	}
	out := t.TempDir()
	if err := checkpoint.Save(context.Background(), out, entries, checkpoint.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(out, "config.json"), config)
	return out
}

// sameModel compares the logits of two models, unquantized and quantized. The first is
// quantized in memory, the second by a plan.
func sameModel(t *testing.T, dir, other string) {
	t.Helper()
	j := readJudged(t, dir)[1]
	config := quant.Config{Type: datatype.BitMoD4, GroupSize: 8}
	for _, x := range []struct {
		dir   string
		maker Maker
		other string
	}{
		{dir, nil, other},
		{dir, Quantizer{Config: config}.Make, quantizeDir(t, other, checkpoint.Options{Config: config})},
	} {
		a, err := Load(x.dir, Options{Maker: x.maker})
		if err != nil {
			t.Fatal(err)
		}
		b, err := Load(x.other, Options{})
		if err != nil {
			t.Fatal(err)
		}
		la, lb := logits(t, a, j.IDs, len(j.IDs), 1, KV{}), logits(t, b, j.IDs, len(j.IDs), 1, KV{})
		if !slices.Equal(la, lb) {
			t.Errorf("logits differ by %g (quantized: %v)", maxDiff(la, lb), x.maker != nil)
		}
	}
}

// The experts of a layer may be one tensor, as in transformers' memory.
func TestFusedExperts(t *testing.T) {
	separate := regexp.MustCompile(`^(model\.layers\.\d+)\.(block_sparse_moe|mlp)\.experts\.(\d+)\.(\w+)\.weight$`)
	for _, name := range []string{"mixtral", "qwen3_moe"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", "families", name)
			c, err := checkpoint.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			read := func(name string) []float32 {
				x, ok := c.Tensor(name)
				if !ok {
					t.Fatalf("no tensor %s", name)
				}
				w := make([]float32, x.Elements())
				if err := c.ReadRows(w, name, 0, x.Rows()); err != nil {
					t.Fatal(err)
				}
				return w
			}
			var fused []checkpoint.Entry
			for _, x := range c.Tensors() {
				m := separate.FindStringSubmatch(x.Name)
				if m == nil || m[3] != "0" || m[4] != "w1" && m[4] != "gate_proj" {
					continue
				}
				gate, up, down := "gate_proj", "up_proj", "down_proj"
				if m[4] == "w1" {
					gate, up, down = "w1", "w3", "w2"
				}
				hidden, dim := x.Shape[0], x.Shape[1]
				gateUp := checkpoint.Entry{Name: m[1] + ".mlp.experts.gate_up_proj"}
				downs := checkpoint.Entry{Name: m[1] + ".mlp.experts.down_proj"}
				e := 0
				for ; ; e++ {
					at := func(part string) string { return fmt.Sprintf("%s.%s.experts.%d.%s.weight", m[1], m[2], e, part) }
					if _, ok := c.Tensor(at(gate)); !ok {
						break
					}
					gateUp.Floats = slices.Concat(gateUp.Floats, read(at(gate)), read(at(up)))
					downs.Floats = append(downs.Floats, read(at(down))...)
				}
				gateUp.Shape, downs.Shape = []int{e, 2 * hidden, dim}, []int{e, dim, hidden}
				fused = append(fused, gateUp, downs)
			}
			other := resave(t, dir, func(name string) string {
				if separate.MatchString(name) {
					return ""
				}
				return strings.Replace(name, "block_sparse_moe", "mlp", 1)
			}, fused)
			sameModel(t, dir, other)
		})
	}
}

// TestOldGPT2 has OpenAI's GPT-2: its names have no prefix, and it has the masks of its
// attention as tensors.
func TestOldGPT2(t *testing.T) {
	dir := filepath.Join("testdata", "families", "gpt2")
	mask := checkpoint.Entry{Name: "h.0.attn.bias", Floats: make([]float32, 64*64), Shape: []int{1, 1, 64, 64}}
	sameModel(t, dir, resave(t, dir, func(name string) string { return strings.TrimPrefix(name, "transformer.") }, []checkpoint.Entry{mask}))
}

// Matrices quantized along the wrong axis are an error.
func TestWrongAxis(t *testing.T) {
	for name, tensor := range map[string]string{"gpt2": "transformer.h.0.mlp.c_fc.weight", "llama": "model.layers.0.mlp.up_proj.weight"} {
		dir := filepath.Join("testdata", "families", name)
		c, err := checkpoint.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		x, _ := c.Tensor(tensor)
		w := make([]float32, x.Elements())
		if err := c.ReadRows(w, tensor, 0, x.Rows()); err != nil {
			t.Fatal(err)
		}
		m, err := quant.Group(w, x.Cols(), quant.Config{GroupSize: 8})
		if err != nil {
			t.Fatal(err)
		}
		other := resave(t, dir, func(name string) string {
			if name == tensor {
				return ""
			}
			return name
		}, []checkpoint.Entry{{Name: tensor, Matrix: m}})
		_, err = Load(other, Options{})
		if name == "gpt2" && (err == nil || !strings.Contains(err.Error(), tensor) || !strings.Contains(err.Error(), "[in, out]")) {
			t.Errorf("%s: error %v", name, err)
		}
		if name == "llama" && err != nil {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
