package tokenizer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bitmod-go/bitmod/quant"
)

// streamed returns the text of tokens one by one.
func streamed(t interface{ Decode(prev, token int) []byte }, bos int, tokens []int) string {
	var b strings.Builder
	prev := bos
	for _, token := range tokens {
		b.Write(t.Decode(prev, token))
		prev = token
	}
	return b.String()
}

// TestMerger compares with the definition: look for the best pair, merge it, and start
// again.
func TestMerger(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var m merger
	for range 500 {
		type becomes struct {
			token int32
			rank  float64
		}
		rules := map[[2]int32]becomes{}
		for i := range int32(12) {
			// Ranks repeat, so that ties occur.
			rules[[2]int32{r.Int32N(4 + i), r.Int32N(4 + i)}] = becomes{4 + i, float64(r.IntN(5))}
		}
		merge := func(a, b int32) (int32, float64, bool) {
			to, ok := rules[[2]int32{a, b}]
			return to.token, to.rank, ok
		}
		symbols := make([]int32, r.IntN(80))
		for i := range symbols {
			symbols[i] = r.Int32N(4)
		}
		want := slices.Clone(symbols)
		for {
			best, token, rank := -1, int32(0), 0.0
			for i := range len(want) - 1 {
				if tk, rk, ok := merge(want[i], want[i+1]); ok && (best < 0 || rk < rank) {
					best, token, rank = i, tk, rk
				}
			}
			if best < 0 {
				break
			}
			want = slices.Replace(want, best, best+2, token)
		}
		if got := m.run(symbols, merge); !slices.Equal(got, want) {
			t.Fatalf("%d became %d, want %d; rules %v", symbols, got, want, rules)
		}
	}
}

const llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// TestPatterns checks how patterns split texts, by their definition.
func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          []string
	}{
		{gpt2Pattern, "Hello world", []string{"Hello", " world"}},
		{gpt2Pattern, "I'll don't WE'LL", []string{"I", "'ll", " don", "'t", " WE", "'", "LL"}},
		{gpt2Pattern, "a   b\n\n c  ", []string{"a", "  ", " b", "\n\n", " c", "  "}},
		{gpt2Pattern, "12345, x!", []string{"12345", ",", " x", "!"}},
		{gpt2Pattern, "a\u00a0\u00a0b", []string{"a", "\u00a0", "\u00a0", "b"}},
		{llama3Pattern, "Hello world", []string{"Hello", " world"}},
		{llama3Pattern, "WE'LL 12345", []string{"WE", "'LL", " ", "123", "45"}},
		{llama3Pattern, "a \n  \n  b", []string{"a", " \n  \n", " ", " b"}},
		{llama3Pattern, "x = y;\n\n  }", []string{"x", " =", " y", ";\n\n", " ", " }"}},
		{llama3Pattern, "   ", []string{"   "}},
		{llama3Pattern, "日本 Zoë", []string{"日本", " Zoë"}},
	} {
		find, err := regexFinder(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		find(test.text, func(part string, _ bool) { got = append(got, part) })
		if !slices.Equal(got, test.want) {
			t.Errorf("%.10s…: %q is %q, want %q", test.pattern, test.text, got, test.want)
		}
	}
}

