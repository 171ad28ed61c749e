package llm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// A jsonTokenizer is byte-pair encoding as Hugging Face's tokenizer.json describes
// it. There are two kinds:
//
//   - GPT-2's, of Llama 3: a text is taken apart by patterns, and the bytes of each
//     part are merged. Pieces are written with a letter for every byte.
//   - SentencePiece's, of Llama 2: spaces become ▁, a text gets one in front, and is
//     merged as a whole, character by character; characters without a token are
//     written as bytes <0xNN>.
//
// Characters and bytes that have no token at all become the token for what is
// unknown, or are left out if there is none, as the Python package tokenizers does.
type jsonTokenizer struct {
	pieces []string       // by token, without added ones; GPT-2's in letters for bytes
	index  map[string]int // of pieces
	ranks  map[[2]int]merge
	whole  bool     // a part that is a piece is taken as it is ("ignore_merges")
	bytes  bool     // GPT-2's kind
	byteID [256]int // tokens of bytes, −1 if there is none
	unk    int      // for what has no token; −1 if there is none
	fuse   bool     // several in a row are one

	added         addedTokens
	normalizers   []normalizer
	preTokenizers []preTokenizer
	before, after []int // what the template puts around a text
}

type merge struct{ token, rank int }

// tokenizerJSON is what we read of the file.
type tokenizerJSON struct {
	Normalizer    *step          `json:"normalizer"`
	PreTokenizer  *step          `json:"pre_tokenizer"`
	PostProcessor *postProcessor `json:"post_processor"`
	Added         []addedJSON    `json:"added_tokens"`
	Model         struct {
		Type         string            `json:"type"`
		Vocab        map[string]int    `json:"vocab"`
		Merges       []json.RawMessage `json:"merges"`
		IgnoreMerges bool              `json:"ignore_merges"`
		ByteFallback bool              `json:"byte_fallback"`
		Unknown      *string           `json:"unk_token"`
		FuseUnknown  bool              `json:"fuse_unk"`
		Dropout      *float64          `json:"dropout"`
		Prefix       *string           `json:"continuing_subword_prefix"`
		Suffix       *string           `json:"end_of_word_suffix"`
	} `json:"model"`
}

const spaceMark = "▁" // SentencePiece's

// ParseTokenizerJSON reads the contents of a tokenizer.json with a byte-pair
// encoding of the kinds of Llama 2 and Llama 3. Anything in it that would give
// other tokens than ours is an error. config, which may be nil, is the contents of
// the tokenizer_config.json beside it.
func ParseTokenizerJSON(data, config []byte) (Tokenizer, error) {
	t, err := parseTokenizer(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if config != nil {
		if err := t.readConfig(config); err != nil {
			return nil, fmt.Errorf("tokenizer_config.json: %w", err)
		}
	}
	return t, nil
}

func parseTokenizer(data []byte) (*jsonTokenizer, error) {
	var f tokenizerJSON
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, formatErrorf("%v", err)
	}
	m := &f.Model
	switch {
	case m.Type != "BPE":
		return nil, formatErrorf("model type is %q, want BPE", m.Type)
	case len(m.Vocab) == 0:
		return nil, formatErrorf("no vocabulary")
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, formatErrorf("dropout is not supported")
	case m.Prefix != nil && *m.Prefix != "" || m.Suffix != nil && *m.Suffix != "":
		return nil, formatErrorf("prefixes and suffixes of words are not supported")
	}
	t := &jsonTokenizer{
		index: m.Vocab,
		ranks: make(map[[2]int]merge, len(m.Merges)),
		whole: m.IgnoreMerges,
		unk:   -1,
		fuse:  m.FuseUnknown,
	}
	if err := t.readSteps(&f); err != nil {
		return nil, err
	}
	if !t.bytes && !m.ByteFallback {
		return nil, formatErrorf("neither ByteLevel nor byte_fallback, so that not every text has tokens")
	}
	if err := t.readPieces(&f); err != nil {
		return nil, err
	}
	if slices.Contains(t.byteID[:], -1) { // otherwise nothing is unknown
		if t.bytes && m.ByteFallback {
			return nil, formatErrorf("ByteLevel with byte_fallback is not supported")
		}
		if m.Unknown != nil {
			var ok bool
			if t.unk, ok = t.index[*m.Unknown]; !ok {
				return nil, formatErrorf("unk_token is %s, which is not in the vocabulary", badfile.Quote(*m.Unknown))
			}
		}
	}
	for rank, raw := range m.Merges {
		if err := t.readMerge(rank, raw); err != nil {
			return nil, fmt.Errorf("merge %d: %w", rank, err)
		}
	}
	return t, t.readTemplate(f.PostProcessor)
}

