package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A Tokenizer turns text into the tokens of a model, and back. It is immutable and
// safe for concurrent use.
type Tokenizer struct {
	vocab         *vocabulary
	added         addedTokens
	normalizers   []normalizer
	preTokenizers []preTokenizer
	model         model
	decoder       []decoder // none: pieces are joined by spaces
	before, after []int
}

// Vocab returns the number of tokens: one more than the largest.
func (t *Tokenizer) Vocab() int { return max(len(t.vocab.pieces), t.added.top+1) }

// Around returns the tokens that the post-processor, or tokenizer_config.json, puts
// before and after a text.
func (t *Tokenizer) Around() (before, after []int) {
	return slices.Clone(t.before), slices.Clone(t.after)
}

// Token returns the number of the token with this content in the file.
func (t *Tokenizer) Token(content string) (int, bool) {
	if id, ok := t.added.byContent[content]; ok {
		return id, true
	}
	id, ok := t.vocab.index[content]
	return id, ok
}

// Special reports whether a token only structures texts, as their ends do.
func (t *Tokenizer) Special(token int) bool { return t.added.byID[token].Special }

// Encode returns the tokens of a text, without those of [Tokenizer.Around]. Bytes
// that are not UTF-8 count as U+FFFD.
func (t *Tokenizer) Encode(text string) ([]int, error) {
	e := encoding{}
	first := true // what follows begins the text
	emit := func(token int) {
		e.tokens = append(e.tokens, token)
		first = false
	}
	t.added.plain.split(lossy(text), func(stretch string) {
		normal, err := t.normalize(stretch)
		if err != nil {
			e.fail(err)
		}
		if first && len(t.normalizers) > 0 {
			// Text that normalizers remove at the start still counts as its start.
			begin, _ := t.normalize(stretch[:runeLen(stretch)])
			first = begin != ""
		}
		t.added.normalized.split(normal, func(stretch string) {
			t.preTokenize(t.preTokenizers, stretch, first, &e)
			first = false
		}, emit)
	}, emit)
	return e.tokens, e.err
}

// preTokenize runs the pre-tokenizers, each on the parts of the one before, and the
// model on the parts of the last.
func (t *Tokenizer) preTokenize(steps []preTokenizer, text string, first bool, e *encoding) {
	switch {
	case text == "" || e.err != nil:
	case len(steps) == 0:
		t.model.encode(e, text)
	default:
		steps[0].split(text, first, func(part string, first bool) { t.preTokenize(steps[1:], part, first, e) })
	}
}

// Text returns the text of tokens as the package tokenizers decodes them, with or
// without special tokens. Numbers that are not tokens have no text.
func (t *Tokenizer) Text(tokens []int, special bool) string {
	var pieces []string
	for _, token := range tokens {
		if p, ok := t.piece(token); ok && (special || !t.added.special[p]) {
			pieces = append(pieces, p)
		}
	}
	return lossy(t.decode(pieces, false))
}

// Decode returns the bytes of a token that follows prev, which may be a part of
// a character. A special token has none, and what follows one begins a text.
func (t *Tokenizer) Decode(prev, token int) []byte {
	p, ok := t.piece(token)
	if !ok || t.added.special[p] {
		return nil
	}
	before, ok := t.piece(prev)
	if !ok || t.added.special[before] {
		return []byte(t.decode([]string{p}, true))
	}
	whole := t.decode([]string{before, p}, true)
	rest, ok := strings.CutPrefix(whole, t.decode([]string{before}, true))
	if !ok {
		return []byte(t.decode([]string{p}, true))
	}
	return []byte(rest)
}

// piece returns the piece of a token for decoders.
func (t *Tokenizer) piece(token int) (string, bool) {
	if a, ok := t.added.byID[token]; ok {
		if n, ok := t.added.decoded[token]; ok {
			return n, true
		}
		return a.Content, true
	}
	return t.vocab.piece(token)
}

// encoding is the state of Encode.
type encoding struct {
	tokens []int
	err    error

	cache   map[string][]int32 // tokens of parts
	symbols []int32
	merge   merger
}

func (e *encoding) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// Parts up to maxCached bytes are kept with their tokens, as many as maxCache.
const (
	maxCached = 64
	maxCache  = 1 << 15
)

// remember keeps the tokens of a part for when it comes again.
func (e *encoding) remember(part string, tokens []int32) {
	if len(part) > maxCached || len(e.cache) >= maxCache || e.err != nil {
		return
	}
	if e.cache == nil {
		e.cache = map[string][]int32{}
	}
	e.cache[part] = slices.Clone(tokens)
}

// lossy returns bytes as text. Bytes that are not UTF-8 become U+FFFD, one for every
// longest start of a character, as Unicode recommends.
func lossy(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			n = brokenLength(s)
		}
		b.WriteRune(r)
		s = s[n:]
	}
	return b.String()
}

// brokenLength returns the length of the longest start of s that could be continued
// to a character; 1 if there is none.
func brokenLength(s string) int {
	n := 1
	for n < len(s) && !utf8.FullRuneInString(s[:n+1]) {
		n++
	}
	return n
}
