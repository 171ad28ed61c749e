package llm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A jsonTokenizer is byte-pair encoding as Hugging Face's tokenizer.json describes
// it. There are two kinds:
//
//   - GPT-2's, of Llama 3: a text is split by a regular expression, and the bytes of
//     each part are merged. Pieces are written with a letter for every byte.
//   - SentencePiece's, of Llama 2: spaces become ▁, a text gets one in front, and is
//     merged as a whole, character by character; characters without a token are
//     written as bytes <0xNN>.
type jsonTokenizer struct {
	pieces  []string // by token; GPT-2's in letters for bytes
	index   map[string]int
	ranks   map[[2]int]merge
	whole   bool // a part that is a piece is taken as it is ("ignore_merges")
	bytes   bool // GPT-2's kind
	space   bool // a text gets a space in front
	split   *splitter
	special map[int]bool
	added   []string // in texts these are tokens before anything else; longest first
}

type merge struct{ token, rank int }

// tokenizerJSON is what we read of the file.
type tokenizerJSON struct {
	Normalizer   *step `json:"normalizer"`
	PreTokenizer *step `json:"pre_tokenizer"`
	Added        []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	} `json:"added_tokens"`
	Model struct {
		Type         string            `json:"type"`
		Vocab        map[string]int    `json:"vocab"`
		Merges       []json.RawMessage `json:"merges"`
		IgnoreMerges bool              `json:"ignore_merges"`
		ByteFallback bool              `json:"byte_fallback"`
		Dropout      *float64          `json:"dropout"`
		Prefix       *string           `json:"continuing_subword_prefix"`
		Suffix       *string           `json:"end_of_word_suffix"`
	} `json:"model"`
}

// A step is a normalizer or a pre-tokenizer, or a sequence of them.
type step struct {
	Type          string  `json:"type"`
	Normalizers   []*step `json:"normalizers"`
	PreTokenizers []*step `json:"pretokenizers"`
	Pattern       struct {
		Regex  string `json:"Regex"`
		String string `json:"String"`
	} `json:"pattern"`
	Behavior       string `json:"behavior"`
	Invert         bool   `json:"invert"`
	UseRegex       *bool  `json:"use_regex"`
	AddPrefixSpace bool   `json:"add_prefix_space"`
	Prepend        string `json:"prepend"`
	Content        string `json:"content"`
	Replacement    string `json:"replacement"`
	PrependScheme  string `json:"prepend_scheme"`
	Split          bool   `json:"split"`
}

const spaceMark = "▁" // SentencePiece's

// ParseTokenizerJSON reads the contents of a tokenizer.json with a byte-pair
// encoding of the kinds of Llama 2 and Llama 3. Anything in it that would give
// other tokens than ours is an error. Its template, which puts tokens around a
// text, is not read: config.json says what starts one.
func ParseTokenizerJSON(data []byte) (Tokenizer, error) {
	var f tokenizerJSON
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, formatErrorf("tokenizer.json: %v", err)
	}
	m := &f.Model
	switch {
	case m.Type != "BPE":
		return nil, formatErrorf("tokenizer.json: model type is %q, want BPE", m.Type)
	case len(m.Vocab) == 0:
		return nil, formatErrorf("tokenizer.json: no vocabulary")
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, formatErrorf("tokenizer.json: dropout is not supported")
	case m.Prefix != nil && *m.Prefix != "" || m.Suffix != nil && *m.Suffix != "":
		return nil, formatErrorf("tokenizer.json: prefixes and suffixes of words are not supported")
	}
	t := &jsonTokenizer{
		index:   m.Vocab,
		ranks:   make(map[[2]int]merge, len(m.Merges)),
		special: map[int]bool{},
		whole:   m.IgnoreMerges,
	}
	if err := t.steps(&f); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if !t.bytes && !m.ByteFallback {
		return nil, formatErrorf("tokenizer.json: neither ByteLevel nor byte_fallback, so that not every text has tokens")
	}
	if err := t.readPieces(&f); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	for rank, raw := range m.Merges {
		if err := t.readMerge(rank, raw); err != nil {
			return nil, fmt.Errorf("tokenizer.json: merge %d: %w", rank, err)
		}
	}
	return t, nil
}

func (t *jsonTokenizer) readPieces(f *tokenizerJSON) error {
	// Numbers may have gaps, but not such as make the list of pieces huge.
	limit := 2*(len(t.index)+len(f.Added)) + 1024
	set := func(token int, piece string) error {
		if token < 0 || token >= limit {
			return formatErrorf("token %.40q has number %d, want 0 to %d", piece, token, limit-1)
		}
		if token >= len(t.pieces) {
			t.pieces = append(t.pieces, make([]string, token+1-len(t.pieces))...)
		}
		t.pieces[token] = piece
		return nil
	}
	for piece, token := range t.index {
		if err := set(token, piece); err != nil {
			return err
		}
	}
	for _, a := range f.Added {
		if a.Content == "" {
			continue
		}
		if err := set(a.ID, a.Content); err != nil {
			return err
		}
		t.index[a.Content] = a.ID
		t.special[a.ID] = a.Special
		t.added = append(t.added, a.Content)
	}
	slices.SortStableFunc(t.added, func(a, b string) int { return len(b) - len(a) })
	if !t.bytes {
		return nil
	}
	for b := range 256 {
		if _, ok := t.index[string(byteLetters[b])]; !ok {
			return formatErrorf("there is no token for byte %#02x (%q)", b, byteLetters[b])
		}
	}
	return nil
}