// jsonFile returns a tokenizer.json. Parts of it can be replaced.
func jsonFile(t *testing.T, kind string, replace ...string) []byte {
	t.Helper()
	vocab := map[string]int{}
	add := func(s string) { vocab[s] = len(vocab) }
	f := map[string]any{"version": "1.0"}
	model := map[string]any{"type": "BPE", "vocab": vocab}
	special := "<|begin_of_text|>"
	switch kind {
	case "llama3":
		for _, l := range byteLetters {
			add(string(l))
		}
		for _, s := range []string{"he", "ll", "llo", "hello", "Ġw", "Ġworld"} {
			add(s)
		}
		model["merges"] = []string{"h e", "l l", "ll o", "he llo", "Ġ w"}
		model["ignore_merges"] = true
		f["decoder"] = map[string]any{"type": "ByteLevel"}
		f["pre_tokenizer"] = map[string]any{"type": "Sequence", "pretokenizers": []any{
			map[string]any{"type": "Split", "pattern": map[string]any{"Regex": llama3Pattern}, "behavior": "Isolated", "invert": false},
			map[string]any{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false},
		}}
	case "llama2":
		add("<unk>")
		special = "<s>"
		add(special)
		for b := range 256 {
			add(fmt.Sprintf("<0x%02X>", b))
		}
		for _, s := range []string{"▁", "h", "e", "l", "o", "ll", "he", "▁he", "llo", "▁hello"} {
			add(s)
		}
		model["merges"] = [][2]string{{"l", "l"}, {"h", "e"}, {"▁", "he"}, {"ll", "o"}, {"▁he", "llo"}}
		model["byte_fallback"] = true
		f["decoder"] = map[string]any{"type": "Sequence", "decoders": []any{
			map[string]any{"type": "Replace", "pattern": map[string]any{"String": "▁"}, "content": " "},
			map[string]any{"type": "ByteFallback"},
			map[string]any{"type": "Fuse"},
			map[string]any{"type": "Strip", "content": " ", "start": 1, "stop": 0},
		}}
		f["normalizer"] = map[string]any{"type": "Sequence", "normalizers": []any{
			map[string]any{"type": "Prepend", "prepend": "▁"},
			map[string]any{"type": "Replace", "pattern": map[string]any{"String": " "}, "content": "▁"},
		}}
	}
	id, ok := vocab[special]
	if !ok {
		id = len(vocab)
	}
	f["added_tokens"] = []any{map[string]any{"id": id, "content": special, "special": true}}
	f["model"] = model
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	s := strings.NewReplacer(replace...).Replace(string(b))
	if len(replace) > 0 && s == string(b) {
		t.Fatalf("nothing to replace by %q", replace)
	}
	return []byte(s)
}

func TestTokenizerJSON(t *testing.T) {
	for _, test := range []struct {
		kind, text string
		want       []string // pieces
	}{
		{"llama3", "hello world", []string{"hello", "Ġworld"}}, // the second by ignore_merges
		{"llama3", "hell wo", []string{"he", "ll", "Ġw", "o"}},
		{"llama3", "ü<|begin_of_text|>hello", []string{"Ã", "¼", "<|begin_of_text|>", "hello"}},
		{"llama3", "", nil},
		{"llama2", "hello hell", []string{"▁hello", "▁he", "ll"}},
		{"llama2", "ü", []string{"▁", "<0xC3>", "<0xBC>"}},
		{"llama2", " hello", []string{"▁", "▁hello"}},
	} {
		tok, err := Parse(jsonFile(t, test.kind), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tok.Encode(test.text)
		if err != nil {
			t.Fatal(err)
		}
		var pieces []string
		for _, token := range got {
			piece, _ := tok.piece(token)
			pieces = append(pieces, piece)
		}
		if !slices.Equal(pieces, test.want) {
			t.Errorf("%s: %q is %q, want %q", test.kind, test.text, pieces, test.want)
		}
		bos, _ := tok.Token(map[string]string{"llama3": "<|begin_of_text|>", "llama2": "<s>"}[test.kind])
		if back := streamed(tok, bos, got); back != strings.ReplaceAll(test.text, "<|begin_of_text|>", "") {
			t.Errorf("%s: %q came back as %q", test.kind, test.text, back)
		}
	}
}

func TestTokenizerJSONErrors(t *testing.T) {
	for _, test := range []struct {
		kind    string
		replace []string
		want    string
	}{
		{"llama3", []string{`"BPE"`, `"BPX"`}, `model type is "BPX"`},
		{"llama3", []string{`"BPE"`, `"Unigram"`}, "Unigram: json"},
		{"llama3", []string{`"Isolated"`, `"isolated"`}, `behavior "isolated" is not supported`},
		{"llama3", []string{`(?i:`, `(?i=`}, "pattern"},
		{"llama3", []string{`"ll o"`, `"ll oo"`}, `merge 2: "ll" and "oo"`},
		{"llama3", []string{`"ll o"`, `"llo"`}, "merge 2: has 1 parts"},
		{"llama3", []string{`"ll o"`, `7`}, "merge 2:"},
		{"llama3", []string{`"Ġ":`, `"ĠĠ":`}, `"Ġ" and "w" are not tokens`},
		{"llama3", []string{`"he":256`, `"he":257`}, "two tokens have number 257"},
		{"llama3", []string{`"pretokenizers":[`, `"pretokenizers":[null,`}, "without a type"},
		{"llama3", []string{`"pretokenizers":[`, `"pretokenizers":[` + strings.Repeat(`{"type":"Digits"},`, 32)}, "more than 32 pre-tokenizers"},
		{"llama3", []string{`"pretokenizers":[`, `"pretokenizers":[{"type":"Sequences"},`}, `pre-tokenizer "Sequences" is not supported`},
		{"llama2", []string{`"model":`, `"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"last"},"model":`}, `prepend_scheme is "last"`},
		{"llama3", []string{`"he":256`, `"he":99999999`}, "has number 99999999"},
		{"llama3", []string{`"he":256`, `"he":-1`}, "has number -1"},
		{"llama2", []string{`"vocab":{`, `"vocab":{},"x":{`}, "no vocabulary"},
		{"llama2", []string{`{"added`, `{added`}, "tokenizer.json:"},
	} {
		_, err := Parse(jsonFile(t, test.kind, test.replace...), nil)
		if !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want one about %q", test.replace, err, test.want)
		}
	}
}

