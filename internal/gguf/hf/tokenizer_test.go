package hf_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/internal/gguf/hf"
	"github.com/bitmod-go/bitmod/internal/tokenizer"
)

// tokenizers is testdata/tokenizers.json.
type tokenizers struct {
	Texts      []string
	Tokenizers map[string]struct {
		Keys  map[string]json.RawMessage
		Cases map[string]struct {
			IDs          [][]int
			Normalizer   any
			PreTokenizer any `json:"pre_tokenizer"`
			Model        map[string]any
		}
	}
}

func readTokenizers(tb testing.TB) tokenizers {
	b, err := os.ReadFile("testdata/tokenizers.json")
	var t tokenizers
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// ggufKeys returns keys as a GGUF file has them.
func ggufKeys(tb testing.TB, keys map[string]json.RawMessage) map[string]any {
	out := map[string]any{}
	for k, raw := range keys {
		var v any
		switch k {
		case "tokens", "merges":
			v = &[]string{}
		case "token_type":
			v = &[]int32{}
		case "scores":
			v = &[]float32{}
		case "model", "pre":
			v = new(string)
		case "add_bos_token", "add_space_prefix":
			v = new(bool)
		default:
			v = new(uint32)
		}
		if err := json.Unmarshal(raw, v); err != nil {
			tb.Fatalf("%s: %v", k, err)
		}
		out["tokenizer.ggml."+k] = reflect.ValueOf(v).Elem().Interface()
	}
	return out
}

// withTokenizer returns what a model of testdata would be with other keys.
func withTokenizer(tb testing.TB, name string, keys map[string]any) *hf.Model {
	s := hf.OpenSource(tb, "testdata/"+name+".gguf")
	for k := range s.Pairs {
		if _, ok := keys[k]; !ok && len(k) > 15 && k[:15] == "tokenizer.ggml." {
			delete(s.Pairs, k)
		}
	}
	for k, v := range keys {
		s.Pairs[k] = v
	}
	s.Tensors = slices.Clone(s.Tensors)
	for i := range s.Tensors {
		if s.Tensors[i].Name == "token_embd.weight" {
			s.Tensors[i].Shape = []int{len(keys["tokenizer.ggml.tokens"].([]string)), s.Tensors[i].Shape[1]}
		}
	}
	m, err := hf.Convert(s)
	if err != nil {
		tb.Fatal(err)
	}
	if m.Family == "" {
		tb.Fatal(m.Reason)
	}
	return m
}

// TestTokenizers compares with the tokens that the originals give for texts, and
// with what they do to a text.
func TestTokenizers(t *testing.T) {
	all := readTokenizers(t)
	for kind, family := range map[string]string{"gpt2": "qwen2", "llama": "mixtral", "gemma": "gemma2", "bert": "bert"} {
		for pre, want := range all.Tokenizers[kind].Cases {
			t.Run(kind+"/"+pre, func(t *testing.T) {
				keys := ggufKeys(t, all.Tokenizers[kind].Keys)
				keys["tokenizer.ggml.pre"] = pre
				m := withTokenizer(t, family, keys)
				b, err := fs.ReadFile(m.Files, "tokenizer.json")
				if err != nil {
					t.Fatal(err)
				}
				var got struct {
					Normalizer   any
					PreTokenizer any `json:"pre_tokenizer"`
					Model        map[string]any
				}
				if err := json.Unmarshal(b, &got); err != nil {
					t.Fatal(err)
				}
				if kind != "llama" && kind != "gemma" { // SentencePiece has no tokenizer.json
					if !reflect.DeepEqual(got.Normalizer, want.Normalizer) {
						t.Errorf("normalizer %v, want %v", got.Normalizer, want.Normalizer)
					}
					if !reflect.DeepEqual(got.PreTokenizer, want.PreTokenizer) {
						t.Errorf("pre_tokenizer %v, want %v", got.PreTokenizer, want.PreTokenizer)
					}
				}
				if kind == "bert" {
					if !reflect.DeepEqual(got.Model, want.Model) {
						t.Errorf("model %v, want %v", got.Model, want.Model)
					}
				}
				tok, err := tokenizer.Parse(b, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i, text := range all.Texts {
					ids, err := tok.Encode(text)
					if kind == "bert" {
						before, after := tok.Around()
						ids = slices.Concat(before, ids, after)
					}
					if err != nil || !slices.Equal(ids, want.IDs[i]) {
						t.Errorf("%q is %v, %v, want %v", text, ids, err, want.IDs[i])
					}
				}
			})
		}
	}
}

// The two files of a tokenizer agree on what goes around a text.
func TestAround(t *testing.T) {
	for name, want := range map[string][2][]string{"bert": {{"[CLS]"}, {"[SEP]"}}, "mixtral": {{"<s>"}, nil}} {
		m, err := hf.Convert(hf.OpenSource(t, "testdata/"+name+".gguf"))
		if err != nil {
			t.Fatal(err)
		}
		var files [2][]byte
		for i, file := range []string{"tokenizer.json", "tokenizer_config.json"} {
			if files[i], err = fs.ReadFile(m.Files, file); err != nil {
				t.Fatal(err)
			}
		}
		tok, err := tokenizer.Parse(files[0], files[1])
		if err != nil {
			t.Fatal(err)
		}
		before, after := tok.Around()
		for i, ids := range [2][]int{before, after} {
			var wantIDs []int
			for _, content := range want[i] {
				id, _ := tok.Token(content)
				wantIDs = append(wantIDs, id)
			}
			if !slices.Equal(ids, wantIDs) {
				t.Errorf("%s: tokens %d around a text, want those of %q", name, [2][]int{before, after}, want)
			}
		}
	}
}