// readMerge reads a merge, "a b" or ["a","b"].
func (t *jsonTokenizer) readMerge(rank int, raw json.RawMessage) error {
	var (
		pair []string
		text string
	)
	if json.Unmarshal(raw, &text) == nil {
		pair = strings.SplitN(text, " ", 2)
	} else if err := json.Unmarshal(raw, &pair); err != nil {
		return formatErrorf("%v", err)
	}
	if len(pair) != 2 {
		return formatErrorf("has %d parts, want 2", len(pair))
	}
	a, okA := t.index[pair[0]]
	b, okB := t.index[pair[1]]
	both, ok := t.index[pair[0]+pair[1]]
	if !okA || !okB || !ok {
		return formatErrorf("%q and %q are not tokens, or not together", pair[0], pair[1])
	}
	if _, dup := t.ranks[[2]int{a, b}]; !dup {
		t.ranks[[2]int{a, b}] = merge{both, rank}
	}
	return nil
}

// steps reads the normalizer and the pre-tokenizer.
func (t *jsonTokenizer) steps(f *tokenizerJSON) error {
	for _, s := range f.Normalizer.list() {
		switch {
		case s.Type == "Prepend" && s.Prepend == spaceMark:
			t.space = true
		case s.Type == "Replace" && s.Pattern.String == " " && s.Content == spaceMark:
		default:
			// NFC and the like would need Unicode's tables.
			return formatErrorf("normalizer %q is not supported", s.Type)
		}
	}
	for _, s := range f.PreTokenizer.list() {
		pattern := ""
		switch {
		case s.Type == "ByteLevel":
			t.bytes = true
			t.space = t.space || s.AddPrefixSpace
			if s.UseRegex == nil || *s.UseRegex {
				pattern = gpt2Pattern
			}
		case s.Type == "Split" && s.Pattern.Regex != "" && s.Behavior == "Isolated" && !s.Invert:
			pattern = s.Pattern.Regex
		case s.Type == "Metaspace" && s.Replacement == spaceMark && !s.Split:
			t.space = s.PrependScheme != "never"
		default:
			return formatErrorf("pre-tokenizer %q with behavior %q is not supported", s.Type, s.Behavior)
		}
		if pattern == "" {
			continue
		}
		if t.split != nil {
			return formatErrorf("more than one pre-tokenizer with a pattern is not supported")
		}
		var err error
		if t.split, err = newSplitter(pattern); err != nil {
			return err
		}
	}
	return nil
}

// list returns the steps of a sequence, or the one.
func (s *step) list() []*step {
	switch {
	case s == nil:
		return nil
	case s.Type == "Sequence":
		return slices.Concat(s.Normalizers, s.PreTokenizers)
	}
	return []*step{s}
}

func (t *jsonTokenizer) Vocab() int { return len(t.pieces) }

func (t *jsonTokenizer) Encode(text string) ([]int, error) {
	var tokens []int
	for first := true; text != ""; first = false {
		// The text up to the next added token is encoded on its own.
		at, name := len(text), ""
		for _, a := range t.added {
			if i := strings.Index(text[:min(at+len(a), len(text))], a); i >= 0 && i < at {
				at, name = i, a
			}
		}
		if at > 0 {
			part := text[:at]
			if t.space && first && !(t.bytes && part[0] == ' ') {
				part = " " + part
			}
			var err error
			if tokens, err = t.encode(tokens, part); err != nil {
				return nil, err
			}
		}
		if name != "" {
			tokens = append(tokens, t.index[name])
		}
		text = text[at+len(name):]
	}
	return tokens, nil
}

func (t *jsonTokenizer) encode(tokens []int, text string) ([]int, error) {
	if !t.bytes {
		symbols, err := t.characters(strings.ReplaceAll(text, " ", spaceMark))
		return append(tokens, t.merge(symbols)...), err
	}
	for part := range t.split.parts(text) {
		letters := make([]rune, len(part))
		for i := range letters {
			letters[i] = byteLetters[part[i]]
		}
		if token, ok := t.index[string(letters)]; ok && t.whole {
			tokens = append(tokens, token)
			continue
		}
		symbols := make([]int, len(letters))
		for i, l := range letters {
			symbols[i] = t.index[string(l)] // readPieces found all
		}
		tokens = append(tokens, t.merge(symbols)...)
	}
	return tokens, nil
}

// characters returns the tokens of single characters.
func (t *jsonTokenizer) characters(text string) ([]int, error) {
	var symbols []int
	for text != "" {
		_, n := utf8.DecodeRuneInString(text)
		if token, ok := t.index[text[:n]]; ok {
			symbols = append(symbols, token)
		} else {
			for _, b := range []byte(text[:n]) {
				token, ok := t.index[fmt.Sprintf("<0x%02X>", b)]
				if !ok {
					return nil, fmt.Errorf("llm: the tokenizer has no token for %q", text[:n])
				}
				symbols = append(symbols, token)
			}
		}
		text = text[n:]
	}
	return symbols, nil
}

func (t *jsonTokenizer) merge(symbols []int) []int {
	if len(symbols) < 2 {
		return symbols
	}
	return bytePair(symbols, func(a, b int) (int, float64, bool) {
		m, ok := t.ranks[[2]int{a, b}]
		return m.token, float64(m.rank), ok
	})
}

func (t *jsonTokenizer) Decode(prev, token int) []byte {
	if token < 0 || token >= len(t.pieces) || t.special[token] {
		return nil
	}
	piece := t.pieces[token]
	if !t.bytes {
		if b, ok := byteToken(piece); ok {
			return []byte{b}
		}
		piece = strings.ReplaceAll(piece, spaceMark, " ")
		if t.space && t.special[prev] { // the space that Encode put in front
			piece = strings.TrimPrefix(piece, " ")
		}
		return []byte(piece)
	}
	var out []byte
	for _, l := range piece {
		b, ok := letterBytes[l]
		if !ok { // an added token, which is not written in letters
			return []byte(piece)
		}
		out = append(out, b)
	}
	return out
}
