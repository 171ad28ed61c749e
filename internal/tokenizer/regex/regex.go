// Package regex implements the regular expressions of tokenizers: those of Oniguruma,
// as far as they take time linear in the text.
//
// Published tokenizers use features that Go's package regexp lacks: (?!…), possessive
// repetitions, classes within classes and Unicode's meaning of \s, \w and \d. This
// package has them, with the syntax and the order of choices of Ruby. Features without
// a time bound are errors: back references, atomic groups, and looking behind for
// patterns without a fixed length.
//
// Two things differ from Oniguruma: classes of characters follow the version of Unicode
// that Go has, and (?i) does not match letters with several letters, so that ß does not
// match SS.
package regex

import (
	"sync"
	"unicode/utf8"
)

// A Regexp is a compiled pattern, safe for concurrent use.
type Regexp struct {
	fast, safe *program
	machines   sync.Pool
}

// Compile reads a pattern. Its size is bounded, and so is what it takes in memory.
func Compile(pattern string) (*Regexp, error) {
	n, err := parse(pattern)
	if err != nil {
		return nil, err
	}
	re := &Regexp{}
	if re.fast, err = compile(n, true); err != nil {
		return nil, err
	}
	if re.safe, err = compile(n, false); err != nil {
		return nil, err
	}
	re.machines.New = func() any { return &machine{re: re} }
	return re, nil
}

// Find calls yield for all parts of a text, in order: its matches, which may be empty,
// and the parts between them, which are not. The text must be UTF-8. Find takes time
// and memory in proportion to the text and to the choices of the pattern.
func (re *Regexp) Find(text string, yield func(part string, match bool)) {
	re.find(text, false, yield)
}

func (re *Regexp) find(text string, slow bool, yield func(part string, match bool)) {
	m := re.machines.Get().(*machine)
	m.text, m.steps, m.far, m.slow = text, 0, 0, slow
	if slow {
		m.memo = newMemo(re.safe.splits, len(text))
	}
	from, last := 0, none // where what is not yielded begins, and the last match ended
	for at := 0; at <= len(text); {
		end := none
		if first := re.fast.first; first == nil || first.length(text, at) > 0 {
			end = m.match(at)
		}
		if end < 0 || end == at && at == last { // no empty match right after a match
			at += step(text, at)
			continue
		}
		if from < at {
			yield(text[from:at], false)
		}
		yield(text[at:end], true)
		from, last, at = end, end, end
	}
	if from < len(text) {
		yield(text[from:], false)
	}
	m.text, m.memo = "", memo{}
	re.machines.Put(m)
}

// step returns the length of the character at a place, and 1 at the end.
func step(text string, at int) int {
	if at == len(text) || text[at] < maxASCII {
		return 1
	}
	_, n := utf8.DecodeRuneInString(text[at:])
	return n
}
