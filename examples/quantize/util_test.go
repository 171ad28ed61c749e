package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/bitmod-go/bitmod/examples/internal/cli/clitest"
	"github.com/bitmod-go/bitmod/internal/safetensors"
)

var program = clitest.Program{Name: "quantize", Run: run}

// TestMain lets the test binary be the program, for tests that need processes of
// their own.
func TestMain(m *testing.M) {
	if os.Getenv("QUANTIZE_IS_MAIN") == "1" {
		main()
	}
	os.Exit(m.Run())
}

// A weight is a tensor to generate: normal weights, of which some rows have
// heavy tails.
type weight struct {
	name  string
	dtype safetensors.DType
	shape []int
}

// transformer lists the tensors of a small model.
func transformer(layers, hidden, inner int) []weight {
	ws := []weight{{"model.embed_tokens.weight", "BF16", []int{256, hidden}}}
	for i := range layers {
		p := fmt.Sprintf("model.layers.%d.", i)
		for _, n := range []string{"q_proj", "k_proj", "v_proj", "o_proj"} {
			ws = append(ws, weight{p + "self_attn." + n + ".weight", "BF16", []int{hidden, hidden}})
		}
		ws = append(ws,
			weight{p + "mlp.gate_proj.weight", "BF16", []int{inner, hidden}},
			weight{p + "mlp.up_proj.weight", "BF16", []int{inner, hidden}},
			weight{p + "mlp.down_proj.weight", "BF16", []int{hidden, inner}},
			weight{p + "input_layernorm.weight", "BF16", []int{hidden}},
			weight{p + "post_attention_layernorm.weight", "BF16", []int{hidden}},
		)
	}
	return append(ws, weight{"model.norm.weight", "BF16", []int{hidden}}, weight{"lm_head.weight", "BF16", []int{256, hidden}})
}

// generate writes a checkpoint. Of each tensor it makes a block at most, and
// repeats it with a shift.
func generate(t testing.TB, path string, ws []weight) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var ts []safetensors.Tensor
	for _, w := range ws {
		ts = append(ts, safetensors.Tensor{Name: w.name, DType: w.dtype, Shape: w.shape})
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := safetensors.NewWriter(f, ts, nil)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 2<<20)
	for i, x := range ts {
		tail := .02 + .2*r.Float64()*float64(i%7)/6
		n := x.Elements() * int64(x.DType.Bits()/8)
		for j := 0; int64(j) < min(int64(len(block)), n+64); j += 2 {
			v := r.NormFloat64() * .02
			if r.Float64() < tail*.05 {
				v *= 4
			}
			binary.LittleEndian.PutUint16(block[j:], uint16(math.Float32bits(float32(v))>>16))
		}
		for off := int64(0); off < n; {
			part := block[off/int64(len(block))%7*2:]
			part = part[:min(int64(len(part)), n-off)]
			if err := w.WriteAt(x.Name, part, off); err != nil {
				t.Fatal(err)
			}
			off += int64(len(part))
		}
	}
	if err := w.Finish(nil); err != nil {
		t.Fatal(err)
	}
}

// source generates a model of 12 layers in a directory.
func source(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	os.Mkdir(dir, 0o777)
	generate(t, filepath.Join(dir, "model.safetensors"), transformer(12, 128, 344))
	os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o666)
	return dir
}
