package hf

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/internal/gguf"
	"github.com/bitmod-go/bitmod/quant"
)

// changed returns a source with some pairs changed, or deleted where they are nil.
func changed(s Source, pairs map[string]any) Source {
	s.Pairs = maps.Clone(s.Pairs)
	for k, v := range pairs {
		if s.Pairs[k] = v; v == nil {
			delete(s.Pairs, k)
		}
	}
	return s
}

// renamed returns a source with a tensor called something else.
func renamed(s Source, from, to string) Source {
	s.Tensors = slices.Clone(s.Tensors)
	i := slices.IndexFunc(s.Tensors, func(t gguf.Tensor) bool { return t.Name == from })
	s.Tensors[i].Name = to
	return s
}

// TestBadKeys changes one pair, and expects an error that names it.
func TestBadKeys(t *testing.T) {
	nan, inf := float32(math.NaN()), math.Inf(1)
	for _, test := range []struct {
		model, key string
		value      any
		want       string // in the error
	}{
		{"llama", "general.architecture", uint32(1), "is of type uint32"},
		{"llama", "general.type", true, "is of type bool"},
		{"llama", "llama.block_count", nil, "is missing"},
		{"llama", "llama.block_count", "1", "is of type string"},
		{"llama", "llama.block_count", float32(1), "is of type float32"},
		{"llama", "llama.block_count", uint32(0), "is 0"},
		{"llama", "llama.block_count", int64(-1), "is -1"},
		{"llama", "llama.block_count", uint64(math.MaxUint64), "is 18446744073709551615"},
		{"llama", "llama.block_count", uint32(4000), "missing"},
		{"llama", "llama.embedding_length", uint32(64), "llama.embedding_length"},
		{"llama", "llama.attention.head_count", uint32(0), "is 0"},
		{"llama", "llama.attention.head_count", uint32(3), "rows for 3 heads"},
		{"llama", "llama.attention.head_count", uint32(1 << 31), "llama.attention.head_count"},
		{"llama", "llama.attention.head_count", []uint32{}, "empty array"},
		{"llama", "llama.attention.head_count", []string{"2"}, "is of type []string"},
		{"llama", "llama.attention.head_count_kv", uint32(2), "rows for 2 heads"},
		{"llama", "llama.attention.head_count_kv", int8(0), "is 0"},
		{"llama", "llama.attention.key_length", uint64(1) << 40, "llama.attention.key_length"},
		{"llama", "llama.attention.layer_norm_rms_epsilon", nil, "is missing"},
		{"llama", "llama.attention.layer_norm_rms_epsilon", nan, "is NaN"},
		{"llama", "llama.rope.freq_base", inf, "is +Inf"},
		{"llama", "llama.rope.freq_base", float32(-1), "is -1"},
		{"llama", "llama.rope.freq_base", []float32{1}, "is of type []float32"},
		{"llama", "tokenizer.ggml.bos_token_id", uint32(24), "want 0 to 23"},
		{"mixtral", "llama.expert_count", uint32(2), "want matrices for 2 experts"},
		{"mixtral", "llama.expert_count", uint32(1 << 30), "llama.expert_count"},
		{"mixtral", "llama.expert_used_count", nil, "is missing"},
		{"gpt-oss", "gpt-oss.rope.scaling.factor", nil, "is missing"},
		{"gpt-oss", "gpt-oss.rope.scaling.factor", float32(0), "is 0"},
		{"gpt-oss", "gpt-oss.rope.scaling.type", uint8(2), "is of type uint8"},
		{"gpt-oss", "gpt-oss.rope.scaling.original_context_length", nil, "is missing"},
		{"phi3", "phi3.attention.sliding_window", "0", "is of type string"},
		{"phi3", "phi3.rope.scaling.original_context_length", uint32(0), "is 0"},
		{"gpt2", "gpt2.attention.head_count", uint32(3), "not a multiple of"},
	} {
		s, _ := openSource(t, "testdata/"+test.model+".gguf")
		_, err := Convert(changed(s, map[string]any{test.key: test.value}))
		if err == nil || !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.key) && !strings.Contains(err.Error(), "blk.") {
			t.Errorf("%s %v: got %v, want an error with %q, that names it or a tensor", test.key, test.value, err, test.want)
		}
	}
}

