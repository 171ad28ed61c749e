package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// bpe is byte-pair encoding. There are two kinds:
//
//   - GPT-2's, of Llama 3: the bytes of each part are merged. Pieces are written with
//     a letter for every byte, as the pre-tokenizer or normalizer ByteLevel does.
//   - SentencePiece's, of Llama 2: a text is merged as a whole, character by
//     character; characters without a token are written as bytes <0xNN>.
//
// Characters and bytes without a token become the token for unknown characters, or are
// left out if there is none.
type bpe struct {
	index  map[string]int32 // by piece, or by the bytes that a piece stands for if parts are bytes
	ranks  map[uint64]merged
	raw    bool // parts are bytes, not letters that stand for them
	whole  bool // a part that is a piece is taken as it is
	prefix string
	suffix string

	char     [utf8.RuneSelf]int32 // tokens of characters, or bytes, of index
	bytes    [256]int32           // tokens of bytes, for raw and fallback; −1 if there is none
	fallback bool
	unknown  int32 // −1: what has no token is left out
	missing  bool  // unk_token is named, but not in the vocabulary
	fuse     bool  // several unknown characters in a row are one
}

type merged struct{ token, rank int32 }

func newBPE(t *Tokenizer, raw json.RawMessage, added int) (model, error) {
	var s struct {
		Vocab        map[string]int    `json:"vocab"`
		Merges       []json.RawMessage `json:"merges"`
		IgnoreMerges bool              `json:"ignore_merges"`
		ByteFallback bool              `json:"byte_fallback"`
		Unknown      *string           `json:"unk_token"`
		FuseUnknown  bool              `json:"fuse_unk"`
		Dropout      *float64          `json:"dropout"`
		Prefix       string            `json:"continuing_subword_prefix"`
		Suffix       string            `json:"end_of_word_suffix"`
	}
	s, err := fields(raw, s)
	if err != nil {
		return nil, err
	}
	if s.Dropout != nil && *s.Dropout != 0 {
		return nil, errorf("dropout is not supported")
	}
	if len(s.Prefix) > maxContent || len(s.Suffix) > maxContent {
		return nil, errorf("a prefix or suffix of more than %d bytes", maxContent)
	}
	if t.vocab, err = newVocabulary(s.Vocab, added); err != nil {
		return nil, err
	}
	m := &bpe{
		index:    make(map[string]int32, len(s.Vocab)),
		ranks:    make(map[uint64]merged, len(s.Merges)),
		whole:    s.IgnoreMerges,
		prefix:   s.Prefix,
		suffix:   s.Suffix,
		fallback: s.ByteFallback,
		unknown:  -1,
		fuse:     s.FuseUnknown,
	}
	if s.Unknown != nil {
		m.unknown = int32(t.vocab.unknown(*s.Unknown))
		m.missing = m.unknown < 0
	}
	for rank, raw := range s.Merges {
		if err := m.readMerge(t.vocab.index, rank, raw); err != nil {
			return nil, fmt.Errorf("merge %d: %w", rank, err)
		}
	}
	m.readBytes(t)
	return m, nil
}

// readBytes finds the tokens of bytes and characters. If ByteLevel comes last before
// the model, it leaves parts as they are, which saves writing them in letters.
func (m *bpe) readBytes(t *Tokenizer) {
	if n := len(t.preTokenizers); n > 0 && !m.fallback {
		if b, ok := t.preTokenizers[n-1].(*byteLevel); ok {
			b.raw, m.raw = true, true
		}
	}
	for piece, id := range t.vocab.index {
		if m.raw {
			text, ok := unletters(piece)
			if !ok { // occurs in no part
				continue
			}
			piece = text
		}
		m.index[piece] = int32(id)
	}
	if m.raw {
		m.prefix, m.suffix = rawOrNothing(m.prefix), rawOrNothing(m.suffix)
	}
	for b := range m.bytes {
		name := string([]byte{byte(b)})
		if !m.raw {
			name = fmt.Sprintf("<0x%02X>", b)
		}
		m.bytes[b] = -1
		if id, ok := m.index[name]; ok {
			m.bytes[b] = id
		}
	}
	for c := range m.char {
		m.char[c] = -1
		if id, ok := m.index[string([]byte{byte(c)})]; ok {
			m.char[c] = id
		}
	}
}

