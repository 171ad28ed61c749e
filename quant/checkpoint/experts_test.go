package checkpoint

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// TestExpertOrder checks the order of the dimensions of experts. Sizes, the partner
// tensor or the family determine it; otherwise it is assumed.
func TestExpertOrder(t *testing.T) {
	const up, down = "model.layers.0.mlp.experts.gate_up_proj", "model.layers.0.mlp.experts.down_proj"
	sized := func(n int) string {
		return fmt.Sprintf(`{"model_type":"new","text_config":{"hidden_size":%d},"vision_config":{"hidden_size":96}}`, n)
	}
	for _, x := range []struct {
		config  string
		tensors map[string][]int
		inOut   bool
		assumed bool
	}{
		{sized(64), map[string][]int{up: {4, 192, 64}}, false, false},
		{sized(64), map[string][]int{up: {4, 64, 192}}, true, false},
		{sized(64), map[string][]int{down: {4, 64, 96}}, false, false},
		{sized(64), map[string][]int{down: {4, 96, 64}}, true, false},
		{sized(64), map[string][]int{"l.block_sparse_moe.experts.w1": {4, 96, 64}, "l.block_sparse_moe.experts.w2": {4, 64, 96}}, false, false},
		{sized(64), map[string][]int{"l.moe.experts.w13_weight": {4, 64, 192}, "l.moe.experts.w2_weight": {4, 96, 64}}, true, false},
		// The fused tensor has twice the width, even if the sizes are the same.
		{"", map[string][]int{up: {4, 64, 128}, down: {4, 64, 64}}, true, false},
		{"", map[string][]int{up: {4, 128, 64}, down: {4, 64, 64}}, false, false},
		{"", map[string][]int{up: {4, 64, 192}, down: {4, 96, 64}}, true, false},
		{"", map[string][]int{up: {4, 192, 64}, down: {4, 64, 96}}, false, false},
		{`{"model_type":"gpt_oss"}`, map[string][]int{up: {4, 64, 128}}, true, false},
		{`{"model_type":"qwen3_moe","hidden_size":64}`, map[string][]int{up: {4, 128, 64}, down: {4, 64, 64}}, false, false},
		{`{"model_type":"llama4","hidden_size":64}`, map[string][]int{down: {4, 64, 64}}, true, false},
		{`{"model_type":"new","hidden_size":64}`, map[string][]int{down: {4, 64, 64}}, false, true},
		{"", map[string][]int{"a.experts.proj": {4, 64, 128}}, false, true},
	} {
		var ws []weight
		for name, shape := range x.tensors {
			ws = append(ws, blank(name, "BF16", shape...))
		}
		c := openModel(t, x.config, ws...)
		for _, it := range plan(t, c, Options{}).Items() {
			want := it.From.Shape
			if x.inOut {
				want = swap(want)
			}
			if !it.To.Quantized || it.To.Transposed != x.inOut || !slices.Equal(it.To.Shape, want) || (it.Reason != "") != x.assumed {
				t.Errorf("%s, %v: %v transposed %v, %q", x.config, x.tensors, it.To.Shape, it.To.Transposed, it.Reason)
			}
		}
		if x.assumed {
			for _, it := range plan(t, c, Options{Rules: Rules{Transposed: []string{"experts"}}}).Items() {
				if !it.To.Transposed || it.Reason != "" {
					t.Errorf("%s: -transposed: %+v", x.config, it)
				}
			}
		}
	}
	if it := plan(t, openModel(t, "", blank("blocks.0.experts.proj", "BF16", 4, 64, 128)), Options{}).Items()[0]; !strings.Contains(it.Reason, "[experts, out, in]") {
		t.Error(it.Reason)
	}
}

