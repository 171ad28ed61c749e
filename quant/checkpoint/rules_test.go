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
		{"linear", "model.embed_tokens.weight", false},
		{"embeddings", "model.embed_tokens.weight", true},
		{"embeddings", "embeddings.encoder.q_proj.weight", false},
		{"head", "lm_head.weight", true},
		{"head", "head.0.q_proj.weight", false},
	} {
		p, err := parsePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		tensor := Tensor{Name: c.name, Shape: []int{64, 64}}
		tensor.Role = evidence{}.kind(tensor).role
		if got := p.match(tensor); got != c.want {
			t.Errorf("%q matches %q: %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
	for _, s := range []string{"", "re:", "re:("} {
		if _, err := parsePattern(s); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("%q: no error", s)
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
		random(r, "up.weight", "BF16", 8, 16),
		random(r, "down.weight", "BF16", 8, 16),
		random(r, "cube.weight", "F32", 2, 3, 4),
		random(r, "ids", "U8", 4, 4),
		random(r, "vector", "F32", 8),
		random(r, "none", "F32", 0, 8),
	)
	rule := func(pattern string, typ datatype.Type, group int) TypeRule {
		return TypeRule{pattern, typ, group}
	}
	for _, x := range []struct {
		name string
		o    Options
		want map[string]string // in addition to, or instead of, the default
	}{
		{"default", Options{}, nil},
		{"include", Options{Rules: Rules{Include: []string{"embed", "cube"}}}, map[string]string{
			"embed.weight": "bitmod4", "cube.weight": "bitmod4", "up.weight": "not included", "down.weight": "not included",
			"ids": "not included", "vector": "not included", "none": "not included", "emb.weight": "not included",
		}},
		{"include more", Options{Rules: Rules{Include: []string{"linear", "embed", "cube"}}}, map[string]string{
			"embed.weight": "bitmod4", "cube.weight": "bitmod4", "emb.weight": "not included", "ids": "not included",
			"vector": "not included", "none": "not included",
		}},
		{"exclude", Options{Rules: Rules{Include: []string{"*"}, Exclude: []string{"up", "emb"}}}, map[string]string{
			"up.weight": "excluded", "embed.weight": "bitmod4", "cube.weight": "bitmod4", "emb.weight": "excluded",
		}},
		{"types", Options{Config: quant.Config{GroupSize: 64}, Rules: Rules{
			Types: []TypeRule{rule("*", datatype.Int4, 0), rule("up", datatype.MXFP4, 0), rule("down", datatype.NVFP4, 48), rule("ids", datatype.Int8, 0)},
		}}, map[string]string{
			"up.weight": "mxfp4!!", "down.weight": "nvfp4!!!", "cube.weight": "int4!!!!", "embed.weight": "int4!!!!", "emb.weight": "int4!!!!",
		}},
		{"transposed", Options{Rules: Rules{Transposed: []string{"*"}, Include: []string{"*"}}}, map[string]string{
			"up.weight": "bitmod4 transposed", "down.weight": "bitmod4 transposed", "embed.weight": "bitmod4 transposed", "emb.weight": "bitmod4 transposed",
			"cube.weight": "bitmod4 transposed",
		}},
	} {
		want := map[string]string{
			"emb.weight": "an embedding", "embed.weight": "an embedding", "up.weight": "bitmod4", "down.weight": "bitmod4",
			"cube.weight": "skipped: 3 dimensions; include it by name to quantize rows along the last",
			"ids":         "skipped: U8 is not a type of floats that can be read",
			"vector":      "1 dimension", "none": "it is empty",
		}
		for k, v := range x.want {
			want[k] = v
		}
		if diff := cmp.Diff(want, decisions(plan(t, c, x.o))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", x.name, diff)
		}
	}
	_, err := NewPlan(c, Options{Strict: true})
	if !errors.Is(err, ErrSkipped) || !strings.Contains(err.Error(), "cube.weight") || !strings.Contains(err.Error(), "ids") || strings.Contains(err.Error(), "vector") {
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