// TestAnyInteger has each number in each type that holds it.
func TestAnyInteger(t *testing.T) {
	for _, name := range names(t) {
		s, _ := openSource(t, "testdata/"+name+".gguf")
		want := configOf(t, s)
		for _, as := range []any{uint8(0), int8(0), uint16(0), int16(0), int32(0), uint64(0), int64(0)} {
			pairs := map[string]any{}
			for k, v := range s.Pairs {
				if n, ok := v.(uint32); ok && n < 128 {
					pairs[k] = reflect.ValueOf(n).Convert(reflect.TypeOf(as)).Interface()
				}
				if f, ok := v.(float32); ok && strings.Contains(k, "scaling.factor") {
					pairs[k] = float64(f)
				}
			}
			if got := configOf(t, changed(s, pairs)); !bytes.Equal(got, want) {
				t.Errorf("%s with %T: %s, want %s", name, as, got, want)
			}
		}
		heads := slices.Repeat([]int32{int32(reflect.ValueOf(s.Pairs[s.Pairs["general.architecture"].(string)+".attention.head_count"]).Uint())}, 3)
		if got := configOf(t, changed(s, map[string]any{s.Pairs["general.architecture"].(string) + ".attention.head_count": heads})); !bytes.Equal(got, want) {
			t.Errorf("%s with heads by layer: %s, want %s", name, got, want)
		}
	}
}

