package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// TestTables quantizes embeddings and output heads, which are kept by default, in models
// with both, with one table for both, or without a head.
func TestTables(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	embedding := random(r, "model.embed_tokens.weight", "F32", 80, 64)
	head := random(r, "lm_head.weight", "F32", 80, 64)
	layer := random(r, "model.layers.0.mlp.up_proj.weight", "F32", 64, 64)
	rule := func(pattern string, typ datatype.Type, group int) TypeRule {
		return TypeRule{pattern, typ, group}
	}
	const lm = `{"architectures":["LlamaForCausalLM"],"vocab_size":80}`
	for _, x := range []struct {
		name, config string
		head         bool
		rules        []TypeRule
		embedding    string // its type in the result, or an error
		headType     string
		err          error
	}{
		{"default", lm, true, nil, "F32", "F32", nil},
		{"embeddings", lm, true, []TypeRule{rule("embeddings", datatype.Int8, 0)}, "int8:128", "F32", nil},
		{"head", lm, true, []TypeRule{rule("head", datatype.Int6, 32)}, "F32", "int6:32", nil},
		{"both", lm, true, []TypeRule{rule("head", datatype.Int6, 0), rule("embeddings", datatype.Int8, 0)}, "int8:128", "int6:128", nil},
		{"tied, embeddings", lm, false, []TypeRule{rule("embeddings", datatype.Int8, 0)}, "int8:128", "", nil},
		{"tied, head", lm, false, []TypeRule{rule("head", datatype.Int6, 32)}, "int6:32", "", nil},
		{"tied, the same", lm, false, []TypeRule{rule("head", datatype.Int8, 0), rule("embeddings", datatype.Int8, 128)}, "int8:128", "", nil},
		{"tied, two types", lm, false, []TypeRule{rule("head", datatype.Int6, 0), rule("embeddings", datatype.Int8, 0)}, "", "", ErrTied},
		{"tied, two groups", lm, false, []TypeRule{rule("head", datatype.Int8, 32), rule("embeddings", datatype.Int8, 0)}, "", "", ErrTied},
		{"no configuration", "", false, []TypeRule{rule("head", datatype.Int6, 0)}, "int6:128", "", nil},
		{"no head", `{"architectures":["BertModel"]}`, false, []TypeRule{rule("head", datatype.Int6, 0)}, "", "", ErrNoTensor},
		{"not tied", `{"tie_word_embeddings":false}`, false, []TypeRule{rule("head", datatype.Int6, 0)}, "", "", ErrNoTensor},
		{"a later rule", lm, true, []TypeRule{rule("embeddings", datatype.Int8, 0), rule("embed_tokens", datatype.Int5, 0)}, "int5:128", "F32", nil},
	} {
		ws := []weight{embedding, layer}
		if x.head {
			ws = append(ws, head)
		}
		c := openModel(t, x.config, ws...)
		p, err := NewPlan(c, Options{Rules: Rules{Types: x.rules}})
		if !errors.Is(err, x.err) || x.err == nil && err != nil {
			t.Errorf("%s: %v, want %v", x.name, err, x.err)
		}
		if err != nil {
			continue
		}
		got := make(map[string]string)
		for _, it := range p.Items() {
			got[it.To.Name] = it.To.DType
			if it.To.Quantized {
				got[it.To.Name] += fmt.Sprintf(":%d", it.To.GroupSize)
			}
		}
		if got["model.embed_tokens.weight"] != x.embedding || got["lm_head.weight"] != x.headType || got[layer.name] != "bitmod4:128" {
			t.Errorf("%s: %v, want %s and %s", x.name, got, x.embedding, x.headType)
		}
	}
}

