package jinja

import (
	"strconv"
	"strings"
)

// maxWidth is what a format may pad to.
const maxWidth = 1000

// percent is Python's s % v, for %s, %r, %d, %i, %f and %%, with a width and a precision.
func (e *evaluator) percent(s string, v value) (value, error) {
	values := []value{v}
	if l, ok := v.(*list); ok && l.form == formTuple {
		values = l.items
	}
	var b strings.Builder
	for {
		n := strings.IndexByte(s, '%')
		if n < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:n])
		s = s[n+1:]
		end := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789.-", r) })
		if end < 0 {
			return nil, errorf("incomplete format")
		}
		spec, verb := s[:end], s[end]
		s = s[end+1:]
		if verb == '%' {
			b.WriteByte('%')
			continue
		}
		if len(values) == 0 {
			return nil, errorf("not enough arguments for format string")
		}
		t, err := e.formatted(spec, verb, values[0])
		if err != nil {
			return nil, err
		}
		values = values[1:]
		b.WriteString(t)
		if err := e.spend(len(t)); err != nil {
			return nil, err
		}
	}
	if len(values) > 0 {
		if _, ok := v.(*Dict); !ok {
			return nil, errorf("not all arguments converted during string formatting")
		}
	}
	return b.String(), e.spend(b.Len())
}

// formatted writes a value for a verb such as s, with what stands before it.
func (e *evaluator) formatted(spec string, verb byte, v value) (string, error) {
	left := strings.HasPrefix(spec, "-")
	spec = strings.TrimPrefix(spec, "-")
	zeros := strings.HasPrefix(spec, "0")
	whole, fraction, precise := strings.Cut(spec, ".")
	width, err1 := strconv.Atoi("0" + whole)
	precision, err2 := strconv.Atoi("0" + fraction)
	if err1 != nil || err2 != nil || width > maxWidth || precision > maxWidth {
		return "", errorf("format %%%s%c is not supported", spec, verb)
	}
	var s string
	var err error
	switch verb {
	case 's':
		if s, err = e.str(v); precise {
			s = string([]rune(s)[:min(precision, len([]rune(s)))])
		}
	case 'r':
		var b strings.Builder
		err = e.repr(&b, v, 0)
		s = b.String()
	case 'd', 'i':
		f, ok := float(v)
		if i, isInt := integer(v); isInt {
			s = strconv.FormatInt(i, 10)
		} else if ok && f > -1<<63 && f < 1<<63 {
			s = strconv.FormatInt(int64(f), 10)
		} else {
			err = errorf("%%%c format: a real number is required, not %s", verb, typeName(v))
		}
	case 'f':
		f, ok := float(v)
		if !ok {
			return "", errorf("must be real number, not %s", typeName(v))
		}
		if !precise {
			precision = 6
		}
		s = strconv.FormatFloat(f, 'f', precision, 64)
	default:
		return "", errorf("format %%%s%c is not supported", spec, verb)
	}
	if err != nil {
		return "", err
	}
	if more := width - len([]rune(s)); more > 0 {
		switch {
		case left:
			s += strings.Repeat(" ", more)
		case zeros && (verb == 'd' || verb == 'i' || verb == 'f'):
			sign := ""
			if strings.HasPrefix(s, "-") {
				sign, s = "-", s[1:]
			}
			s = sign + strings.Repeat("0", more) + s
		default:
			s = strings.Repeat(" ", more) + s
		}
	}
	return s, nil
}

// methodFormat is Python's s.format, with {}, {0} and {name}.
func methodFormat(e *evaluator, v value, a *arguments) (value, error) {
	s, _ := text(v)
	var b strings.Builder
	next := 0
	for s != "" {
		n := strings.IndexAny(s, "{}")
		if n < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:n])
		c := s[n]
		s = s[n+1:]
		if s != "" && s[0] == c {
			b.WriteByte(c)
			s = s[1:]
			continue
		}
		name, rest, ok := strings.Cut(s, "}")
		if c == '}' || !ok {
			return nil, errorf("a single %q in a format string", c)
		}
		s = rest
		if strings.ContainsAny(name, ".[:!{") {
			return nil, errorf("format {%s} is not supported", name)
		}
		var x value
		i, err := strconv.Atoi(name)
		if name == "" {
			i, err = next, nil
			next++
		}
		switch {
		case err == nil && i >= 0 && i < len(a.list):
			x = a.list[i]
		case err == nil:
			return nil, errorf("there is no argument %d to format", i)
		default:
			found := false
			for j, n := range a.names {
				if n == name {
					x, found = a.named[j], true
				}
			}
			if !found {
				return nil, errorf("there is no argument '%s' to format", name)
			}
		}
		t, err := e.str(x)
		if err != nil {
			return nil, err
		}
		b.WriteString(t)
		if err := e.spend(len(t)); err != nil {
			return nil, err
		}
	}
	return like(v, b.String()), e.spend(b.Len())
}

// parseInt is Python's int of a text.
func parseInt(s string, base int64) (int64, bool) {
	if base < 2 || base > 36 {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(strings.TrimFunc(s, isSpace), "_", ""), int(base), 64)
	return n, err == nil
}

// parseFloat is Python's float of a text.
func parseFloat(s string) (float64, bool) {
	s = strings.TrimFunc(s, isSpace)
	if strings.ContainsAny(s, "xXpP") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}
