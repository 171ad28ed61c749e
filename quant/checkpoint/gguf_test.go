package checkpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/x448/float16"
)

// ggmlTypes are numbers of types, and their bytes in a block.
var ggmlTypes = map[string]struct{ number, block, bytes int }{
	"F32": {0, 1, 4}, "F16": {1, 1, 2}, "Q8_0": {8, 32, 34}, "Q4_K": {12, 256, 144}, "Q4_1": {3, 32, 20}, "BF16": {30, 1, 2},
	"IQ2_XXS": {16, 256, 66}, "TQ1_0": {34, 256, 54},
}

// writeGGUF writes tensors, of types of ggmlTypes, as a GGUF file.
func writeGGUF(t testing.TB, path string, metadata func(num func(...any)) int, ws ...weight) {
	t.Helper()
	var b bytes.Buffer
	num := func(vs ...any) {
		for _, v := range vs {
			if s, ok := v.(string); ok {
				binary.Write(&b, binary.LittleEndian, uint64(len(s)))
				b.WriteString(s)
				continue
			}
			binary.Write(&b, binary.LittleEndian, v)
		}
	}
	b.WriteString("GGUF")
	num(uint32(3), uint64(len(ws)))
	at := b.Len()
	num(uint64(0))
	n := metadata(num)
	binary.LittleEndian.PutUint64(b.Bytes()[at:], uint64(n))
	offset := 0
	for _, w := range ws {
		num(w.name, uint32(len(w.shape)))
		for _, d := range slices.Backward(w.shape) {
			num(uint64(d))
		}
		num(uint32(ggmlTypes[string(w.dtype)].number), uint64(offset))
		offset += (len(w.bytes) + 31) / 32 * 32
	}
	pad := func() {
		for b.Len()%32 != 0 {
			b.WriteByte(0)
		}
	}
	pad()
	for _, w := range ws {
		b.Write(w.bytes)
		pad()
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// blocks makes a tensor of a type with blocks, of random bytes with finite scales.
func blocks(r *rand.Rand, name, typ string, shape ...int) weight {
	g := ggmlTypes[typ]
	w := weight{name: name, dtype: safetensors.DType(typ), shape: shape}
	for range int(Tensor{Shape: shape}.Elements()) / g.block {
		b := make([]byte, g.bytes)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		binary.LittleEndian.PutUint16(b, uint16(float16.Fromfloat32(r.Float32()/100)))
		w.bytes = append(w.bytes, b...)
	}
	return w
}

func llamaWeights(r *rand.Rand) []weight {
	return []weight{
		blocks(r, "token_embd.weight", "Q8_0", 20, 64),
		random(r, "output_norm.weight", "F32", 64),
		random(r, "output.weight", "BF16", 20, 64),
		blocks(r, "blk.0.ffn_norm.weight", "Q4_1", 64),
		blocks(r, "blk.0.attn_q.weight", "Q8_0", 64, 64),
		random(r, "blk.0.attn_k.weight", "F16", 64, 64),
		random(r, "blk.1.ffn_up.weight", "BF16", 96, 64),
	}
}

func someMetadata(num func(...any)) int {
	num("general.architecture", uint32(8), "unheard-of")
	num("tokens", uint32(9), uint32(8), uint64(2), "a", "b")
	return 2
}

func TestFromGGUF(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	writeGGUF(t, path, someMetadata, llamaWeights(rand.New(rand.NewPCG(1, 1)))...)
	c := open(t, path)
	dst := t.TempDir()
	p := plan(t, c, Options{ShardSize: 10_000, Rules: Rules{Transposed: []string{"attn_q"}}})
	run(t, p, dst, RunOptions{})
	q := open(t, dst)
	want := map[string]string{
		"token_embd.weight": "F32", "blk.0.ffn_norm.weight": "F32", "output_norm.weight": "F32", "output.weight": "BF16",
		"blk.0.attn_q.weight": "bitmod4", "blk.0.attn_k.weight": "bitmod4", "blk.1.ffn_up.weight": "bitmod4",
	}
	if len(q.Tensors()) != len(want) {
		t.Errorf("%d tensors, want %d", len(q.Tensors()), len(want))
	}
	for name, dtype := range want {
		x, ok := q.Tensor(name)
		if !ok || x.DType != dtype {
			t.Errorf("%s is %q, want %q", name, x.DType, dtype)
		}
	}
	for _, name := range []string{"token_embd.weight", "blk.0.ffn_norm.weight"} {
		if !slices.Equal(floats(t, q, name), floats(t, c, name)) {
			t.Errorf("%s to F32 is not exact", name)
		}
	}
	if m := q.Metadata(); m["gguf.general.architecture"] != `"unheard-of"` || m["gguf.tokens"] != `["a","b"]` {
		t.Errorf("metadata %v", m)
	}
	vs, err := Verify(context.Background(), q, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vs {
		if v.Quantized && v.Stats.SQNR() < 15 {
			t.Errorf("%s: %.1f dB", v.Name, v.Stats.SQNR())
		}
	}
}

func TestUnsupportedGGUF(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "m.gguf")
	writeGGUF(t, path, someMetadata, blocks(r, "blk.0.a.weight", "IQ2_XXS", 2, 256), blocks(r, "blk.0.b.weight", "IQ2_XXS", 2, 256), blocks(r, "blk.0.norm.weight", "TQ1_0", 256))
	_, err := NewPlan(open(t, path), Options{})
	want := fmt.Sprintf("checkpoint: %s: 2 tensors are of IQ2_XXS, which can't be read\ncheckpoint: %[1]s: 1 tensor is of TQ1_0, which can't be read", path)
	if !errors.Is(err, ErrUnsupported) || fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = Dequantize(t.Context(), open(t, path), filepath.Join(t.TempDir(), "out"), DequantizeOptions{})
	if !errors.Is(err, ErrUnsupported) || fmt.Sprint(err) != want {
		t.Errorf("dequantizing: got %v, want %s", err, want)
	}
}

func TestTensorBits(t *testing.T) {
	for _, c := range []struct {
		t    Tensor
		want int
	}{
		{Tensor{DType: "F32"}, 32}, {Tensor{DType: "BF16"}, 16}, {Tensor{DType: "F8_E4M3"}, 8}, {Tensor{DType: "Q8_0"}, 8},
		{Tensor{DType: "Q6_K"}, 6}, {Tensor{DType: "Q5_1"}, 5}, {Tensor{DType: "MXFP4"}, 4}, {Tensor{DType: "IQ2_XXS"}, 2},
		{Tensor{DType: "bitmod3", Quantized: true, Type: datatype.BitMoD3}, 3}, {Tensor{DType: "unheard of"}, 0}, {Tensor{}, 0},
	} {
		if got := c.t.Bits(); got != c.want {
			t.Errorf("%s has %d bits, want %d", c.t.DType, got, c.want)
		}
	}
}
