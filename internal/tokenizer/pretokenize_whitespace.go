package tokenizer

import (
	"encoding/json"
	"unicode"
)

func newWhitespaceSplit(json.RawMessage) (preTokenizer, error) {
	return splitter{chars(unicode.IsSpace), removed}, nil
}

// newWhitespace splits a text into words and runs of other characters, and removes
// spaces.
func newWhitespace(json.RawMessage) (preTokenizer, error) {
	return whitespace{}, nil
}

type whitespace struct{}

func (whitespace) split(text string, first bool, emit func(part string, first bool)) {
	const (
		space = iota
		word
		other
	)
	from, kind := 0, space
	flush := func(to int) {
		if kind != space {
			emit(text[from:to], first && from == 0)
		}
		from = to
	}
	for i, r := range text {
		k := other
		if unicode.IsSpace(r) {
			k = space
		} else if inWord(r) {
			k = word
		}
		if k != kind {
			flush(i)
			kind = k
		}
	}
	flush(len(text))
}