func (t *jsonTokenizer) readPieces(f *tokenizerJSON) error {
	// Numbers may have gaps, but not such as make the list of pieces huge.
	limit := 2*(len(t.index)+len(f.Added)) + 1024
	check := func(token int, piece string) error {
		if token < 0 || token >= limit {
			return formatErrorf("token %s has number %d, want 0 to %d", badfile.Quote(piece), token, limit-1)
		}
		return nil
	}
	top := 0
	for piece, token := range t.index {
		if err := check(token, piece); err != nil {
			return err
		}
		top = max(top, token)
	}
	t.pieces = make([]string, top+1)
	taken := make([]bool, top+1)
	for piece, token := range t.index {
		if taken[token] {
			return formatErrorf("two tokens have number %d", token)
		}
		t.pieces[token], taken[token] = piece, true
	}
	for _, a := range f.Added {
		if err := check(a.ID, a.Content); err != nil {
			return err
		}
	}
	for b := range t.byteID {
		name := string(byteLetters[b])
		if !t.bytes {
			name = fmt.Sprintf("<0x%02X>", b)
		}
		token, ok := t.index[name]
		if !ok {
			token = -1
		}
		t.byteID[b] = token
	}
	t.added = newAddedTokens(f.Added, t.normalize)
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
		return formatErrorf("%s and %s are not tokens, or not together", badfile.Quote(pair[0]), badfile.Quote(pair[1]))
	}
	t.ranks[[2]int{a, b}] = merge{both, rank}
	return nil
}

func (t *jsonTokenizer) Vocab() int { return max(len(t.pieces), t.added.top+1) }

func (t *jsonTokenizer) Around() (before, after []int) {
	return slices.Clone(t.before), slices.Clone(t.after)
}

func (t *jsonTokenizer) Encode(text string) ([]int, error) {
	var tokens []int
	start := true // what follows begins the text
	emit := func(token int) {
		tokens = append(tokens, token)
		start = false
	}
	t.added.plain.split(text, func(stretch string) {
		t.added.normalized.split(t.normalize(stretch), func(stretch string) {
			t.preTokenize(t.preTokenizers, stretch, start, func(part string) { tokens = t.encode(tokens, part) })
			start = false
		}, emit)
	}, emit)
	return tokens, nil
}

// encode appends the tokens of a part of a text that is merged on its own.
func (t *jsonTokenizer) encode(tokens []int, part string) []int {
	if t.whole {
		piece := part
		if t.bytes {
			piece = letters(part)
		}
		if token, ok := t.index[piece]; ok {
			return append(tokens, token)
		}
	}
	symbols := t.symbols(part)
	if len(symbols) < 2 {
		return append(tokens, symbols...)
	}
	return append(tokens, bytePair(symbols, func(a, b int) (int, float64, bool) {
		m, ok := t.ranks[[2]int{a, b}]
		return m.token, float64(m.rank), ok
	})...)
}

// symbols returns the tokens of the bytes or characters of a part. Those that have no
// token leave no gap: what is around them may merge.
func (t *jsonTokenizer) symbols(part string) []int {
	symbols := make([]int, 0, len(part))
	unknown := false // there is one to append
	flush := func() {
		if unknown {
			symbols = append(symbols, t.unk)
		}
		unknown = false
	}
	for part != "" {
		n := 1
		if !t.bytes {
			_, n = utf8.DecodeRuneInString(part)
		}
		char := part[:n]
		part = part[n:]
		if token := t.character(char); token >= 0 {
			flush()
			symbols = append(symbols, token)
			continue
		}
		if !t.bytes && !t.anyMissing([]byte(char)) {
			// Unknown characters stay to be appended behind these bytes: that is the order
			// of the Python package.
			for i := range len(char) {
				symbols = append(symbols, t.byteID[char[i]])
			}
			continue
		}
		if t.unk >= 0 {
			if !t.fuse {
				flush()
			}
			unknown = true
		}
	}
	flush()
	return symbols
}

// character returns the token of a byte or a character, −1 if there is none.
func (t *jsonTokenizer) character(char string) int {
	if t.bytes {
		return t.byteID[char[0]]
	}
	if token, ok := t.index[char]; ok {
		return token
	}
	return -1
}

// anyMissing reports whether one of some bytes has no token.
func (t *jsonTokenizer) anyMissing(bytes []byte) bool {
	return slices.ContainsFunc(bytes, func(b byte) bool { return t.byteID[b] < 0 })
}

func (t *jsonTokenizer) Decode(prev, token int) []byte {
	if a, ok := t.added.byID[token]; ok {
		if a.Special {
			return nil
		}
		return []byte(a.Content)
	}
	if token < 0 || token >= len(t.pieces) {
		return nil
	}
	piece := t.pieces[token]
	if !t.bytes {
		if b, ok := byteToken(piece); ok {
			return []byte{b}
		}
		piece = strings.ReplaceAll(piece, spaceMark, " ")
		if t.added.byID[prev].Special && t.prefixed() { // the space that Encode put in front
			piece = strings.TrimPrefix(piece, " ")
		}
		return []byte(piece)
	}
	var out []byte
	for _, l := range piece {
		b, ok := letterBytes[l]
		if !ok { // a piece that is not written in letters
			return []byte(piece)
		}
		out = append(out, b)
	}
	return out
}
