package jinja

import (
	"fmt"
	"strings"
	"time"
)

// maxRange is what Jinja2's sandbox has.
const maxRange = 100000

// globals are the functions that all templates have.
var globals = map[string]value{
	"dict":            &function{"dict", globalDict},
	"namespace":       &function{"namespace", globalNamespace},
	"raise_exception": &function{"raise_exception", globalRaise},
	"range":           &function{"range", globalRange},
	"strftime_now":    &function{"strftime_now", globalNow},
}

func globalDict(e *evaluator, a *arguments) (value, error) {
	if len(a.list) > 1 {
		return nil, errorf("dict() of %d arguments, want at most one", len(a.list))
	}
	d := &Dict{}
	if len(a.list) == 1 {
		from, ok := a.list[0].(*Dict)
		if !ok {
			return nil, errorf("dict() of a %s is not supported", typeName(a.list[0]))
		}
		if err := e.spend(pairCost * len(from.keys)); err != nil {
			return nil, err
		}
		for i, k := range from.keys {
			d.set(k, from.values[i])
		}
	}
	for i, name := range a.names {
		d.set(name, a.named[i])
	}
	return d, e.spend(pairCost * len(a.names))
}

func globalNamespace(e *evaluator, a *arguments) (value, error) {
	v, err := globalDict(e, a)
	if err != nil {
		return nil, err
	}
	ns := &namespace{map[string]value{}}
	d := v.(*Dict)
	for i, k := range d.keys {
		if name, ok := text(k); ok {
			ns.names[name] = d.values[i]
		}
	}
	return ns, nil
}

func globalRaise(e *evaluator, a *arguments) (value, error) {
	b, err := a.bind([]string{"message"})
	if err != nil {
		return nil, err
	}
	s, err := e.str(b[0])
	if err != nil {
		return nil, err
	}
	return nil, &Error{Text: s, Raised: true}
}

func globalRange(e *evaluator, a *arguments) (value, error) {
	b, err := a.bind([]string{"start", "stop", "step"}, nil, nil)
	if err != nil {
		return nil, err
	}
	if b[1] == nil {
		b[0], b[1] = int64(0), b[0]
	}
	if b[2] == nil {
		b[2] = int64(1)
	}
	var n [3]int64
	for i, v := range b {
		var ok bool
		if n[i], ok = integer(v); !ok || n[i] > 1<<40 || n[i] < -1<<40 {
			return nil, errorf("range() of a %s that is no number, or too large a one", typeName(v))
		}
	}
	if n[2] == 0 {
		return nil, errorf("range() arg 3 must not be zero")
	}
	var items []value
	for i := n[0]; n[2] > 0 && i < n[1] || n[2] < 0 && i > n[1]; i += n[2] {
		if len(items) == maxRange {
			return nil, errorf("Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
		}
		items = append(items, i)
	}
	return &list{formView, items}, e.spend(2 * itemCost * len(items))
}

func globalNow(e *evaluator, a *arguments) (value, error) {
	format, err := a.text("format")
	if err != nil {
		return nil, err
	}
	s, err := strftime(e.now, format)
	if err == nil {
		err = e.spend(8 * len(s))
	}
	return s, err
}

// layouts are Go's for the letters of strftime.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006", 'd': "02", 'D': "01/02/06",
	'e': "_2", 'F': "2006-01-02", 'h': "Jan", 'H': "15", 'I': "03", 'j': "002", 'm': "01", 'M': "04", 'p': "PM", 'R': "15:04",
	'S': "05", 'T': "15:04:05", 'x': "01/02/06", 'X': "15:04:05", 'y': "06", 'Y': "2006",
}

// strftime writes a time as C's function does in the English of its standard locale.
func strftime(t time.Time, format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		layout, known := layouts[format[i]]
		switch c := format[i]; {
		case known:
			b.WriteString(t.Format(layout))
		case c == '%':
			b.WriteByte('%')
		case c == '-' && i+1 < len(format) && strings.IndexByte("dHImMSej", format[i+1]) >= 0:
			i++
			s := strings.TrimLeft(t.Format(layouts[format[i]]), "0 ")
			if s == "" {
				s = "0"
			}
			b.WriteString(s)
		case c == 'n':
			b.WriteByte('\n')
		case c == 't':
			b.WriteByte('\t')
		case c == 'u':
			fmt.Fprint(&b, (int(t.Weekday())+6)%7+1)
		case c == 'w':
			fmt.Fprint(&b, int(t.Weekday()))
		default:
			return "", errorf("the time's format %%%c is not supported", c)
		}
	}
	return b.String(), nil
}