// fixtures are the tokenizers that testdata/tokens.py makes.
var fixtures = []string{"digits.json", "spaces.json", "suffix.json", "bert.json", "unigram.json", "level.json"}

func FuzzTokenizerJSON(f *testing.F) {
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a","a"]],"byte_fallback":true}}`), []byte(`{}`), "a b")
	for _, name := range fixtures {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, []byte(`{"bos_token":"<s>","add_bos_token":true}`), "a word <left> 12</s>\x04")
	}
	// Small ones with every component.
	small := []byte(`{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"<0x41>":3},"merges":["a b"],"byte_fallback":true},"added_tokens":[{"id":4,"content":"x","normalized":true,"lstrip":true,"rstrip":true}]}`)
	for _, v := range tokenTexts(f).Tokenizers {
		set := map[string]json.RawMessage{}
		for name, value := range v.Set {
			if !strings.Contains(name, ".") {
				set[name] = value
			}
		}
		f.Add(with(f, small, set), []byte(`{}`), " ab\u0301\r\nxA x")
	}
	f.Fuzz(func(t *testing.T, data, config []byte, text string) {
		tok, err := Parse(data, config)
		if err != nil {
			return
		}
		tokens, err := tok.Encode(text)
		if err != nil {
			return
		}
		before, after := tok.Around()
		all := slices.Concat(before, tokens, after)
		for i, token := range all {
			if token < 0 || token >= tok.Vocab() {
				t.Fatalf("token %d of %d", token, tok.Vocab())
			}
			tok.Decode(all[max(i-1, 0)], token)
		}
		if out := tok.Text(all, true); !utf8.ValidString(out) {
			t.Fatalf("text %q", out)
		}
	})
}

// FuzzPrecompiled checks that even a wrong table of characters puts nothing invalid into
// a text, wherever the table is cut.
func FuzzPrecompiled(f *testing.F) {
	data := charsmap(f)
	f.Add(data, "\ufb01\u0301 e\u0301 \uff21\r\n\u00bd")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		raw, err := json.Marshal(map[string]string{"precompiled_charsmap": base64.StdEncoding.EncodeToString(data)})
		if err != nil {
			t.Fatal(err)
		}
		n, err := newPrecompiled(raw)
		if err != nil {
			if !errors.Is(err, quant.ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if out := n.normalize(lossy(text), 1<<20); !utf8.ValidString(out) {
			t.Fatalf("%q became %q", text, out)
		}
	})
}

