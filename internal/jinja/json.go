package jinja

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A jsonWriter writes values as Python's json.dumps does.
type jsonWriter struct {
	e          *evaluator
	b          strings.Builder
	ascii      bool
	indent     string // of a level, with indented set
	indented   bool
	item, pair string // separators
	sorted     bool
}

func (w *jsonWriter) write(v value, depth int) error {
	if depth > maxDepth {
		return errorf("values that nest more than %d deep", maxDepth)
	}
	if err := w.e.spend(nodeCost + depth*len(w.indent)); err != nil {
		return err
	}
	if s, ok := text(v); ok {
		return w.string(s)
	}
	switch v := v.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		w.b.WriteString(strconv.FormatBool(v))
	case int64:
		w.b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		w.b.WriteString(jsonFloat(v))
	case *Dict:
		order := make([]int, len(v.keys))
		for i := range order {
			order[i] = i
		}
		if w.sorted {
			if err := w.e.sort(order, func(a, b int) (int, error) { return w.e.compare(v.keys[a], v.keys[b]) }); err != nil {
				return err
			}
		}
		return w.group('{', '}', len(order), depth, func(i int) error {
			k := v.keys[order[i]]
			s, ok := text(k)
			switch k := k.(type) {
			case nil:
				s, ok = "null", true
			case bool:
				s, ok = strconv.FormatBool(k), true
			case int64:
				s, ok = strconv.FormatInt(k, 10), true
			case float64:
				s, ok = jsonFloat(k), true
			}
			if !ok {
				return errorf("%s cannot be a key in JSON", typeName(k))
			}
			if err := w.string(s); err != nil {
				return err
			}
			w.b.WriteString(w.pair)
			return w.write(v.values[order[i]], depth+1)
		})
	case *list:
		if v.form > formTuple {
			return errorf("a %s has no JSON", typeName(v))
		}
		return w.group('[', ']', len(v.items), depth, func(i int) error { return w.write(v.items[i], depth+1) })
	default:
		return errorf("%s has no JSON", typeName(v))
	}
	return nil
}

// group writes n items between brackets.
func (w *jsonWriter) group(open, end byte, n, depth int, item func(i int) error) error {
	w.b.WriteByte(open)
	for i := range n {
		if i > 0 {
			w.b.WriteString(w.item)
		}
		w.line(depth + 1)
		if err := item(i); err != nil {
			return err
		}
	}
	if n > 0 {
		w.line(depth)
	}
	w.b.WriteByte(end)
	return nil
}

func (w *jsonWriter) line(depth int) {
	if w.indented {
		w.b.WriteByte('\n')
		for range depth {
			w.b.WriteString(w.indent)
		}
	}
}

func (w *jsonWriter) string(s string) error {
	if err := w.e.spend(6 * len(s)); err != nil {
		return err
	}
	b := []byte{'"'}
	unit := func(r rune) {
		b = append(b, `\u`...)
		b = appendHex(b, r, 4)
	}
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r < ' ' || w.ascii && r > 0x7e && r < 0x10000:
			unit(r)
		case w.ascii && r >= 0x10000:
			hi, lo := utf16.EncodeRune(r)
			unit(hi)
			unit(lo)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	w.b.Write(append(b, '"'))
	return nil
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return floatText(f)
}
