package tokenizer

import (
	"encoding/json"
	"unicode"
)

// newDigits splits numbers off, in one part or digit by digit.
func newDigits(raw json.RawMessage) (preTokenizer, error) {
	var s struct {
		Individual bool `json:"individual_digits"`
	}
	s, err := fields(raw, s)
	if s.Individual {
		return splitter{chars(unicode.IsNumber), isolated}, err
	}
	return splitter{chars(unicode.IsNumber), contiguous}, err
}