// rawOrNothing returns the bytes of a prefix or suffix. If it is not written in
// letters, the result is a byte that no piece has.
func rawOrNothing(s string) string {
	text, ok := unletters(s)
	if !ok {
		return s
	}
	return text
}

// readMerge reads a merge, "a b" or ["a","b"].
func (m *bpe) readMerge(index map[string]int, rank int, raw json.RawMessage) error {
	var (
		pair []string
		text string
	)
	if json.Unmarshal(raw, &text) == nil {
		pair = strings.Split(text, " ")
	} else if err := json.Unmarshal(raw, &pair); err != nil {
		return errorf("%v", err)
	}
	if len(pair) != 2 {
		return errorf("has %d parts, want 2", len(pair))
	}
	a, okA := index[pair[0]]
	b, okB := index[pair[1]]
	both, ok := 0, len(pair[1]) >= len(m.prefix)
	if ok {
		both, ok = index[pair[0]+pair[1][len(m.prefix):]]
	}
	if !okA || !okB || !ok {
		return errorf("%s and %s are not tokens, or do not join to one", badfile.Quote(pair[0]), badfile.Quote(pair[1]))
	}
	m.ranks[uint64(a)<<32|uint64(b)] = merged{int32(both), int32(rank)}
	return nil
}

func (m *bpe) encode(e *encoding, part string) {
	if m.whole {
		if id, ok := m.index[part]; ok {
			e.tokens = append(e.tokens, int(id))
			return
		}
	}
	known, ok := e.cache[part]
	if !ok {
		e.symbols = m.symbols(e, e.symbols[:0], part)
		e.symbols = e.merge.run(e.symbols, m.rule)
		known = e.symbols
		e.remember(part, known)
	}
	for _, id := range known {
		e.tokens = append(e.tokens, int(id))
	}
}

func (m *bpe) rule(a, b int32) (int32, float64, bool) {
	to, ok := m.ranks[uint64(a)<<32|uint64(b)]
	return to.token, float64(to.rank), ok
}

// symbols appends the tokens of the bytes or characters of a part. Bytes and characters
// without a token leave no gap: their neighbours may merge.
func (m *bpe) symbols(e *encoding, symbols []int32, part string) []int32 {
	unknown := false // there is one to append
	flush := func() {
		if unknown {
			symbols = append(symbols, m.unknown)
		}
		unknown = false
	}
	for i := 0; i < len(part); {
		n := 1
		if !m.raw && part[i] >= utf8.RuneSelf {
			n = runeLen(part[i:])
		}
		char, id := part[i:i+n], m.token(part, i, n)
		i += n
		if id >= 0 {
			flush()
			symbols = append(symbols, id)
			continue
		}
		if m.fallback {
			// A character that falls back to bytes includes the prefix and suffix of
			// its piece.
			if i > n {
				char = m.prefix + char
			}
			if i == len(part) {
				char += m.suffix
			}
			if m.haveBytes(char) {
				// Unknown characters are appended after these bytes, in the order of
				// the package tokenizers.
				for i := range len(char) {
					symbols = append(symbols, m.bytes[char[i]])
				}
				continue
			}
		}
		if m.missing {
			e.fail(noToken(char))
			return symbols
		}
		if m.unknown >= 0 {
			if !m.fuse {
				flush()
			}
			unknown = true
		}
	}
	flush()
	return symbols
}

// token returns the token of the character part[i:i+n]; −1 if there is none.
func (m *bpe) token(part string, i, n int) int32 {
	prefixed, suffixed := i > 0 && m.prefix != "", i+n == len(part) && m.suffix != ""
	if !prefixed && !suffixed {
		switch {
		case m.raw:
			return m.bytes[part[i]]
		case n == 1:
			return m.char[part[i]]
		}
	}
	piece := part[i : i+n]
	if prefixed {
		piece = m.prefix + piece
	}
	if suffixed {
		piece += m.suffix
	}
	if id, ok := m.index[piece]; ok {
		return id
	}
	return -1
}

// haveBytes reports whether all bytes have tokens.
func (m *bpe) haveBytes(text string) bool {
	for i := range len(text) {
		if m.bytes[text[i]] < 0 {
			return false
		}
	}
	return true
}
