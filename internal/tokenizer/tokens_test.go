package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tokenFixture is what testdata/tokens.py writes.
type tokenFixture struct {
	Texts      []string
	Tokenizers []struct {
		File, Old, New string
		First, Step    int
		IDs            [][]int
	}
	SmolLM2 [][]int
}

func tokenTexts(t *testing.T) tokenFixture {
	t.Helper()
	data, err := os.ReadFile("testdata/tokens.json")
	if err != nil {
		t.Fatal(err)
	}
	var f tokenFixture
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Texts) < 200 || len(f.SmolLM2) != len(f.Texts) {
		t.Fatalf("%d texts, %d for SmolLM2's tokenizer", len(f.Texts), len(f.SmolLM2))
	}
	return f
}

// Texts become the tokens that the Python package tokenizers makes of them.
func TestTokens(t *testing.T) {
	f := tokenTexts(t)
	compared := 0
	for _, v := range f.Tokenizers {
		data, err := os.ReadFile(filepath.Join("testdata", v.File))
		if err != nil {
			t.Fatal(err)
		}
		s := string(data)
		if v.Old != "" {
			if s = strings.ReplaceAll(s, v.Old, v.New); s == string(data) {
				t.Fatalf("%s has no %s", v.File, v.Old)
			}
		}
		tok, err := Parse([]byte(s), nil)
		if err != nil {
			t.Fatalf("%s with %s: %v", v.File, v.New, err)
		}
		for i, want := range v.IDs {
			compareTokens(t, tok, v.File+" with "+v.New, f.Texts[v.First+i*v.Step], want)
			compared++
		}
	}
	if compared < 2*len(f.Texts) {
		t.Errorf("only %d texts were compared", compared)
	}
}

func compareTokens(t *testing.T, tok *Tokenizer, name, text string, want []int) {
	t.Helper()
	got, err := tok.Encode(text)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: %q is %v, error %v, want %v", name, text, got, err, want)
	}
}

// published returns the tokenizer in a directory of the one that BITMOD_MODELS names,
// of published models, and skips the test where there is none.
func published(t testing.TB, name string) *Tokenizer {
	t.Helper()
	dir := os.Getenv("BITMOD_MODELS")
	if dir == "" {
		t.Skip("BITMOD_MODELS does not name a directory of published models")
	}
	data, err := os.ReadFile(filepath.Join(dir, name, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, name, "tokenizer_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Parse(data, config)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// The tokenizer of a published model, in which 21 bytes have no token.
func TestTokensSmolLM2(t *testing.T) {
	tok := published(t, "smollm2")
	missing := 0
	for _, token := range tok.model.(*bpe).bytes {
		if token < 0 {
			missing++
		}
	}
	if missing != 21 {
		t.Errorf("%d bytes have no token, want 21", missing)
	}
	fixture := tokenTexts(t)
	for i, text := range fixture.Texts {
		compareTokens(t, tok, "SmolLM2", text, fixture.SmolLM2[i])
	}
	if before, after := tok.Around(); len(before)+len(after) > 0 {
		t.Errorf("tokens %d and %d around a text, want none", before, after)
	}
}

// What goes around a text is the post-processor's and tokenizer_config.json's to say.
func TestAround(t *testing.T) {
	template := func(processor string) []string {
		return []string{`"post_processor":null`, `"post_processor":` + processor}
	}
	const bos = `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"B","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"B":{"id":"B","ids":[1],"tokens":["B"]}}}`
	for _, test := range []struct {
		replace       []string
		config        string
		before, after []int
		err           string
	}{
		{},
		{config: `{"bos_token":"<|im_start|>"}`},
		{config: `{"bos_token":"<|im_start|>","add_bos_token":true}`, before: []int{1}},
		{config: `{"bos_token":{"content":"<|im_start|>"},"eos_token":"<|im_end|>","add_bos_token":false,"add_eos_token":true}`, after: []int{2}},
		{config: `{"bos_token":null,"add_bos_token":true}`},
		{config: `{"bos_token":"<s>","add_bos_token":true}`, err: `bos_token is "<s>"`},
		{config: `{"bos_token":7,"add_bos_token":true}`, err: "bos_token:"},
		{config: `[`, err: "tokenizer_config.json:"},
		{replace: template(bos), before: []int{1}},
		{replace: template(bos), config: `{"add_bos_token":false}`},
		{replace: template(`{"type":"Sequence","processors":[{"type":"ByteLevel"},` + bos + `]}`), before: []int{1}},
		{replace: template(`{"type":"ByteLevel"}`)},
		{replace: template(strings.Replace(bos, `"single":[`, `"single":[{"Sequence":{"id":"A"}},`, 1)), err: "other parts"},
		{replace: template(strings.Replace(bos, `{"Sequence":{"id":"A","type_id":0}}`, `{"SpecialToken":{"id":"B"}}`, 1)), err: "without a sequence"},
		{replace: template(strings.Replace(bos, `"ids":[1]`, `"ids":[99999]`, 1)), err: "token 99999"},
		{replace: template(strings.Replace(bos, `"B":{`, `"C":{`, 1)), err: `template has "B"`},
		{replace: template(`{"type":"Sequence","processors":[{"type":"Sequence"}]}`), err: `"processors": unexpected end`},
		{replace: template(`{"type":"BertProcessing","sep":["S",2],"cls":["C",1]}`), before: []int{1}, after: []int{2}},
		{replace: template(`{"type":"RobertaProcessing","sep":["S",2],"cls":["C",99999],"trim_offsets":true,"add_prefix_space":true}`), err: "token 99999"},
		{replace: template(`{"type":"BertProcessing"}`), err: "no sep"},
	} {
		data, err := os.ReadFile("testdata/digits.json")
		if err != nil {
			t.Fatal(err)
		}
		var config []byte
		if test.config != "" {
			config = []byte(test.config)
		}
		s := strings.NewReplacer(test.replace...).Replace(string(data))
		if len(test.replace) > 0 && s == string(data) {
			t.Fatalf("nothing to replace by %q", test.replace)
		}
		tok, err := Parse([]byte(s), config)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q, %s: error %v, want one about %s", test.replace, test.config, err, test.err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if before, after := tok.Around(); !slices.Equal(before, test.before) || !slices.Equal(after, test.after) {
			t.Errorf("%q, %s: tokens %d and %d around a text, want %d and %d", test.replace, test.config, before, after, test.before, test.after)
		}
	}
}