// charsmap returns the table of characters of testdata/tokens.py.
func charsmap(t testing.TB) []byte {
	for _, v := range tokenTexts(t).Tokenizers {
		var s struct {
			Map []byte `json:"precompiled_charsmap"`
		}
		if json.Unmarshal(v.Set["normalizer"], &s) == nil && len(s.Map) > 0 {
			return s.Map
		}
	}
	t.Fatal("no table of characters")
	return nil
}

// TestBounds has files that ask for more than any text is worth.
func TestBounds(t *testing.T) {
	long := strings.Repeat("a", maxAdded+1)
	for _, test := range []struct{ set, text, err string }{
		{`{"normalizer":{"type":"Prepend","prepend":"` + long + `"}}`, "", "prepend has"},
		{`{"normalizer":{"type":"Replace","pattern":{"String":"a"},"content":"` + long + `"}}`, "", "content has"},
		{`{"normalizer":{"type":"Sequence","normalizers":[` + strings.Repeat(`{"type":"Replace","pattern":{"Regex":"a"},"content":"aaaaaaaa"},`, 16) + `{"type":"NFC"}]}}`, strings.Repeat("a", 10000), "times longer"},
		{`{"added_tokens":[{"id":0,"content":"` + long + `"}]}`, "", "added token 0 has"},
		{`{"normalizer":` + strings.Repeat(`{"type":"Sequence","normalizers":[`, 50) + strings.Repeat(`]}`, 50) + `}`, "", "more than 32 normalizers"},
		{`{"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA"}}`, "", "precompiled_charsmap has 3 bytes"},
		{`{"normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="}}`, "", "with a trie of 4294967295"},
		{`{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?:a{1000}){1000}"},"behavior":"Removed","invert":false}}`, "", "instructions"},
		{`{"pre_tokenizer":{"type":"Split","pattern":{},"behavior":"Removed","invert":false}}`, "", "neither a String nor a Regex"},
		{`{"pre_tokenizer":{"type":"FixedLength","length":0}}`, "", "length is 0"},
		{`{"pre_tokenizer":{"type":"Metaspace","replacement":"ab"}}`, "", "one character"},
		{`{"model":{"type":"WordPiece","vocab":{"` + strings.Repeat("a", maxPiece+1) + `":0,"[UNK]":1}}}`, "", "bytes, want at most"},
		{`{"model":{"type":"WordPiece","vocab":{"a":0}}}`, "", `unk_token is "[UNK]"`},
		{`{"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":1}}`, "", "unk_id is 1 of 1"},
		{`{"model":{"type":"Unigram","vocab":[["a",0,1]]}}`, "", "3 parts"},
		{`{"normalizer":null,"model":{"type":"Unigram","vocab":[["a",0]]}}`, "b", `no token for "b"`},
		{`{"normalizer":null,"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"b"}}`, "c", `no token for "c"`},
		{`{"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"B"}},{"Sequence":{"id":"A"}}],"special_tokens":{"B":{"ids":[` + strings.Repeat("1,", 100) + `1]}}}}`, "", "more than 64 tokens"},
	} {
		var set map[string]json.RawMessage
		if err := json.Unmarshal([]byte(test.set), &set); err != nil {
			t.Fatal(err)
		}
		tok, err := Parse(with(t, jsonFile(t, "llama2"), set), nil)
		if err == nil {
			_, err = tok.Encode(test.text)
		}
		if !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%.100s: error %v, want one about %s", test.set, err, test.err)
		}
	}
}

