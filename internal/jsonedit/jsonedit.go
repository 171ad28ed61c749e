// Package jsonedit changes single members of a JSON object and leaves every other
// byte of the text as it is: the order of keys, the spelling of numbers, the
// indentation. It accepts what Python's json module writes beyond JSON, such as
// NaN and Infinity, because it looks only at strings and brackets.
package jsonedit

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A Member is a member of an object.
type Member struct {
	Key   string
	Value []byte // a part of the text, without space around it

	begin, value, end int // of the key, the value, and behind the value
}

// Members returns the members of the object that text is.
func Members(text []byte) ([]Member, error) {
	s := scanner{text: text}
	return s.object()
}

// Set returns text in which the member called key has the given value. A new member
// goes to the end, laid out as the text is. If the key occurs several times, one member
// replaces them all.
func Set(text []byte, key string, value []byte) ([]byte, error) {
	ms, err := Members(text)
	if err != nil {
		return nil, err
	}
	at := -1
	for i, m := range ms {
		if m.Key == key {
			at = i // the last is the one that counts
		}
	}
	if at >= 0 {
		out := splice(text, ms[at].value, ms[at].end, value)
		for i := at - 1; i >= 0; i-- {
			if ms[i].Key == key {
				out = splice(out, ms[i].begin, ms[i+1].begin, nil)
			}
		}
		return out, nil
	}
	name, err := json.Marshal(key)
	if err != nil {
		return nil, err
	}
	if len(ms) == 0 {
		open := bytes.IndexByte(text, '{') + 1
		return splice(text, open, open, bytes.Join([][]byte{name, []byte(": "), value}, nil)), nil
	}
	first, last := ms[0], ms[len(ms)-1]
	space := text[bytes.IndexByte(text, '{')+1 : first.begin]
	if len(ms) > 1 && len(space) == 0 {
		space = []byte(" ")
	}
	return splice(text, last.end, last.end, bytes.Join([][]byte{[]byte(","), space, name, []byte(": "), indent(space, value)}, nil)), nil
}

// Delete returns text without members called key.
func Delete(text []byte, key string) ([]byte, error) {
	ms, err := Members(text)
	if err != nil {
		return nil, err
	}
	for i := len(ms) - 1; i >= 0; i-- {
		if ms[i].Key != key {
			continue
		}
		switch {
		case i+1 < len(ms):
			text = splice(text, ms[i].begin, ms[i+1].begin, nil)
		case i > 0:
			text = splice(text, ms[i-1].end, ms[i].end, nil)
		default:
			text = splice(text, ms[i].begin, ms[i].end, nil)
		}
		if ms, err = Members(text); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// indent lays out value like a text in which space precedes each member: on lines of
// their own if space has a line break.
func indent(space, value []byte) []byte {
	line := bytes.LastIndexByte(space, '\n')
	var b bytes.Buffer
	if line >= 0 && json.Indent(&b, value, string(space[line+1:]), "  ") == nil {
		return b.Bytes()
	}
	return value
}

func splice(text []byte, lo, hi int, with []byte) []byte {
	out := make([]byte, 0, len(text)-(hi-lo)+len(with))
	out = append(append(out, text[:lo]...), with...)
	return append(out, text[hi:]...)
}

// A scanner finds the members of an object.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("JSON at byte %d: %s", s.at, fmt.Sprintf(format, args...))
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// next returns the next byte that is no space, 0 at the end.
func (s *scanner) next() byte {
	for s.at < len(s.text) && isSpace(s.text[s.at]) {
		s.at++
	}
	if s.at == len(s.text) {
		return 0
	}
	return s.text[s.at]
}

func (s *scanner) object() ([]Member, error) {
	if s.next() != '{' {
		return nil, s.errorf("there is no object")
	}
	s.at++
	var ms []Member
	if s.next() == '}' {
		s.at++
	} else {
		for more := true; more; {
			m, err := s.member()
			if err != nil {
				return nil, err
			}
			ms = append(ms, m)
			switch s.next() {
			case ',':
			case '}':
				more = false
			default:
				return nil, s.errorf("no comma and no end of the object")
			}
			s.at++
		}
	}
	if s.next() != 0 || s.at < len(s.text) {
		return nil, s.errorf("the text goes on after its object")
	}
	return ms, nil
}

func (s *scanner) member() (Member, error) {
	if s.next() != '"' {
		return Member{}, s.errorf("no key")
	}
	m := Member{begin: s.at}
	if err := s.str(); err != nil {
		return m, err
	}
	if err := json.Unmarshal(s.text[m.begin:s.at], &m.Key); err != nil {
		return m, s.errorf("%v", err)
	}
	if s.next() != ':' {
		return m, s.errorf("no colon after a key")
	}
	s.at++
	s.next()
	m.value = s.at
	if err := s.skip(); err != nil {
		return m, err
	}
	m.end = s.at
	m.Value = s.text[m.value:m.end:m.end]
	return m, nil
}

// str moves behind a string.
func (s *scanner) str() error {
	for i := s.at + 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			i++
		case '"':
			s.at = i + 1
			return nil
		}
	}
	return s.errorf("a string has no end")
}

// skip goes behind a value: to what separates it from the next, outside of
// strings and brackets.
func (s *scanner) skip() error {
	var open []byte
	begin, end := s.at, s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case '"':
			if err := s.str(); err != nil {
				return err
			}
			end = s.at
			continue
		case '{', '[':
			open = append(open, c+2) // '}' and ']' are two behind
		case ',', '}', ']':
			if len(open) == 0 {
				if s.at = end; begin == end {
					return s.errorf("no value")
				}
				return nil
			}
			if c != ',' {
				if open[len(open)-1] != c {
					return s.errorf("brackets do not match")
				}
				open = open[:len(open)-1]
			}
		}
		if !isSpace(s.text[s.at]) {
			end = s.at + 1
		}
		s.at++
	}
	return s.errorf("the object has no end")
}