// TestKept stores kept tensors in other types. Verify accepts them only if they are
// rounded to nearest.
func TestKept(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 2))
	ws := []weight{
		random(r, "model.embed_tokens.weight", "F32", 80, 64),
		random(r, "model.norm.weight", "F32", 64),
		random(r, "model.layers.0.input_layernorm.weight", "F64", 64),
		random(r, "model.layers.0.self_attn.q_proj.bias", "F16", 64),
		random(r, "model.layers.0.self_attn.q_proj.weight", "BF16", 64, 64),
		random(r, "position_ids", "I64", 1, 16),
		random(r, "model.empty.weight", "F32", 0, 16),
	}
	c := openSource(t, ws...)
	ids := map[string]bool{}
	for _, dtype := range []string{"", "BF16", "F16", "F32"} {
		p := plan(t, c, Options{Kept: dtype})
		ids[p.id] = true
		if dtype != "" && !strings.Contains(p.Settings(), `"kept":"`+dtype+`"`) {
			t.Errorf("settings %s", p.Settings())
		}
		dst := filepath.Join(t.TempDir(), "q.safetensors")
		run(t, p, dst, RunOptions{})
		q := open(t, dst)
		found, err := Verify(context.Background(), q, c, nil)
		if err != nil {
			t.Fatalf("%s: %v", dtype, err)
		}
		for _, v := range found {
			o, _ := c.Tensor(v.Name)
			want := o.DType
			if dtype != "" && o.Float {
				want = dtype
			}
			if v.Quantized {
				continue
			}
			if v.DType != want || v.Bytes != v.Elements()*int64(map[string]int{"F64": 8, "I64": 8, "F32": 4, "F16": 2, "BF16": 2}[want]) {
				t.Errorf("-kept %q: %s is %s of %d bytes, want %s", dtype, v.Name, v.DType, v.Bytes, want)
			}
			bits := map[string]int{"F64": 53, "F32": 24, "F16": 11, "BF16": 8}
			if lossy := bits[want] < bits[o.DType] && v.Elements() > 0; v.Rounded != lossy {
				t.Errorf("-kept %q: %s of %s is rounded: %v", dtype, v.Name, o.DType, v.Rounded)
			}
			if !v.Float {
				continue
			}
			a, b := floats(t, q, v.Name), floats(t, c, v.Name)
			for i := range a {
				if math.Abs(float64(a[i]-b[i])) > math.Abs(float64(b[i]))/256+1e-7 {
					t.Fatalf("-kept %q: %s has %v instead of %v", dtype, v.Name, a[i], b[i])
				}
			}
		}
		// Another model's weights are all wrong, rounded or not.
		other := append([]weight(nil), ws...)
		other[0] = random(r, ws[0].name, "F32", 80, 64)
		if _, err := Verify(context.Background(), q, openSource(t, other...), nil); !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), "embed_tokens") {
			t.Errorf("-kept %q: verified with other weights: %v", dtype, err)
		}
	}
	if len(ids) != 4 {
		t.Errorf("%d different plans, want 4", len(ids))
	}
	for _, dtype := range []string{"F64", "I8", "bf16", "\x1b[2J"} {
		if _, err := NewPlan(c, Options{Kept: dtype}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%q: %v", dtype, err)
		}
	}
}

// TestKeptTooLarge checks that overflow is an error and leaves no file.
func TestKeptTooLarge(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 3))
	norm := random(r, "model.norm.weight", "F32", 64)
	copy(norm.bytes[4*7:], []byte{0, 0, 0x80, 0x47}) // 65536
	c := openSource(t, norm, random(r, "model.layers.0.up_proj.weight", "F32", 64, 64))
	dst := filepath.Join(t.TempDir(), "q.safetensors")
	_, err := plan(t, c, Options{Kept: "F16"}).Run(context.Background(), dst, RunOptions{})
	if !errors.Is(err, quant.ErrNotFinite) || !strings.Contains(err.Error(), `"model.norm.weight"`) || !strings.Contains(err.Error(), "column 7") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dst); err == nil {
		t.Error("there is a file")
	}
	run(t, plan(t, c, Options{Kept: "BF16"}), dst, RunOptions{})
}

// TestNothingGrows checks that matrices which would not shrink are kept, for any rules.
func TestNothingGrows(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 4))
	c := openSource(t, random(r, "a.up_proj.weight", "F16", 256, 2), random(r, "b.up_proj.weight", "F16", 256, 64), random(r, "c.up_proj.weight", "F32", 256, 2))
	for _, o := range []Options{
		{}, {Kept: "BF16"}, {Rules: Rules{Include: []string{"*"}}}, {Config: quant.Config{Type: datatype.Int8}},
		{Rules: Rules{Types: []TypeRule{{"a", datatype.BitMoD3, 8}}}},
	} {
		for _, it := range plan(t, c, o).Items() {
			if want := it.From.Cols() > 2; it.To.Quantized != want && it.From.DType == "F16" {
				t.Errorf("%+v: %s %v is quantized: %v (%s)", o, it.From.Name, it.From.Shape, it.To.Quantized, it.Reason)
			}
			if it.To.Bytes > it.From.Bytes {
				t.Errorf("%+v: %s grows from %d to %d", o, it.From.Name, it.From.Bytes, it.To.Bytes)
			}
			if !it.To.Quantized && !strings.Contains(it.Reason, "it would not get smaller: ") {
				t.Errorf("%s: the reason is %q", it.From.Name, it.Reason)
			}
		}
	}
}

