package tokenizer

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// A reSplitter splits texts by a pattern of a byte-level tokenizer.
//
// Go's regular expressions have no (?!…), which all these patterns use once and for
// the same purpose: at the end, "|\s+(?!\S)|\s+" leaves the last of several spaces
// to the word after them. The splitter does that part by hand.
type reSplitter struct{ re *regexp.Regexp }

const lookahead = `|\s+(?!\S)|\s+`

func newSplitter(pattern string) (*reSplitter, error) {
	head, ok := strings.CutSuffix(pattern, lookahead)
	if !ok {
		return nil, errorf("pattern %q does not end in %s", pattern, lookahead)
	}
	// \s is ASCII's in Go.
	re, err := regexp.Compile(unicodeSpaces(head) + `|(` + unicodeSpaces(`\s`) + `+)`)
	if err != nil {
		return nil, errorf("pattern: %v", err)
	}
	if re.NumSubexp() != 1 {
		return nil, errorf("pattern %q has groups", pattern)
	}
	return &reSplitter{re}, nil
}

// unicodeSpaces replaces \s and \S in a pattern by what they mean in Unicode.
func unicodeSpaces(pattern string) string {
	const class = `\t-\r\x{85}\p{Z}`
	var b strings.Builder
	inside := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			i++
			switch e := pattern[i]; {
			case e == 's' && inside:
				b.WriteString(class)
			case e == 's':
				b.WriteString(`[` + class + `]`)
			case e == 'S' && !inside:
				b.WriteString(`[^` + class + `]`)
			default:
				b.WriteByte(c)
				b.WriteByte(e)
			}
		default:
			if c == '[' {
				inside = true
			} else if c == ']' {
				inside = false
			}
			b.WriteByte(c)
		}
	}
	return b.String()
}

// split is a preTokenizer: every match, and what is between matches, is a part.
func (s *reSplitter) split(text string, _ bool, emit func(part string)) {
	for text != "" {
		n := s.next(text)
		emit(text[:n])
		text = text[n:]
	}
}

// next returns the length of the first part of a text.
func (s *reSplitter) next(text string) int {
	at := s.re.FindStringSubmatchIndex(text)
	switch {
	case at == nil || at[1] == 0:
		return len(text)
	case at[0] > 0: // what no alternative matches is a part of its own
		return at[0]
	}
	if end := at[3]; end > 0 && end < len(text) {
		// Spaces before a word, all but the last.
		if _, last := utf8.DecodeLastRuneInString(text[:end]); last < end {
			return end - last
		}
	}
	return at[1]
}