// TestExperts quantizes the same experts in both orders and in MXFP4. They become the
// same bytes, and each expert the same as its matrix alone. They verify and dequantize in
// their own order.
func TestExperts(t *testing.T) {
	const experts, out, in = 3, 40, 96
	r := rand.New(rand.NewPCG(6, 6))
	name := "model.layers.0.mlp.experts.gate_up_proj"
	codes, scales := blank(name+"_blocks", "U8", experts, out, in/32, 16), blank(name+"_scales", "U8", experts, out, in/32)
	for i := range codes.bytes {
		codes.bytes[i] = byte(r.Uint32())
	}
	for i := range scales.bytes {
		scales.bytes[i] = 115 + byte(r.Uint32N(10))
	}
	mx := openModel(t, `{"hidden_size":96}`, codes, scales)
	x, ok := mx.Tensor(name)
	if !ok || x.DType != "MXFP4" || !slices.Equal(x.Shape, []int{experts, in, out}) {
		t.Fatal(x)
	}
	logical := floats(t, mx, name)
	outIn := make([]float32, len(logical))
	for e := range experts {
		for i := range in {
			for o := range out {
				outIn[(e*out+o)*in+i] = logical[(e*in+i)*out+o]
			}
		}
	}
	bytesOf := func(vs []float32) []byte { return leBytes(vs) }
	a := openModel(t, `{"hidden_size":96}`, weight{name, "F32", []int{experts, in, out}, bytesOf(logical)})
	b := openModel(t, `{"hidden_size":96}`, weight{name, "F32", []int{experts, out, in}, bytesOf(outIn)})
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.NVFP4, datatype.Int3Asym} {
		var storage []quant.Storage
		for i, c := range []*Checkpoint{a, b, mx} {
			p := plan(t, c, Options{Config: quant.Config{Type: typ, GroupSize: 32}})
			dst := filepath.Join(t.TempDir(), "q.safetensors")
			run(t, p, dst, RunOptions{})
			q := open(t, dst)
			if _, err := Verify(context.Background(), q, c, nil); err != nil {
				t.Errorf("%v, source %d: %v", typ, i, err)
			}
			y, _ := q.Tensor(name)
			if !slices.Equal(y.Shape, []int{experts, out, in}) || y.Transposed != (i != 1) {
				t.Errorf("%v, source %d: %v", typ, i, y)
			}
			m, err := q.Matrix(name)
			if err != nil {
				t.Fatal(err)
			}
			storage = append(storage, m.Storage())
			for e := range experts {
				m, err := q.MatrixRows(name, e*out, (e+1)*out)
				if err != nil {
					t.Fatal(err)
				}
				own, err := quant.Group(outIn[e*out*in:(e+1)*out*in], in, quant.Config{Type: typ, GroupSize: 32})
				if err != nil {
					t.Fatal(err)
				}
				if typ != datatype.NVFP4 && string(m.Storage().Codes) != string(own.Storage().Codes) {
					t.Errorf("%v, source %d: expert %d has other codes than alone", typ, i, e)
				}
			}
			back := filepath.Join(t.TempDir(), "d.safetensors")
			if _, err := Dequantize(context.Background(), q, back, DequantizeOptions{DType: "F32"}); err != nil {
				t.Fatal(err)
			}
			d := open(t, back)
			if z, _ := d.Tensor(name); !slices.Equal(z.Shape, c.tensors[0].Shape) {
				t.Errorf("%v, source %d: dequantized it is %v", typ, i, z.Shape)
			}
			stored, plain := floats(t, q, name), floats(t, d, name)
			for e := range experts {
				for o := range out {
					for j := range in {
						at := (e*out+o)*in + j
						if i != 1 {
							at = (e*in+j)*out + o
						}
						if plain[at] != stored[(e*out+o)*in+j] {
							t.Fatalf("%v, source %d: expert %d, output %d, input %d is another", typ, i, e, o, j)
						}
					}
				}
			}
		}
		for i := 1; i < len(storage); i++ {
			if string(storage[i].Codes) != string(storage[0].Codes) || string(storage[i].Scales) != string(storage[0].Scales) {
				t.Errorf("%v: source %d becomes other bytes", typ, i)
			}
		}
	}
}