// TestRouters checks that the routers of 64 experts are kept, by any name, and that
// experts and shared experts are quantized.
func TestRouters(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 5))
	for _, x := range []struct{ router, config, experts string }{
		{"mlp.gate", "", "mlp.experts.%d.up_proj"},
		{"mlp.gate", `{"model_type":"qwen3_moe","num_experts":64}`, ""},
		{"block_sparse_moe.gate", "", ""},
		{"block_sparse_moe.router.layer", "", ""},
		{"feed_forward.router", "", ""},
		{"mlp.router.classifier", "", ""},
		{"mlp.gate.wg", "", ""},
		{"ffn.chooser", "", "ffn.experts.%d.w1"},
		{"ffn.chooser", "", "ffn.all_experts.%d.w1"},
		{"ffn_gate_inp", "", ""},
		{"mlp.shared_expert_gate", "", ""},
	} {
		name := "model.layers.0." + x.router + ".weight"
		ws := []weight{random(r, name, "BF16", 64, 48), random(r, "model.layers.0.mlp.shared_expert.up_proj.weight", "BF16", 64, 48)}
		if x.experts != "" {
			for i := range 64 {
				ws = append(ws, random(r, "model.layers.0."+fmt.Sprintf(x.experts, i)+".weight", "BF16", 32, 48))
			}
		}
		for _, it := range plan(t, openModel(t, x.config, ws...), Options{}).Items() {
			if it.From.Name == name && (it.To.Quantized || it.From.Role != RoleRouter || it.Reason != "a router") {
				t.Errorf("%s beside %q is %s, quantized: %v", x.router, x.experts, it.From.Role, it.To.Quantized)
			} else if it.From.Name != name && !it.To.Quantized {
				t.Errorf("%s beside %s is kept: %s", it.From.Name, x.router, it.Reason)
			}
		}
	}
}

// TestConv1D quantizes the matrices of GPT-2 along their inputs without a rule.
func TestConv1D(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 6))
	ws := []weight{
		random(r, "wte.weight", "F32", 100, 64),
		random(r, "h.0.attn.c_attn.weight", "F32", 64, 192),
		random(r, "h.0.attn.c_proj.weight", "F32", 64, 64),
		random(r, "h.0.mlp.c_fc.weight", "F32", 64, 256),
		random(r, "h.0.mlp.c_proj.weight", "F32", 256, 64),
	}
	for _, x := range []struct {
		name, config string
		ws           []weight
		transposed   bool
	}{
		{"gpt2", `{"model_type":"gpt2"}`, ws, true},
		{"no configuration", "", ws, true},
		{"a part of gpt2 whose shapes say nothing", `{"model_type":"gpt2"}`, ws[2:3], true},
		{"the same without a configuration", "", ws[2:3], false},
		{"gpt_bigcode", `{"model_type":"gpt_bigcode"}`, []weight{
			random(r, "h.0.attn.c_attn.weight", "F32", 80, 64), random(r, "h.0.attn.c_proj.weight", "F32", 64, 64),
		}, false},
	} {
		c := openModel(t, x.config, x.ws...)
		p := plan(t, c, Options{})
		for _, it := range p.Items() {
			if it.From.Role == RoleLinear && (!it.To.Quantized || it.To.Transposed != x.transposed) {
				t.Errorf("%s: %s is quantized: %v, transposed: %v", x.name, it.From.Name, it.To.Quantized, it.To.Transposed)
			}
		}
		dst := filepath.Join(t.TempDir(), "q.safetensors")
		run(t, p, dst, RunOptions{})
		checkResult(t, p, open(t, dst))
	}
}

// TestManyRoles tries as many tensors as the largest models have.
func TestManyRoles(t *testing.T) {
	c := &Checkpoint{byName: make(map[string]int), companions: noFiles{}}
	for layer := range 60 {
		for e := range 384 {
			for _, n := range []string{"gate", "up", "down"} {
				c.add(Tensor{Name: fmt.Sprintf("model.layers.%d.mlp.experts.%d.%s_proj.weight", layer, e, n), Shape: []int{2048, 7168}, DType: "BF16", Float: true}, nil)
			}
		}
		c.add(Tensor{Name: fmt.Sprintf("model.layers.%d.mlp.gate.weight", layer), Shape: []int{384, 7168}, DType: "BF16", Float: true}, nil)
	}
	c.setRoles()
	for _, x := range c.tensors {
		if want := strings.HasSuffix(x.Name, "mlp.gate.weight"); (x.Role == RoleRouter) != want || (x.Role == RoleLinear) == want {
			t.Fatalf("%s is %q", x.Name, x.Role)
		}
	}
}
