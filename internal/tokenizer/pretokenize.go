package tokenizer

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A preTokenizer takes text apart, in order, or changes it. first says of a text and
// of a part whether it begins the whole text. No text and no part is empty.
type preTokenizer interface {
	split(text string, first bool, emit func(part string, first bool))
}

var preTokenizers = map[string]func(json.RawMessage) (preTokenizer, error){
	"BertPreTokenizer":   newBertPreTokenizer,
	"ByteLevel":          newByteLevel,
	"CharDelimiterSplit": newCharDelimiter,
	"Delimiter":          newCharDelimiter,
	"Digits":             newDigits,
	"FixedLength":        newFixedLength,
	"Metaspace":          newMetaspace,
	"Punctuation":        newPunctuation,
	"Split":              newSplit,
	"UnicodeScripts":     newUnicodeScripts,
	"Whitespace":         newWhitespace,
	"WhitespaceSplit":    newWhitespaceSplit,
}

// A finder calls yield for all parts of a text that is not empty, in order: those
// that it looks for, and what is between them.
type finder func(text string, yield func(part string, match bool))

// chars finds single characters.
func chars(is func(rune) bool) finder {
	return func(text string, yield func(part string, match bool)) {
		from := 0
		for i, r := range text {
			if !is(r) {
				continue
			}
			if from < i {
				yield(text[from:i], false)
			}
			from = i + runeLen(text[i:])
			yield(text[i:from], true)
		}
		if from < len(text) {
			yield(text[from:], false)
		}
	}
}

// runs finds characters as long as they follow each other.
func runs(is func(rune) bool) finder {
	return func(text string, yield func(part string, match bool)) {
		from, match := 0, false
		for i, r := range text {
			if m := is(r); m != match {
				if from < i {
					yield(text[from:i], match)
				}
				from, match = i, m
			}
		}
		yield(text[from:], match)
	}
}

func runeLen(text string) int {
	_, n := utf8.DecodeRuneInString(text)
	return n
}

// substring finds a string. An empty one is nowhere.
func substring(s string) finder {
	return func(text string, yield func(part string, match bool)) {
		for s != "" {
			i := strings.Index(text, s)
			if i < 0 {
				break
			}
			if i > 0 {
				yield(text[:i], false)
			}
			yield(text[i:i+len(s)], true)
			text = text[i+len(s):]
		}
		if text != "" {
			yield(text, false)
		}
	}
}

// A pattern is a string or a regular expression of a file.
type pattern struct {
	String *string
	Regex  *string
}

func (p pattern) finder() (finder, error) {
	switch {
	case p.String != nil && p.Regex == nil:
		return substring(*p.String), nil
	case p.Regex != nil && p.String == nil:
		return regexFinder(*p.Regex)
	}
	return nil, errorf("the pattern is neither a String nor a Regex")
}

// splitter splits texts where find has matches, as behavior says.
type splitter struct {
	find     finder
	behavior behavior
}

// A behavior is what becomes of matches.
type behavior string

const (
	removed            behavior = "Removed"
	isolated           behavior = "Isolated"
	mergedWithPrevious behavior = "MergedWithPrevious"
	mergedWithNext     behavior = "MergedWithNext"
	contiguous         behavior = "Contiguous"
)

func (b behavior) check() error {
	switch b {
	case removed, isolated, mergedWithPrevious, mergedWithNext, contiguous:
		return nil
	}
	return errorf("behavior %q is not supported", string(b))
}

func (s splitter) split(text string, first bool, emit func(part string, first bool)) {
	// What is held back is text[from:at].
	from, at, before := 0, 0, false
	flush := func() {
		if from < at {
			emit(text[from:at], first && from == 0)
		}
		from = at
	}
	s.find(text, func(part string, match bool) {
		switch s.behavior {
		case removed:
			if at += len(part); match {
				from = at
			}
			flush()
		case isolated:
			at += len(part)
			flush()
		case contiguous:
			if match != before {
				flush()
			}
			at += len(part)
		case mergedWithPrevious:
			// A match joins what is before it, unless that is a match.
			if !match || before {
				flush()
			}
			at += len(part)
		case mergedWithNext:
			if match || !before {
				flush()
			}
			at += len(part)
		}
		before = match
	})
	flush()
}

func newWhitespaceSplit(json.RawMessage) (preTokenizer, error) {
	return splitter{chars(unicode.IsSpace), removed}, nil
}

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

// inverted takes matches for what is between them.
func inverted(find finder) finder {
	return func(text string, yield func(part string, match bool)) {
		find(text, func(part string, match bool) { yield(part, !match) })
	}
}

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

// newWhitespace takes words and what is neither word nor space.
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

// newFixedLength takes so many characters at a time.
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
