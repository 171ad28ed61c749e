package checkpoint

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/google/go-cmp/cmp"
)

func TestPattern(t *testing.T) {
	const name = "model.layers.1.mlp.down_proj.weight"
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"mlp.down_proj", name, true},
		{"down_proj", name, true},
		{"down", name, false},
		{"down*", name, true},
		{"layers.1", name, true},
		{"layers.1", "model.layers.10.x", false},
		{"layers.?", "model.layers.7.x", true},
		{"layers.?", "model.layers.10.x", false},
		{"layers.*.mlp", name, true},
		{"*", name, true},
		{name, name, true},
		{"weight.", name, false},
		{"a.b", "a/b", false},
		{"b", "a/b", true},
		{"x+y", "x+y.weight", true},
		{"x+y", "xxy.weight", false},
		{"re:(up|down)_proj", name, true},
		{"re:^down", name, false},
		{"linear", name, true},
		{"linear", "model.norm.weight", false},
		{"linear", "linear.norm", false},
	} {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match(c.name); got != c.want || p.String() != c.pattern {
			t.Errorf("%q matches %q: %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
	for _, s := range []string{"", "re:", "re:("} {
		if _, err := ParsePattern(s); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
	if (Pattern{}).Match("x") {
		t.Error("the zero Pattern matches")
	}
}

// TestNotLinear has names of models of Hugging Face and of llama.cpp.
func TestNotLinear(t *testing.T) {
	for name, want := range map[string]string{
		"model.layers.0.self_attn.q_proj.weight":         "",
		"model.layers.0.mlp.gate_up_proj.weight":         "",
		"model.layers.0.block_sparse_moe.gate.weight":    "",
		"transformer.h.0.attn.c_attn.weight":             "",
		"h.0.mlp.c_fc.weight":                            "",
		"blk.0.ffn_down.weight":                          "",
		"blk.0.attn_output.weight":                       "",
		"encoder.block.0.layer.0.SelfAttention.q.weight": "",
		"model.embed_tokens.weight":                      "an embedding",
		"transformer.wte.weight":                         "an embedding",
		"wpe.weight":                                     "an embedding",
		"token_embd.weight":                              "an embedding",
		"shared.weight":                                  "an embedding",
		"bert.embeddings.word_embeddings.weight":         "an embedding",
		"gpt_neox.embed_in.weight":                       "an embedding",
		"lm_head.weight":                                 "the output head",
		"output.weight":                                  "the output head",
		"output_norm.weight":                             "a norm",
		"blk.0.attn_norm.weight":                         "a norm",
		"model.layers.0.input_layernorm.weight":          "a norm",
		"h.0.ln_1.weight":                                "a norm",
		"transformer.ln_f.weight":                        "a norm",
		"model.layers.0.self_attn.q_proj.bias":           "a bias",
	} {
		if got := notLinear(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func decisions(p *Plan) map[string]string {
	m := make(map[string]string)
	for _, it := range p.Items() {
		s := it.Reason
		if it.Skipped {
			s = "skipped: " + s
		}
		if it.To.Quantized {
			s = it.To.DType
			if it.To.GroupSize != 128 {
				s += strings.Repeat("!", it.To.GroupSize/16)
			}
			if it.To.Transposed {
				s += " transposed"
			}
		}
		m[it.From.Name] = s
	}
	return m
}

func TestRules(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	c := openSource(t,
		random(r, "emb.weight", "F32", 4, 8),
		random(r, "embed.weight", "F32", 4, 8),
		random(r, "up.weight", "BF16", 4, 8),
		random(r, "down.weight", "BF16", 8, 4),
		random(r, "conv.weight", "F32", 2, 3, 4),
		random(r, "ids", "I64", 4, 4),
		random(r, "scale", "F32", 8),
		random(r, "none", "F32", 0, 8),
	)
	rule := func(pattern string, typ datatype.Type, group int) TypeRule {
		return TypeRule{patterns(t, pattern)[0], typ, group}
	}
	for _, x := range []struct {
		name string
		o    Options
		want map[string]string // besides or instead of the default's
	}{
		{"default", Options{}, nil},
		{"include", Options{Rules: Rules{Include: patterns(t, "embed", "conv")}}, map[string]string{
			"embed.weight": "bitmod4", "conv.weight": "bitmod4", "up.weight": "not included", "down.weight": "not included",
			"ids": "not included", "scale": "not included", "none": "not included", "emb.weight": "not included",
		}},
		{"include more", Options{Rules: Rules{Include: patterns(t, "linear", "embed")}}, map[string]string{
			"embed.weight": "bitmod4", "conv.weight": "bitmod4", "emb.weight": "not included",
		}},
		{"exclude", Options{Rules: Rules{Include: patterns(t, "*"), Exclude: patterns(t, "up", "emb")}}, map[string]string{
			"up.weight": "excluded", "embed.weight": "bitmod4", "conv.weight": "bitmod4", "emb.weight": "excluded",
		}},
		{"types", Options{Config: quant.Config{GroupSize: 64}, Rules: Rules{
			Types: []TypeRule{rule("*", datatype.Int4, 0), rule("up", datatype.MXFP4, 0), rule("down", datatype.NVFP4, 48), rule("ids", datatype.Int8, 0)},
		}}, map[string]string{
			"up.weight": "mxfp4!!", "down.weight": "nvfp4!!!", "conv.weight": "int4!!!!", "embed.weight": "int4!!!!", "emb.weight": "int4!!!!",
		}},
		{"transposed", Options{Rules: Rules{Transposed: patterns(t, "*"), Include: patterns(t, "*")}}, map[string]string{
			"up.weight": "bitmod4 transposed", "down.weight": "bitmod4 transposed", "embed.weight": "bitmod4 transposed", "emb.weight": "bitmod4 transposed",
			"conv.weight": "skipped: 3 dimensions, which can't be transposed",
		}},
	} {
		want := map[string]string{
			"emb.weight": "an embedding", "embed.weight": "an embedding", "up.weight": "bitmod4", "down.weight": "bitmod4",
			"conv.weight": "skipped: 3 dimensions; include it by name to quantize the rows of the last",
			"ids":         "skipped: I64 is not a type of floats that can be read",
			"scale":       "1 dimension", "none": "it is empty",
		}
		for k, v := range x.want {
			want[k] = v
		}
		if diff := cmp.Diff(want, decisions(plan(t, c, x.o))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", x.name, diff)
		}
	}
	_, err := NewPlan(c, Options{Strict: true})
	if !errors.Is(err, ErrSkipped) || !strings.Contains(err.Error(), "conv.weight") || !strings.Contains(err.Error(), "ids") || strings.Contains(err.Error(), "scale") {
		t.Errorf("strict: %v", err)
	}
}

func TestPlanErrors(t *testing.T) {
	c := openSource(t, model(1)...)
	for _, o := range []Options{
		{Config: quant.Config{GroupSize: 7}}, {Config: quant.Config{GroupSize: -1}}, {Config: quant.Config{Workers: -1}},
		{ShardSize: -1}, {Parts: -1}, {Rules: Rules{Types: []TypeRule{{GroupSize: 3}}}},
		{Config: quant.Config{Importance: []float64{1}}}, {Config: quant.Config{Feedback: &quant.Feedback{}}},
	} {
		if _, err := NewPlan(c, o); !errors.Is(err, quant.ErrShape) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := NewPlan(c, Options{Config: quant.Config{Type: 200}}); !errors.Is(err, datatype.ErrUnknown) {
		t.Error(err)
	}
	if _, err := NewPlan(c, Options{Rules: Rules{Types: []TypeRule{{Type: 200}}}}); !errors.Is(err, datatype.ErrUnknown) {
		t.Error(err)
	}
}
