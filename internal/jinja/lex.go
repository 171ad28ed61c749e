package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A kind of token.
type kind uint8

const (
	kindEnd      kind = iota // of the template
	kindText                 // between tags
	kindPrint                // {{
	kindPrintEnd             // }}
	kindBlock                // {%
	kindBlockEnd             // %}
	kindName
	kindString
	kindInt
	kindFloat
	kindOperator
)

type token struct {
	kind kind
	text string // a string's is what it stands for
	line int
}

func (t token) String() string {
	switch t.kind {
	case kindEnd:
		return "the end of the template"
	case kindText:
		return "text"
	case kindString:
		return "a string"
	}
	return strconv.Quote(t.text)
}

// An Error is an error in a template, or one that the template raises.
type Error struct {
	Line   int // of the template, from 1 on; 0 if it is not known
	Text   string
	Raised bool // by the template, with raise_exception
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Text)
}

func errorf(format string, args ...any) error { return &Error{Text: fmt.Sprintf(format, args...)} }

// at adds a line to an error that has none.
func at(line int, err error) error {
	if e, ok := err.(*Error); ok && e.Line == 0 {
		e.Line = line
	}
	return err
}

// A lexer splits a template into tokens.
type lexer struct {
	src    string
	pos    int
	line   int
	tokens []token
}

// lex returns the tokens of a template, with blocks trimmed and stripped as transformers
// has it: the line break behind a block or comment and the spaces in front of one on a
// line of its own are not text.
func lex(src string) ([]token, error) {
	src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	src = strings.TrimSuffix(src, "\n")
	l := &lexer{src: src, line: 1}
	begins := true // what follows begins a line
	for l.pos < len(l.src) {
		begin, tag := l.nextTag()
		text := l.src[l.pos:begin]
		if tag == "" {
			l.text(text)
			break
		}
		sign := byte(0)
		if n := begin + len(tag); n < len(l.src) && (l.src[n] == '-' || l.src[n] == '+') {
			sign = l.src[n]
		}
		keep := text
		switch {
		case sign == '-':
			keep = strings.TrimRightFunc(text, isSpace)
		case sign != '+' && tag != "{{":
			if n := strings.LastIndexByte(text, '\n') + 1; n > 0 || begins {
				if strings.TrimLeftFunc(text[n:], isSpace) == "" {
					keep = text[:n]
				}
			}
		}
		l.text(keep)
		l.line += strings.Count(text[len(keep):], "\n")
		l.pos = begin + len(tag)
		if sign != 0 {
			l.pos++
		}
		var err error
		switch tag {
		case "{#":
			err = l.comment()
		case "{{":
			err = l.tag(kindPrint, "{{", kindPrintEnd, "}}")
		default:
			var raw bool
			if raw, err = l.raw(); !raw && err == nil {
				err = l.tag(kindBlock, "{%", kindBlockEnd, "%}")
			}
		}
		if err != nil {
			return nil, at(l.line, err)
		}
		begins = l.pos > 0 && l.src[l.pos-1] == '\n'
	}
	return append(l.tokens, token{kindEnd, "", l.line}), nil
}

// text adds a token of text, if there is any.
func (l *lexer) text(text string) {
	if text != "" {
		l.tokens = append(l.tokens, token{kindText, text, l.line})
		l.line += strings.Count(text, "\n")
	}
}

// nextTag returns the position of the next tag and its opening characters. If there is
// none, tag is empty and begin is the end of the template.
func (l *lexer) nextTag() (begin int, tag string) {
	for i := l.pos; i+1 < len(l.src); i++ {
		if l.src[i] == '{' {
			switch l.src[i+1] {
			case '{', '%', '#':
				return i, l.src[i : i+2]
			}
		}
	}
	return len(l.src), ""
}

// skip moves on by n bytes.
func (l *lexer) skip(n int) {
	l.line += strings.Count(l.src[l.pos:l.pos+n], "\n")
	l.pos += n
}

func (l *lexer) skipSpace() {
	rest := l.src[l.pos:]
	l.skip(len(rest) - len(strings.TrimLeftFunc(rest, isSpace)))
}

// behind skips the space behind a block or comment that does not count as text. sign is
// the character that ended it.
func (l *lexer) behind(sign byte) {
	switch {
	case sign == '-':
		l.skipSpace()
	case sign != '+' && strings.HasPrefix(l.src[l.pos:], "\n"):
		l.skip(1)
	}
}

func (l *lexer) comment() error {
	n := strings.Index(l.src[l.pos:], "#}")
	if n < 0 {
		return errorf("a comment does not end")
	}
	sign := byte(0)
	if n > 0 {
		sign = l.src[l.pos+n-1]
	}
	l.skip(n + 2)
	l.behind(sign)
	return nil
}