func configOf(t *testing.T, s Source) []byte {
	t.Helper()
	m, err := Convert(s)
	if err != nil {
		t.Fatal(err)
	}
	b, err := fs.ReadFile(m.Files, "config.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestUnknown has models that are not of a family, which says why.
func TestUnknown(t *testing.T) {
	for _, test := range []struct {
		model  string
		change func(Source) Source
		want   string
	}{
		{"llama", set("general.architecture", nil), "no general.architecture"},
		{"llama", set("general.architecture", "warbler"), `general.architecture is "warbler"`},
		{"llama", set("general.type", "adapter"), `general.type is "adapter"`},
		{"llama", set("llama.attention.clamp_kqv", float32(8)), `"llama.attention.clamp_kqv" is not a known key`},
		{"llama", set("llama.attention.causal", false), `"llama.attention.causal" is not a known key`},
		{"llama", set("llama.attention.head_count_kv", []uint32{1, 2}), "differs from layer to layer"},
		{"llama", set("llama.rope.dimension_count", uint32(16)), `"llama.rope.dimension_count" is 16`},
		{"llama", set("llama.rope.scaling.type", "yarn"), "factors of rotary frequencies"},
		{"llama", set("llama.rope.freq_base", float32(10000)), "Llama 3's scaling by 32 makes it"},
		{"llama", func(s Source) Source { return renamed(s, "blk.0.attn_q.bias", "blk.0.attn_q.scale") }, `"blk.0.attn_q.scale"`},
		{"llama", func(s Source) Source { return renamed(s, "blk.0.attn_q.bias", "blk.0.ffn_up.bias") }, "want all or none"},
		{"llama", func(s Source) Source { return renamed(s, "output.weight", "output.weight.lora_a") }, "lora_a"},
		{"llama", set("llama.attention.key_length", uint32(31)), `"llama.attention.value_length" is 32`},
		{"qwen2", set("qwen2.attention.key_length", uint32(4)), `"qwen2.attention.key_length" is 4`},
		{"qwen2", func(s Source) Source { return renamed(s, "blk.0.attn_q.bias", "blk.0.attn_output.bias") }, `"blk.0.attn_output.bias"`},
		{"phi3", set("phi3.attention.sliding_window", nil), "is missing"},
		{"phi3", set("phi3.rope.scaling.attn_factor", float32(3)), "is 3"},
		{"olmo2", set("olmo2.attention.sliding_window", uint32(8)), "not a known family"},
		{"bert", set("tokenizer.ggml.model", "t5"), "not a known family"},
		{"bert", func(s Source) Source {
			s.Tensors = slices.DeleteFunc(slices.Clone(s.Tensors), func(t gguf.Tensor) bool { return t.Name == "token_types.weight" })
			return s
		}, `"token_types.weight" is missing`},
	} {
		s, _ := openSource(t, "testdata/"+test.model+".gguf")
		m, err := Convert(test.change(s))
		switch {
		case err != nil:
			t.Errorf("%s: %v, want an unknown model: %s", test.model, err, test.want)
			continue
		case m.Family != "" || len(m.Tensors) != 0 || !strings.Contains(m.Reason, test.want):
			t.Errorf("%s: family %q, reason %q, want one with %s", test.model, m.Family, m.Reason, test.want)
		}
		for _, name := range []string{"config.json", "tokenizer.json"} {
			if _, err := m.Files.Open(name); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want the reason", name, err)
			}
		}
		if list, err := fs.ReadDir(m.Files, "."); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
	}
}

func set(key string, value any) func(Source) Source {
	return func(s Source) Source { return changed(s, map[string]any{key: value}) }
}

// TestBadTensors has tensors that a family has, but not so.
func TestBadTensors(t *testing.T) {
	for _, test := range []struct{ model, from, to, want string }{
		{"llama", "blk.0.attn_q.weight", "blk.1.attn_q.weight", `it is of layer "1"`},
		{"llama", "blk.0.attn_q.weight", "blk.99999999999999999999.attn_q.weight", "it is of layer"},
		{"llama", "blk.0.attn_q.weight", "blk.00.attn_q.weight", "it is of layer"},
		{"llama", "blk.0.attn_q.weight", "blk.-1.attn_q.weight", "it is of layer"},
		{"qwen2", "blk.0.attn_q.bias", "blk.0.attn_q.bias ", "unknown"},
		{"qwen2", "blk.1.attn_q.weight", "blk.0.attn_q.weight", "as tensor"},
		{"mixtral", "blk.0.ffn_up_exps.weight", "blk.0.ffn_up.3.weight", "it is of expert 3"},
		{"mixtral", "blk.0.ffn_up_exps.weight", "blk.0.ffn_up.1.weight", `"model.layers.0.block_sparse_moe.experts.0.w3.weight"`},
		{"mixtral", "blk.1.ffn_up_exps.weight", "blk.0.ffn_up_exps.weight", "as tensor"},
		{"gpt-oss", "blk.1.ffn_up_exps.weight", "blk.0.ffn_up_exps.weight", "as tensor"},
		{"gpt-oss", "blk.0.ffn_down_exps.bias", "blk.0.ffn_up_exps.weight", "want three dimensions"},
		{"gpt2", "blk.0.attn_norm.bias", "blk.0.ffn_up.weight", "want two dimensions"},
		{"phi3", "blk.0.attn_norm.weight", "rope_factors_long.weight", "factor"},
	} {
		s, _ := openSource(t, "testdata/"+test.model+".gguf")
		m, err := Convert(renamed(s, test.from, test.to))
		if test.want == "unknown" {
			if err != nil || m.Family != "" {
				t.Errorf("%s: %v", test.to, err)
			}
			continue
		}
		if err == nil || !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s called %s: %v, want %s", test.from, test.to, err, test.want)
		}
	}
}

// TestOldExperts has a tensor for each expert, as files had before they were
// stacked.
func TestOldExperts(t *testing.T) {
	s, _ := openSource(t, "testdata/mixtral.gguf")
	want, err := Convert(s)
	if err != nil {
		t.Fatal(err)
	}
	old := s
	old.Tensors = nil
	for _, x := range s.Tensors {
		name, ok := strings.CutSuffix(x.Name, "_exps.weight")
		if !ok {
			old.Tensors = append(old.Tensors, x)
			continue
		}
		for i := range x.Shape[0] {
			one := x
			one.Name, one.Shape = name+"."+string(rune('0'+i))+".weight", x.Shape[1:]
			old.Tensors = append(old.Tensors, one)
		}
	}
	got, err := Convert(old)
	if err != nil {
		t.Fatal(err)
	}
	describe := func(m *Model) map[string][]int {
		d := map[string][]int{}
		for _, x := range m.Tensors {
			d[x.Name] = x.Shape
		}
		return d
	}
	if !reflect.DeepEqual(describe(got), describe(want)) {
		t.Errorf("got %v, want %v", describe(got), describe(want))
	}
}

