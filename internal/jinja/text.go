package jinja

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// str returns a value as a template prints it.
func (e *evaluator) str(v value) (string, error) {
	if s, ok := text(v); ok {
		return s, nil
	}
	if _, ok := v.(*undefined); ok {
		return "", nil
	}
	var b strings.Builder
	err := e.repr(&b, v, 0)
	return b.String(), err
}

// repr writes a value as Python's repr does.
func (e *evaluator) repr(b *strings.Builder, v value, depth int) error {
	if depth > maxDepth {
		return errorf("values that nest more than %d deep", maxDepth)
	}
	if err := e.spend(nodeCost); err != nil {
		return err
	}
	if s, ok := text(v); ok {
		if err := e.spend(4 * len(s)); err != nil {
			return err
		}
		if _, ok := v.(markup); ok {
			b.WriteString("Markup(")
			defer b.WriteString(")")
		}
		b.WriteString(quote(s))
		return nil
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{false: "False", true: "True"}[v])
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(floatText(v))
	case *undefined:
		b.WriteString("Undefined")
	case *Dict:
		b.WriteByte('{')
		for i, k := range v.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := e.repr(b, k, depth+1); err != nil {
				return err
			}
			b.WriteString(": ")
			if err := e.repr(b, v.values[i], depth+1); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case *list:
		if v.form > formTuple {
			return errorf("a %s has no text", typeName(v))
		}
		b.WriteByte("[("[v.form])
		for i, x := range v.items {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := e.repr(b, x, depth+1); err != nil {
				return err
			}
		}
		if v.form == formTuple && len(v.items) == 1 {
			b.WriteByte(',')
		}
		b.WriteByte("])"[v.form])
	default:
		return errorf("a %s has no text", typeName(v))
	}
	return nil
}

// floatText is Python's repr of a float.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quote is Python's repr of a string.
func quote(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	b := []byte{q}
	for _, r := range s {
		switch {
		case r == rune(q) || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\r':
			b = append(b, `\r`...)
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r < 0x100:
			b = append(b, `\x`...)
			b = appendHex(b, r, 2)
		case r < 0x10000:
			b = append(b, `\u`...)
			b = appendHex(b, r, 4)
		default:
			b = append(b, `\U`...)
			b = appendHex(b, r, 8)
		}
	}
	return string(append(b, q))
}

func appendHex(b []byte, r rune, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		b = append(b, "0123456789abcdef"[r>>(4*i)&15])
	}
	return b
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

// escape returns a value as markup.
func (e *evaluator) escape(v value) (markup, error) {
	if m, ok := v.(markup); ok {
		return m, nil
	}
	s, err := e.str(v)
	if err == nil {
		err = e.spend(6 * len(s))
	}
	if err != nil {
		return "", err
	}
	return markup(htmlEscapes.Replace(s)), nil
}