// raw reads {% raw %} with its text, if that is what the block is.
func (l *lexer) raw() (bool, error) {
	// word matches a tag with one word, behind its {% and sign.
	word := func(s, want string) (n int, sign byte, ok bool) {
		rest := strings.TrimLeftFunc(s, isSpace)
		rest, ok = strings.CutPrefix(rest, want)
		if !ok {
			return 0, 0, false
		}
		rest = strings.TrimLeftFunc(rest, isSpace)
		if rest != "" && (rest[0] == '-' || rest[0] == '+') {
			sign, rest = rest[0], rest[1:]
		}
		rest, ok = strings.CutPrefix(rest, "%}")
		return len(s) - len(rest), sign, ok
	}
	n, sign, ok := word(l.src[l.pos:], "raw")
	if !ok || sign == '+' {
		return false, nil
	}
	l.skip(n)
	if sign == '-' {
		l.skipSpace()
	}
	for i := l.pos; i < len(l.src); i++ {
		rest, ok := strings.CutPrefix(l.src[i:], "{%")
		if !ok {
			continue
		}
		before := byte(0)
		if rest != "" && (rest[0] == '-' || rest[0] == '+') {
			before, rest = rest[0], rest[1:]
		}
		n, after, ok := word(rest, "endraw")
		if !ok {
			continue
		}
		text := l.src[l.pos:i]
		end := len(l.src) - len(rest) + n
		if before == '-' {
			text = strings.TrimRightFunc(text, isSpace)
		}
		line := l.line
		l.text(text)
		l.line = line
		l.skip(end - l.pos)
		l.behind(after)
		return true, nil
	}
	return false, errorf("a raw block does not end")
}

// operators are tried in this order.
var operators = []string{
	"**", "//", "==", "!=", "<=", ">=",
	"+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ":", "|", ",", ";", "(", ")", "[", "]", "{", "}",
}

// tag reads the tokens of a tag up to its end.
func (l *lexer) tag(begin kind, beginText string, end kind, endText string) error {
	add := func(k kind, text string, n int) {
		l.tokens = append(l.tokens, token{k, text, l.line})
		l.skip(n)
	}
	add(begin, beginText, 0)
	depth := 0
	for {
		l.skipSpace()
		rest := l.src[l.pos:]
		if rest == "" {
			return errorf("a tag does not end")
		}
		if depth == 0 {
			sign := byte(0)
			tail := rest
			if tail[0] == '-' || tail[0] == '+' && end == kindBlockEnd {
				sign, tail = tail[0], tail[1:]
			}
			if strings.HasPrefix(tail, endText) {
				add(end, endText, len(rest)-len(tail)+len(endText))
				if end == kindBlockEnd {
					l.behind(sign)
				} else if sign == '-' {
					l.skipSpace()
				}
				return nil
			}
		}
		r, _ := utf8.DecodeRuneInString(rest)
		switch {
		case rest[0] == '\'' || rest[0] == '"':
			text, n, err := stringLiteral(rest)
			if err != nil {
				return err
			}
			add(kindString, text, n)
		case r == '_' || unicode.IsLetter(r):
			n := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
			if n < 0 {
				n = len(rest)
			}
			add(kindName, rest[:n], n)
		case rest[0] >= '0' && rest[0] <= '9':
			k, n := number(rest)
			add(k, strings.ReplaceAll(rest[:n], "_", ""), n)
		default:
			found := false
			for _, op := range operators {
				if strings.HasPrefix(rest, op) {
					switch op {
					case "(", "[", "{":
						depth++
					case ")", "]", "}":
						depth--
					}
					if depth < 0 {
						return errorf("unexpected %q", op)
					}
					add(kindOperator, op, len(op))
					found = true
					break
				}
			}
			if !found {
				return errorf("unexpected character %q", r)
			}
		}
	}
}

// number returns the kind and length of the number that s begins with.
func number(s string) (kind, int) {
	digits := func(i int) int {
		for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '_' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9') {
			i++
		}
		return i
	}
	k, n := kindInt, digits(0)
	if n+1 < len(s) && s[n] == '.' && s[n+1] >= '0' && s[n+1] <= '9' {
		k, n = kindFloat, digits(n+1)
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		i := n + 1
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if end := digits(i); end > i {
			k, n = kindFloat, end
		}
	}
	return k, n
}

// stringLiteral returns the value and the length of the string literal that s begins
// with.
func stringLiteral(s string) (string, int, error) {
	simple := map[byte]string{'n': "\n", 't': "\t", 'r': "\r", '\\': "\\", '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", '\n': ""}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == s[0]:
			return b.String(), i + 1, nil
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
			continue
		}
		i++
		c := s[i]
		if to, ok := simple[c]; ok {
			b.WriteString(to)
			continue
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		switch {
		case digits > 0:
			if i+digits >= len(s) {
				return "", 0, errorf("a string with a broken escape")
			}
			n, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32)
			if err != nil || n > unicode.MaxRune {
				return "", 0, errorf("a string with a broken escape")
			}
			b.WriteRune(rune(n))
			i += digits
		case c >= '0' && c <= '7':
			n, end := 0, i
			for end < len(s) && end < i+3 && s[end] >= '0' && s[end] <= '7' {
				n = 8*n + int(s[end]-'0')
				end++
			}
			b.WriteRune(rune(n))
			i = end - 1
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return "", 0, errorf("a string does not end")
}

// isSpace reports whether Python counts r as white space.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
