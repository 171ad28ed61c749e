package tokenizer

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// wordPiece takes the longest piece that a word begins with, and then, among the pieces
// with a prefix, the longest that the rest begins with. A word that pieces do not cover
// is unknown.
type wordPiece struct {
	start, inside pieceIndex
	unknown       int
	maxChars      int
}

func newWordPiece(t *Tokenizer, raw json.RawMessage, added int) (model, error) {
	s := struct {
		Vocab    map[string]int `json:"vocab"`
		Unknown  string         `json:"unk_token"`
		Prefix   string         `json:"continuing_subword_prefix"`
		MaxChars int            `json:"max_input_chars_per_word"`
	}{Unknown: "[UNK]", Prefix: "##", MaxChars: 100}
	s, err := fields(raw, s)
	if err != nil {
		return nil, err
	}
	if t.vocab, err = newVocabulary(s.Vocab, added); err != nil {
		return nil, err
	}
	m := &wordPiece{unknown: t.vocab.unknown(s.Unknown), maxChars: s.MaxChars}
	if m.unknown < 0 {
		return nil, errorf("unk_token is %s, which is not in the vocabulary", badfile.Quote(s.Unknown))
	}
	if m.start, err = newPieceIndex(s.Vocab, ""); err != nil {
		return nil, err
	}
	m.inside, err = newPieceIndex(s.Vocab, s.Prefix)
	return m, err
}

func (m *wordPiece) encode(e *encoding, word string) {
	begin := len(e.tokens)
	if len(word) > m.maxChars && utf8.RuneCountInString(word) > m.maxChars {
		e.tokens = append(e.tokens, m.unknown)
		return
	}
	index := &m.start
	for rest := word; rest != ""; index = &m.inside {
		id, n := index.longest(rest)
		if n == 0 {
			e.tokens = append(e.tokens[:begin], m.unknown)
			return
		}
		e.tokens = append(e.tokens, id)
		rest = rest[n:]
	}
}
