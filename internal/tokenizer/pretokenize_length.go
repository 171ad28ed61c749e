package tokenizer

import (
	"encoding/json"
)

// newFixedLength splits a text into parts of a fixed number of characters.
func newFixedLength(raw json.RawMessage) (preTokenizer, error) {
	f, err := fields(raw, fixedLength{5})
	if err == nil && f.Length < 1 {
		err = errorf("length is %d, want at least 1", f.Length)
	}
	return f, err
}

type fixedLength struct {
	Length int `json:"length"`
}

func (f fixedLength) split(text string, first bool, emit func(part string, first bool)) {
	from, n := 0, 0
	for i := range text {
		if n == f.Length {
			emit(text[from:i], first && from == 0)
			from, n = i, 0
		}
		n++
	}
	emit(text[from:], first && from == 0)
}
