package tokenizer

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tokenFixture is what testdata/tokens.py writes.
type tokenFixture struct {
	Texts           []string
	Tokenizers      []tokenVariant
	SmolLM2, MiniLM string // checksums
}

// A tokenVariant is a file with some fields set, and the tokens that it makes of the
// texts.
type tokenVariant struct {
	File string
	Set  map[string]json.RawMessage
	Sums string
	IDs  [][]int // of some
}

func tokenTexts(t testing.TB) tokenFixture {
	t.Helper()
	data, err := os.ReadFile("testdata/tokens.json")
	if err != nil {
		t.Fatal(err)
	}
	var f tokenFixture
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Texts) < 200 || len(f.Tokenizers) < 50 {
		t.Fatalf("%d texts, %d tokenizers", len(f.Texts), len(f.Tokenizers))
	}
	return f
}

// with returns a tokenizer.json with some fields set, whose names have dots where one
// is in another.
func with(t testing.TB, data []byte, set map[string]json.RawMessage) []byte {
	t.Helper()
	for name, value := range set {
		outer, inner, nested := strings.Cut(name, ".")
		var f map[string]json.RawMessage
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatal(err)
		}
		if nested {
			value = with(t, f[outer], map[string]json.RawMessage{inner: value})
		}
		f[outer] = value
		var err error
		if data, err = json.Marshal(f); err != nil {
			t.Fatal(err)
		}
	}
	return data
}

func (v *tokenVariant) parse(t testing.TB) *Tokenizer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", v.File))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Parse(with(t, data, v.Set), nil)
	if err != nil {
		t.Fatalf("%s: %v", v, err)
	}
	return tok
}

func (v *tokenVariant) String() string {
	set, _ := json.Marshal(v.Set)
	return v.File + " with " + string(set)
}

// TestTokens checks that texts become the tokens that the Python package tokenizers makes
// of them, and that tokens become its texts.
func TestTokens(t *testing.T) {
	f := tokenTexts(t)
	compared, differ := 0, 0
	for _, v := range f.Tokenizers {
		tok := v.parse(t)
		name := v.String()
		for i, text := range f.Texts {
			compared++
			got, sum := tokenLines(tok, text)
			if v.IDs != nil && !slices.Equal(got, v.IDs[i]) {
				t.Errorf("%.200s: %q is %v, want %v", name, text, got, v.IDs[i])
			}
			if sum != sumOf(v.Sums, i) {
				if differ++; differ < 50 {
					t.Errorf("%.200s: %q is %v, or its text is not as it should be", name, text, got)
				}
			}
		}
	}
	t.Logf("%d tokenizers, %d texts: %d differences", len(f.Tokenizers), compared, differ)
}

const sumDigits = 3

func sumOf(sums string, i int) string { return sums[i*sumDigits:][:sumDigits] }

func checksum(text string) string {
	return fmt.Sprintf("%03x", crc32.ChecksumIEEE([]byte(text))&0xfff)
}

// tokenLines returns the tokens of a text and the checksum of what the fixture has of
// it.
func tokenLines(tok *Tokenizer, text string) ([]int, string) {
	ids, err := tok.Encode(text)
	if err != nil {
		return nil, checksum("error")
	}
	before, after := tok.Around()
	around := slices.Concat(before, ids, after)
	return ids, checksum(strings.Join([]string{numbers(ids), numbers(around), tok.Text(around, false), tok.Text(around, true)}, "\n"))
}

func numbers(ids []int) string { return strings.Trim(fmt.Sprint(ids), "[]") }

// TestTokensModels has the tokenizers of published models. In SmolLM2's, 21 bytes have no
// token.
func TestTokensModels(t *testing.T) {
	f := tokenTexts(t)
	for name, sums := range map[string]string{"smollm2": f.SmolLM2, "minilm": f.MiniLM} {
		tok := published(t, name)
		differ := 0
		for i, text := range f.Texts {
			if ids, sum := tokenLines(tok, text); sum != sumOf(sums, i) {
				differ++
				t.Errorf("%s: %q is %v, or its text is not as it should be", name, text, ids)
			}
		}
		t.Logf("%s: %d texts, %d differences", name, len(f.Texts), differ)
	}
}

// TestPatternsOfTexts checks that regular expressions split texts as they do in the
// package tokenizers.
func TestPatternsOfTexts(t *testing.T) {
	f := tokenTexts(t)
	data, err := os.ReadFile("testdata/patterns.json")
	if err != nil {
		t.Fatal(err)
	}
	var patterns []struct{ Pattern, Sums string }
	if err := json.Unmarshal(data, &patterns); err != nil {
		t.Fatal(err)
	}
	for n, p := range patterns {
		find, err := regexFinder(p.Pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		at := 0
		for i := n % 3; i < len(f.Texts); i += 3 {
			var all, between []string
			find(f.Texts[i], func(part string, match bool) {
				if part != "" {
					all = append(all, part)
				}
				if !match {
					between = append(between, part)
				}
			})
			if sumOf(p.Sums, at) == checksum("too slow") { // Oniguruma gave up
				at++
				continue
			}
			if checksum(strings.Join(all, "\x1f")+"\x1e"+strings.Join(between, "\x1f")) != sumOf(p.Sums, at) {
				t.Errorf("%s: %q is split into %q, where matches are not %q", p.Pattern, f.Texts[i], all, between)
			}
			at++
		}
	}
}

// published returns the tokenizer of a published model: of the directory called name in
// the directory that BITMOD_MODELS names. It skips the test if there is none.
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

// TestAround checks that the post-processor and tokenizer_config.json determine what goes
// around a text.
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
		{replace: template(strings.Replace(bos, `{"Sequence":{"id":"A","type_id":0}}`, `{"SpecialToken":{"id":"B"}}`, 1)), err: "has no sequence"},
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
