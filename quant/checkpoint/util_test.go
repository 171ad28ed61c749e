package checkpoint

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/x448/float16"
)

// A weight is a tensor of a test's source.
type weight struct {
	name  string
	dtype safetensors.DType
	shape []int
	bytes []byte
}

// random makes a tensor of normal weights, a few of them outliers.
func random(r *rand.Rand, name string, dtype safetensors.DType, shape ...int) weight {
	w := weight{name: name, dtype: dtype, shape: shape}
	n := Tensor{Shape: shape}.Elements()
	for range n {
		x := r.NormFloat64() * .02
		if r.IntN(500) == 0 {
			x *= 10
		}
		switch dtype {
		case "F64":
			w.bytes = binary.LittleEndian.AppendUint64(w.bytes, math.Float64bits(x))
		case "F32":
			w.bytes = binary.LittleEndian.AppendUint32(w.bytes, math.Float32bits(float32(x)))
		case "F16":
			w.bytes = binary.LittleEndian.AppendUint16(w.bytes, uint16(float16.Fromfloat32(float32(x))))
		case "BF16":
			w.bytes = binary.LittleEndian.AppendUint16(w.bytes, uint16(math.Float32bits(float32(x))>>16))
		case "U8":
			w.bytes = append(w.bytes, byte(r.Uint32()))
		case "I64":
			w.bytes = binary.LittleEndian.AppendUint64(w.bytes, r.Uint64())
		default:
			panic(dtype)
		}
	}
	return w
}

// writeFile writes tensors as a safetensors file.
func writeFile(t testing.TB, path string, ws ...weight) {
	t.Helper()
	var ts []safetensors.Tensor
	for _, w := range ws {
		ts = append(ts, safetensors.Tensor{Name: w.name, DType: w.dtype, Shape: w.shape})
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	meta := map[string]string{"format": "pt"}
	w, err := safetensors.NewWriter(f, ts, meta)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range ws {
		if err := w.WriteAt(x.name, x.bytes, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(meta); err != nil {
		t.Fatal(err)
	}
}

// model is a small transformer with tensors of every role.
func model(seed uint64) []weight {
	r := rand.New(rand.NewPCG(seed, 1))
	ws := []weight{
		random(r, "model.embed_tokens.weight", "BF16", 50, 96),
		random(r, "model.norm.weight", "F32", 96),
		random(r, "lm_head.weight", "F16", 50, 96),
		random(r, "model.rotary_emb.inv_freq", "F32", 8),
	}
	for i := range 3 {
		p := fmt.Sprintf("model.layers.%d.", i)
		ws = append(ws,
			random(r, p+"input_layernorm.weight", "BF16", 96),
			random(r, p+"self_attn.q_proj.weight", "BF16", 40, 96),
			random(r, p+"self_attn.q_proj.bias", "BF16", 96),
			random(r, p+"self_attn.o_proj.weight", "F16", 40, 96),
			random(r, p+"mlp.up_proj.weight", "F32", 60, 96),
			random(r, p+"mlp.down_proj.weight", "F64", 20, 200),
		)
	}
	return ws
}

// openSource writes weights to a file and opens it.
func openSource(t testing.TB, ws ...weight) *Checkpoint {
	t.Helper()
	path := filepath.Join(t.TempDir(), "source.safetensors")
	writeFile(t, path, ws...)
	return open(t, path)
}

func open(t testing.TB, path string) *Checkpoint {
	t.Helper()
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func plan(t testing.TB, c *Checkpoint, o Options) *Plan {
	t.Helper()
	p, err := NewPlan(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t testing.TB, p *Plan, dst string, o RunOptions) *Result {
	t.Helper()
	r, err := p.Run(context.Background(), dst, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// floats reads all of a tensor.
func floats(t testing.TB, c *Checkpoint, name string) []float32 {
	t.Helper()
	x, ok := c.Tensor(name)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	vs := make([]float32, x.Elements())
	if err := c.ReadRows(vs, name, 0, x.Rows()); err != nil {
		t.Fatal(err)
	}
	return vs
}

// copyDamaged copies the files of a checkpoint and flips a bit at the end of one.
func copyDamaged(t testing.TB, from, to string) {
	t.Helper()
	flipped := false
	for _, n := range dirtest.Names(t, from) {
		b, err := os.ReadFile(filepath.Join(from, n))
		if err != nil {
			t.Fatal(err)
		}
		if !flipped && filepath.Ext(n) == ".safetensors" {
			b[len(b)-1] ^= 0x10
			flipped = true
		}
		if err := os.WriteFile(filepath.Join(to, n), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