// TestHostile has files and texts with which searches would take time quadratic in the
// text if they looked at everything again.
func TestHostile(t *testing.T) {
	const n = 1 << 16
	for _, test := range []struct{ set, text string }{
		{`{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\s+x"},"behavior":"Isolated","invert":false}}`, strings.Repeat(" ", n)},
		{`{"normalizer":{"type":"Replace","pattern":{"Regex":"(?:\\s+)+x"},"content":""}}`, strings.Repeat(" ", n)},
		{`{"added_tokens":[{"id":0,"content":" ","lstrip":true,"rstrip":true}]}`, strings.Repeat(" ", n)},
		{`{"added_tokens":[{"id":0,"content":"` + strings.Repeat("a", maxAdded-1) + `b"}]}`, strings.Repeat("a", n)},
		{`{}`, strings.Repeat("lo", n)},
		{`{"normalizer":{"type":"NFD"}}`, "a" + strings.Repeat("\u0301\u0316", n)},
		{`{"normalizer":{"type":"NFC"}}`, "a" + strings.Repeat("\u0301\u0316", n)},
		{`{"normalizer":null,"model":{"type":"WordPiece","vocab":{"a":0,"##a":1,"##` + strings.Repeat("a", maxPiece-3) + `b":2,"[UNK]":3},"max_input_chars_per_word":100000000}}`, strings.Repeat("a", n)},
		{`{"normalizer":null,"model":{"type":"Unigram","vocab":[["a",0],["` + strings.Repeat("a", maxPiece-1) + `b",1]],"unk_id":0}}`, strings.Repeat("a", n)},
	} {
		var set map[string]json.RawMessage
		if err := json.Unmarshal([]byte(test.set), &set); err != nil {
			t.Fatal(err)
		}
		tok, err := Parse(with(t, jsonFile(t, "llama2"), set), nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := tok.Encode(test.text); err != nil {
			t.Errorf("%.100s: %v", test.set, err)
		}
		if took := time.Since(start); took > 20*time.Second { // a hundred times what it takes
			t.Errorf("%.100s: %v", test.set, took)
		} else {
			t.Logf("%.60s: %v", test.set, took)
		}
	}
}

// TestCut checks that a file that ends early is an error, wherever it ends.
func TestCut(t *testing.T) {
	for _, name := range fixtures {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(bytes.TrimSpace(data)) {
			if _, err := Parse(data[:n], nil); !errors.Is(err, quant.ErrFormat) {
				t.Fatalf("%s cut after %d bytes: error %v", name, n, err)
			}
		}
	}
	data := charsmap(t)
	for n := range data {
		raw := fmt.Appendf(nil, `{"precompiled_charsmap":%q}`, base64.StdEncoding.EncodeToString(data[:n]))
		p, err := newPrecompiled(raw)
		if err != nil {
			if !errors.Is(err, quant.ErrFormat) {
				t.Fatal(err)
			}
			continue
		}
		p.normalize("\ufb01\u0301 e\u0301 \uff21\r\n\u00bd", 1<<20)
	}
}

// TestAddedNumbers checks that added tokens have the numbers that the package tokenizers
// gives them, which are not always those of the file.
func TestAddedNumbers(t *testing.T) {
	set := map[string]json.RawMessage{"added_tokens": json.RawMessage(`[{"id":0,"content":"<unk>"},{"id":86,"content":"<x>"},{"id":83,"content":"<y>"},{"id":3,"content":"<z>"},{"id":90,"content":"king"},{"id":88,"content":"<w>"}]`)}
	tok := (&tokenVariant{File: "level.json", Set: set}).parse(t)
	got, err := tok.Encode("<x><y><z>king<w><unk>")
	if want := []int{81, 82, 83, 43, 84, 0}; err != nil || !slices.Equal(got, want) {
		t.Errorf("tokens %d, error %v, want %d", got, err, want)
	}
	if got := tok.Vocab(); got != 85 {
		t.Errorf("%d tokens, want 85", got)
	}
}

// TestConcurrent uses one tokenizer in several goroutines at a time.
func TestConcurrent(t *testing.T) {
	f := tokenTexts(t)
	for _, v := range f.Tokenizers[:6] {
		tok := v.parse(t)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for i, text := range f.Texts {
					if _, sum := tokenLines(tok, text); sum != sumOf(v.Sums, i) {
						t.Errorf("%s: %q differs", v.File, text)
					}
				}
			})
		}
		wg.Wait()
	}
}