// use reads all that a model has.
func use(m *Model, data func(i int) Data) {
	for _, x := range m.Tensors {
		if n := elements(x.Shape); n > 0 && n < 1<<16 {
			x.open(data).Read(make([]float32, n), 0)
			x.open(data).Read64(make([]float64, n-n/2), n/2)
		}
	}
	fs.WalkDir(m.Files, ".", func(string, fs.DirEntry, error) error { return nil })
}

// TestMangledPairs changes every pair to values of every kind: whatever happens, it
// does not panic, and errors match quant.ErrFormat.
func TestMangledPairs(t *testing.T) {
	values := []any{nil, uint32(0), uint32(1), int32(-1), uint64(math.MaxUint64), int64(math.MinInt64), float32(0), math.Inf(-1), math.NaN(), "", "gpt2", true,
		[]string{}, []string{"a", "a"}, []uint32{}, []int64{-1}, []float32{float32(math.NaN())}, []any{}, []bool{true}}
	for _, name := range names(t) {
		s, data := openSource(t, "testdata/"+name+".gguf")
		for k := range s.Pairs {
			for _, v := range values {
				m, err := Convert(changed(s, map[string]any{k: v}))
				if err != nil {
					if !errors.Is(err, quant.ErrFormat) {
						t.Errorf("%s: %s %v: %v", name, k, v, err)
					}
					continue
				}
				use(m, data)
			}
		}
		for i := range s.Tensors {
			if strings.HasPrefix(s.Tensors[i].Name, "rope_") {
				continue // is read
			}
			for _, shape := range [][]int{{}, {0}, {1}, {7}, {0, 8}, {8, 0}, {3, 8, 0}, {math.MaxInt, 0}, {1, 1, 1, 1}} {
				c := s
				c.Tensors = slices.Clone(s.Tensors)
				c.Tensors[i].Shape = shape
				if _, err := Convert(c); err != nil && !errors.Is(err, quant.ErrFormat) {
					t.Errorf("%s: %s %v: %v", name, c.Tensors[i].Name, shape, err)
				}
			}
		}
	}
}

// FuzzConvert opens whole files, which are small, so that nothing in them may take
// long or much memory.
func FuzzConvert(f *testing.F) {
	for _, name := range names(f) {
		b, err := os.ReadFile("testdata/" + name + ".gguf")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := gguf.New(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		s, data := sourceOf(file)
		m, err := Convert(s)
		if err != nil {
			if !errors.Is(err, quant.ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if m.Family != "" {
			use(m, data)
		}
	})
}

// TestCut has the first bytes of each file: an error, or a model that is whole but
// for padding behind it.
func TestCut(t *testing.T) {
	for _, name := range []string{"qwen2", "gpt2", "bert"} {
		b, err := os.ReadFile("testdata/" + name + ".gguf")
		if err != nil {
			t.Fatal(err)
		}
		for n := range b {
			f, err := gguf.New(bytes.NewReader(b[:n]), int64(n))
			if err != nil {
				continue
			}
			s, data := sourceOf(f)
			m, err := Convert(s)
			if err != nil {
				t.Fatalf("%s cut at %d: the file is valid, but %v", name, n, err)
			}
			for _, x := range m.Tensors {
				if err := x.open(data).Read(make([]float32, elements(x.Shape)), 0); err != nil {
					t.Fatalf("%s cut at %d: %v", name, n, err)
				}
			}
			if n < len(b)-32 {
				t.Errorf("%s cut at %d of %d bytes is taken for whole", name, n, len(b))
			}
		}
	}
}

// TestDocumented finds every family in the documentation of quant/checkpoint.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../../quant/checkpoint/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, doc, _ = bytes.Cut(doc, []byte("general.architecture is "))
	list, _, _ := bytes.Cut(doc, []byte(" is opened"))
	for _, f := range families {
		if !slices.Contains(strings.FieldsFunc(string(list), func(r rune) bool { return strings.ContainsRune(" ,\n/()", r) }), f.arch) {
			t.Errorf("%s is not in the list: %s", f.arch, list)
		}
	}
}
