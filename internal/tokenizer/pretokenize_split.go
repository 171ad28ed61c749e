package tokenizer

import (
	"encoding/json"
	"unicode/utf8"
)

// newCharDelimiter splits at a character.
func newCharDelimiter(raw json.RawMessage) (preTokenizer, error) {
	var s struct {
		Delimiter string `json:"delimiter"`
	}
	s, err := fields(raw, s)
	if err == nil && utf8.RuneCountInString(s.Delimiter) != 1 {
		err = errorf("delimiter is %q, want one character", s.Delimiter)
	}
	return splitter{substring(s.Delimiter), removed}, err
}

// newSplit splits by a pattern.
func newSplit(raw json.RawMessage) (preTokenizer, error) {
	var s struct {
		Pattern  pattern  `json:"pattern"`
		Behavior behavior `json:"behavior"`
		Invert   bool     `json:"invert"`
	}
	s, err := fields(raw, s)
	if err != nil {
		return nil, err
	}
	if err := s.Behavior.check(); err != nil {
		return nil, err
	}
	find, err := s.Pattern.finder()
	if err != nil {
		return nil, err
	}
	if s.Invert {
		find = inverted(find)
	}
	return splitter{find, s.Behavior}, nil
}

// inverted exchanges matches and the parts between them.
func inverted(find finder) finder {
	return func(text string, yield func(part string, match bool)) {
		find(text, func(part string, match bool) { yield(part, !match) })
	}
}
