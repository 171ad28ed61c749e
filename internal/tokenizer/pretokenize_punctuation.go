package tokenizer

import (
	"encoding/json"
	"unicode"
	"unicode/utf8"
)

// newPunctuation splits at punctuation.
func newPunctuation(raw json.RawMessage) (preTokenizer, error) {
	s := struct {
		Behavior behavior `json:"behavior"`
	}{isolated}
	s, err := fields(raw, s)
	if err != nil {
		return nil, err
	}
	return splitter{chars(punctuation), s.Behavior}, s.Behavior.check()
}

// punctuation reports whether r is ASCII's, or Unicode's as of the tables of the
// package tokenizers.
func punctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return r > ' ' && r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z' && r < 0x7f
	}
	return unicode.Is(olderPunctuation, r)
}

// bertPreTokenizer splits at spaces, which it removes, and at punctuation.
type bertPreTokenizer struct{}

func newBertPreTokenizer(json.RawMessage) (preTokenizer, error) { return bertPreTokenizer{}, nil }

func (bertPreTokenizer) split(text string, first bool, emit func(part string, first bool)) {
	from := 0
	for i, r := range text {
		space := unicode.IsSpace(r)
		if !space && !punctuation(r) {
			continue
		}
		if from < i {
			emit(text[from:i], first && from == 0)
		}
		from = i + runeLen(text[i:])
		if !space {
			emit(text[i:from], first && i == 0)
		}
	}
	if from < len(text) {
		emit(text[from:], first && from == 0)
	}
}
