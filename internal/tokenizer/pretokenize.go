package tokenizer

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// A preTokenizer splits a text into parts, in order, or changes it. first tells whether
// a text or a part begins the whole text. Texts and parts are never empty.
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

// A finder calls yield for all parts of a text that is not empty, in order: the
// matches, and the parts between them.
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

// splitter splits texts where find has matches, as behavior says.
type splitter struct {
	find     finder
	behavior behavior
}

// A behavior is the treatment of matches.
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
			// A match joins the part before it, unless that is a match.
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
