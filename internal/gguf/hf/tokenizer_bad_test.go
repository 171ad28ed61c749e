package hf

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestTokenizerFiles has what belongs to a tokenizer beside it.
func TestTokenizerFiles(t *testing.T) {
	for _, test := range []struct{ model, file, want string }{
		{"gpt2", "tokenizer_config.json", `{"add_bos_token":false,"add_eos_token":false,"bos_token":"<|end|>","chat_template":"{{ messages }}","clean_up_tokenization_spaces":false,"eos_token":"<|end|>","tokenizer_class":"PreTrainedTokenizerFast"}`},
		{"gpt2", "special_tokens_map.json", `{"bos_token":"<|end|>","eos_token":"<|end|>"}`},
		{"gpt2", "generation_config.json", `{"_from_model_config":true,"bos_token_id":1,"eos_token_id":1}`},
		{"mixtral", "special_tokens_map.json", `{"bos_token":"<s>","eos_token":"</s>","unk_token":"<unk>"}`},
		{"bert", "special_tokens_map.json", `{"cls_token":"[CLS]","pad_token":"[PAD]","sep_token":"[SEP]","unk_token":"[UNK]"}`},
	} {
		s, _ := openSource(t, "testdata/"+test.model+".gguf")
		m, err := Convert(s)
		if err != nil {
			t.Fatal(err)
		}
		b, err := fs.ReadFile(m.Files, test.file)
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := errors.Join(json.Unmarshal(b, &got), json.Unmarshal([]byte(test.want), &want)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s of %s is %s, want %s", test.file, test.model, b, test.want)
		}
	}
}

// TestTemplate puts tokens around a text.
func TestTemplate(t *testing.T) {
	s, _ := openSource(t, "testdata/gpt2.gguf")
	s = changed(s, map[string]any{"tokenizer.ggml.add_bos_token": true, "tokenizer.ggml.add_eos_token": true, "tokenizer.ggml.bos_token_id": uint32(0)})
	m, err := Convert(s)
	if err != nil {
		t.Fatal(err)
	}
	b, err := fs.ReadFile(m.Files, "tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		P struct {
			Single, Pair []map[string]struct{ ID string }
			Special      map[string]struct{ IDs []int } `json:"special_tokens"`
		} `json:"post_processor"`
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	ids := func(pieces []map[string]struct{ ID string }) (ids []string) {
		for _, p := range pieces {
			for _, x := range p {
				ids = append(ids, x.ID)
			}
		}
		return ids
	}
	want := []string{"<|start|>", "A", "<|end|>"}
	if got := ids(f.P.Single); !slices.Equal(got, want) {
		t.Errorf("around one text: %v", got)
	}
	if got := ids(f.P.Pair); !slices.Equal(got, append(want, "<|start|>", "B", "<|end|>")) {
		t.Errorf("around two: %v", got)
	}
	if !slices.Equal(f.P.Special["<|start|>"].IDs, []int{0}) || !slices.Equal(f.P.Special["<|end|>"].IDs, []int{1}) {
		t.Errorf("tokens %v", f.P.Special)
	}
}

// TestBadTokenizers has models without tokenizer.json, of which opening it says the
// reason, and all else is there.
func TestBadTokenizers(t *testing.T) {
	many := make([]string, 25)
	dup := func(s Source, i, j int) []string {
		v := slices.Clone(s.Pairs["tokenizer.ggml.tokens"].([]string))
		v[i] = v[j]
		return v
	}
	for _, test := range []struct {
		model, key string
		value      func(Source) any
		want       string
	}{
		{"gpt2", "model", is("whitespace"), `"tokenizer.ggml.model" is "whitespace"`},
		{"gpt2", "model", is(uint32(1)), "is of type uint32"},
		{"gpt2", "model", is(nil), "is missing"},
		{"gpt2", "pre", is("afmoe"), `"tokenizer.ggml.pre" is "afmoe", which is not known`},
		{"gpt2", "tokens", is(nil), "is missing"},
		{"gpt2", "tokens", is([]uint32{1}), "is of type []uint32"},
		{"gpt2", "tokens", is(many), "25 tokens"},
		{"gpt2", "tokens", func(s Source) any { return dup(s, 7, 8) }, `tokens 7 and 8 are both "f"`},
		{"gpt2", "tokens", func(s Source) any { v := dup(s, 0, 0); v[9] = "\xff"; return v }, "is not UTF-8"},
		{"gpt2", "token_type", is([]int32{1, 2}), "has 2 elements"},
		{"gpt2", "token_type", is([]float32{1}), "is of type []float32"},
		{"gpt2", "merges", is(nil), "is missing"},
		{"gpt2", "merges", is([]string{"ab"}), "merge 0"},
		{"gpt2", "merges", is([]string{"a b", "a q"}), "merge 1"},
		{"gpt2", "merges", is([]string{""}), "merge 0"},
		{"gpt2", "add_bos_token", is(uint8(1)), "is of type uint8"},
		{"mixtral", "scores", is(nil), "is missing"},
		{"mixtral", "scores", is([]float32{0}), "has 1 elements"},
		{"mixtral", "scores", is(slices.Repeat([]float32{float32(math.NaN())}, 24)), "is NaN"},
		{"mixtral", "tokens", func(s Source) any { v := dup(s, 0, 0); v[9] = strings.Repeat("x", 300); return v }, "has 300 characters"},
		{"bert", "pre", is("german"), `"tokenizer.ggml.pre" is "german"`},
		{"bert", "cls_token_id", is(nil), "is missing"},
		{"bert", "tokens", func(s Source) any { v := dup(s, 0, 0); v[9] = "▁[CLS]"; return v }, `two tokens are "[CLS]"`},
	} {
		s, _ := openSource(t, "testdata/"+test.model+".gguf")
		m, err := Convert(changed(s, map[string]any{"tokenizer.ggml." + test.key: test.value(s)}))
		if err != nil {
			t.Errorf("%s: %v", test.key, err)
			continue
		}
		if _, err := fs.Stat(m.Files, "config.json"); err != nil {
			t.Error(err)
		}
		_, err = fs.Stat(m.Files, "tokenizer.json")
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s of %s: %v, want %s", test.key, test.model, err, test.want)
		}
		if list, err := fs.ReadDir(m.Files, "."); err != nil || len(list) == 0 {
			t.Error(list, err)
		}
	}
}

func is(v any) func(Source) any { return func(Source) any { return v } }
