package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A method is a function of a value.
type method func(e *evaluator, v value, a *arguments) (value, error)

var dictMethods = map[string]method{
	"get": func(_ *evaluator, v value, a *arguments) (value, error) {
		b, err := a.bind([]string{"key", "default"}, nil)
		if err != nil {
			return nil, err
		}
		if _, err := key(b[0]); err != nil {
			return nil, err
		}
		if x, ok := v.(*Dict).get(b[0]); ok {
			return x, nil
		}
		return b[1], nil
	},
	"items": func(e *evaluator, v value, a *arguments) (value, error) {
		d := v.(*Dict)
		if err := a.none(); err != nil {
			return nil, err
		}
		return &list{formView, d.pairs()}, e.spend(pairCost * len(d.keys))
	},
	"keys": func(_ *evaluator, v value, a *arguments) (value, error) {
		return &list{formView, v.(*Dict).keys}, a.none()
	},
	"values": func(_ *evaluator, v value, a *arguments) (value, error) {
		return &list{formView, v.(*Dict).values}, a.none()
	},
	"copy": func(_ *evaluator, v value, a *arguments) (value, error) { return v, a.none() },
}

var listMethods = map[string]method{
	"copy": func(_ *evaluator, v value, a *arguments) (value, error) { return v, a.none() },
	"count": func(e *evaluator, v value, a *arguments) (value, error) {
		n, _, err := e.occurrences(v.(*list), a)
		return n, err
	},
	"index": func(e *evaluator, v value, a *arguments) (value, error) {
		n, first, err := e.occurrences(v.(*list), a)
		if err == nil && n == 0 {
			return nil, errorf("the list does not have that item")
		}
		return first, err
	},
}

// occurrences counts an item of a list, and finds its first.
func (e *evaluator) occurrences(l *list, a *arguments) (n, first int64, err error) {
	b, err := a.bind([]string{"value"})
	if err != nil {
		return 0, 0, err
	}
	for i, x := range l.items {
		ok, err := e.equal(x, b[0], 0)
		if err != nil {
			return 0, 0, err
		}
		if ok {
			if n++; n == 1 {
				first = int64(i)
			}
		}
	}
	return n, first, nil
}

// none returns an error if there are arguments.
func (a *arguments) none() error {
	_, err := a.bind(nil)
	return err
}

// stringMethods are those of texts. What they return is markup if the text was.
var stringMethods map[string]method

func init() { // methods such as islower use tests, which use filters, which use methods
	stringMethods = map[string]method{
		"capitalize":   mapped(capitalize),
		"casefold":     mapped(strings.ToLower),
		"lower":        mapped(strings.ToLower),
		"upper":        mapped(strings.ToUpper),
		"title":        mapped(title),
		"strip":        trimmed(strings.TrimFunc),
		"lstrip":       trimmed(strings.TrimLeftFunc),
		"rstrip":       trimmed(strings.TrimRightFunc),
		"isalnum":      all(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
		"isalpha":      all(unicode.IsLetter),
		"isdigit":      all(unicode.IsDigit),
		"isdecimal":    all(unicode.IsDigit),
		"isnumeric":    all(unicode.IsNumber),
		"isspace":      all(isSpace),
		"islower":      cased("lower"),
		"isupper":      cased("upper"),
		"startswith":   affix(strings.HasPrefix),
		"endswith":     affix(strings.HasSuffix),
		"removeprefix": cutAffix(strings.TrimPrefix),
		"removesuffix": cutAffix(strings.TrimSuffix),
		"find":         found(strings.Index, false),
		"rfind":        found(strings.LastIndex, false),
		"index":        found(strings.Index, true),
		"count":        methodCount,
		"replace":      methodReplace,
		"split":        methodSplit,
		"rsplit":       methodRSplit,
		"splitlines":   methodSplitLines,
		"partition":    partition(strings.Index, false),
		"rpartition":   partition(strings.LastIndex, true),
		"join":         methodJoin,
		"format":       methodFormat,
		"zfill":        methodZFill,
	}
}

// like returns s as markup if v is.
func like(v value, s string) value {
	if _, ok := v.(markup); ok {
		return markup(s)
	}
	return s
}

// mapped is a method without arguments.
func mapped(f func(string) string) method {
	return func(e *evaluator, v value, a *arguments) (value, error) {
		s, _ := text(v)
		if err := a.none(); err != nil {
			return nil, err
		}
		return like(v, f(s)), e.spend(4 * len(s))
	}
}

func capitalize(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:n]) + strings.ToLower(s[n:])
}

func title(s string) string {
	var b strings.Builder
	inWord := false
	for _, r := range s {
		if inWord {
			b.WriteString(strings.ToLower(string(r)))
		} else {
			b.WriteString(strings.ToUpper(string(r)))
		}
		inWord = unicode.IsLetter(r)
	}
	return b.String()
}

// trimmed is a method that takes white space, or some characters, from the ends.
func trimmed(trim func(string, func(rune) bool) string) method {
	return func(e *evaluator, v value, a *arguments) (value, error) {
		s, _ := text(v)
		b, err := a.bind([]string{"chars"}, nil)
		if err != nil {
			return nil, err
		}
		in := isSpace
		if b[0] != nil {
			chars, ok := text(b[0])
			if !ok {
				return nil, errorf("strip arg must be None or str")
			}
			if err := e.spend(len(s) + len(chars)); err != nil {
				return nil, err
			}
			set := map[rune]bool{}
			for _, r := range chars {
				set[r] = true
			}
			in = func(r rune) bool { return set[r] }
		}
		return like(v, trim(s, in)), e.spend(len(s))
	}
}

// all is a method that asks something of every character.
func all(is func(rune) bool) method {
	return func(e *evaluator, v value, a *arguments) (value, error) {
		s, _ := text(v)
		if err := a.none(); err != nil {
			return nil, err
		}
		return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !is(r) }), e.spend(len(s))
	}
}

func cased(name string) method {
	return func(e *evaluator, v value, a *arguments) (value, error) { return e.test(name, v, a) }
}

// texts returns a text, or those of a tuple.
func texts(v value) ([]string, error) {
	if s, ok := text(v); ok {
		return []string{s}, nil
	}
	l, ok := v.(*list)
	if !ok || l.form != formTuple {
		return nil, errorf("a %s, want a text or a tuple of texts", typeName(v))
	}
	var all []string
	for _, x := range l.items {
		s, ok := text(x)
		if !ok {
			return nil, errorf("a %s in a tuple of texts", typeName(x))
		}
		all = append(all, s)
	}
	return all, nil
}

func affix(has func(s, affix string) bool) method {
	return func(e *evaluator, v value, a *arguments) (value, error) {
		s, _ := text(v)
		b, err := a.bind([]string{"affix"})
		if err != nil {
			return nil, err
		}
		list, err := texts(b[0])
		if err != nil {
			return nil, err
		}
		return slices.ContainsFunc(list, func(x string) bool { return has(s, x) }), e.spend(len(s) + itemCost*len(list))
	}
}

func cutAffix(cut func(s, affix string) string) method {
	return func(e *evaluator, v value, a *arguments) (value, error) {
		s, _ := text(v)
		x, err := a.text("affix")
		if err != nil {
			return nil, err
		}
		return like(v, cut(s, x)), e.spend(len(s))
	}
}

// text returns the only argument, which is a text.
func (a *arguments) text(name string) (string, error) {
	b, err := a.bind([]string{name})
	if err != nil {
		return "", err
	}
	s, ok := text(b[0])
	if !ok {
		return "", errorf("argument '%s' is a %s, want a text", name, typeName(b[0]))
	}
	return s, nil
}

func found(find func(s, sub string) int, needed bool) method {
	return func(e *evaluator, v value, a *arguments) (value, error) {
		s, _ := text(v)
		sub, err := a.text("sub")
		if err != nil {
			return nil, err
		}
		n := find(s, sub)
		if n < 0 && needed {
			return nil, errorf("substring not found")
		}
		if n > 0 {
			n = len([]rune(s[:n]))
		}
		return int64(n), e.spend(2 * len(s))
	}
}

func methodCount(e *evaluator, v value, a *arguments) (value, error) {
	s, _ := text(v)
	sub, err := a.text("sub")
	if err != nil {
		return nil, err
	}
	return int64(strings.Count(s, sub)), e.spend(2 * len(s))
}

func methodReplace(e *evaluator, v value, a *arguments) (value, error) {
	s, _ := text(v)
	b, err := a.bind([]string{"old", "new", "count"}, int64(-1))
	if err != nil {
		return nil, err
	}
	old, ok1 := text(b[0])
	to, ok2 := text(b[1])
	if b[2] == nil { // as the filter has it
		b[2] = int64(-1)
	}
	n, ok3 := integer(b[2])
	if !ok1 || !ok2 || !ok3 {
		return nil, errorf("replace() of %s, %s and %s", typeName(b[0]), typeName(b[1]), typeName(b[2]))
	}
	if err := e.spend(2 * len(s)); err != nil {
		return nil, err
	}
	times := strings.Count(s, old)
	if n < 0 || n > int64(times) {
		n = int64(times)
	}
	if len(to) > 0 && n > int64(budget/len(to)) {
		return nil, e.spend(-1)
	}
	if err := e.spend(int(n) * len(to)); err != nil {
		return nil, err
	}
	return like(v, strings.Replace(s, old, to, int(n))), nil
}

// pieces returns texts as a list, of markup if v is.
func pieces(v value, parts []string) (value, error) {
	items := make([]value, len(parts))
	for i, p := range parts {
		items[i] = like(v, p)
	}
	return &list{items: items}, nil
}

// splitting reads the arguments of split, and says how long it takes.
func (e *evaluator) splitting(v value, a *arguments) (s, sep string, spaces bool, most int, err error) {
	s, _ = text(v)
	b, err := a.bind([]string{"sep", "maxsplit"}, nil, int64(-1))
	if err != nil {
		return "", "", false, 0, err
	}
	n, ok := integer(b[1])
	if !ok {
		return "", "", false, 0, errorf("maxsplit is a %s", typeName(b[1]))
	}
	most = int(min(n, int64(len(s)+1)))
	if n < 0 {
		most = len(s) + 1
	}
	if b[0] != nil {
		if sep, ok = text(b[0]); !ok {
			return "", "", false, 0, errorf("sep is a %s", typeName(b[0]))
		}
		if sep == "" {
			return "", "", false, 0, errorf("empty separator")
		}
		return s, sep, false, most, e.spend(len(s) + 2*itemCost*(1+strings.Count(s, sep)))
	}
	return s, "", true, most, e.spend((1 + itemCost) * len(s))
}

func methodSplit(e *evaluator, v value, a *arguments) (value, error) {
	s, sep, spaces, most, err := e.splitting(v, a)
	if err != nil {
		return nil, err
	}
	if !spaces {
		return pieces(v, strings.SplitN(s, sep, most+1))
	}
	var parts []string
	for s = strings.TrimLeftFunc(s, isSpace); s != ""; s = strings.TrimLeftFunc(s, isSpace) {
		n := strings.IndexFunc(s, isSpace)
		if n < 0 || len(parts) == most {
			if len(parts) == most {
				s = strings.TrimRightFunc(s, isSpace)
			}
			parts = append(parts, s)
			break
		}
		parts, s = append(parts, s[:n]), s[n:]
	}
	return pieces(v, parts)
}

func methodRSplit(e *evaluator, v value, a *arguments) (value, error) {
	s, sep, spaces, most, err := e.splitting(v, a)
	if err != nil {
		return nil, err
	}
	var parts []string
	if spaces {
		for s = strings.TrimRightFunc(s, isSpace); s != ""; s = strings.TrimRightFunc(s, isSpace) {
			n := strings.LastIndexFunc(s, isSpace)
			if n < 0 || len(parts) == most {
				if len(parts) == most {
					s = strings.TrimLeftFunc(s, isSpace)
				}
				parts = append(parts, s)
				break
			}
			_, width := utf8.DecodeRuneInString(s[n:])
			parts, s = append(parts, s[n+width:]), s[:n]
		}
	} else {
		for len(parts) < most {
			n := strings.LastIndex(s, sep)
			if n < 0 {
				break
			}
			parts, s = append(parts, s[n+len(sep):]), s[:n]
		}
		parts = append(parts, s)
	}
	slices.Reverse(parts)
	return pieces(v, parts)
}

// splitLines is Python's splitlines.
func splitLines(s string) []string {
	var lines []string
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool {
			return r >= '\n' && r <= '\r' || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
		})
		if n < 0 {
			return append(lines, s)
		}
		lines = append(lines, s[:n])
		_, width := utf8.DecodeRuneInString(s[n:])
		if strings.HasPrefix(s[n:], "\r\n") {
			width = 2
		}
		s = s[n+width:]
	}
	return lines
}

func methodSplitLines(e *evaluator, v value, a *arguments) (value, error) {
	s, _ := text(v)
	if err := a.none(); err != nil {
		return nil, err
	}
	if err := e.spend((1 + itemCost) * len(s)); err != nil {
		return nil, err
	}
	return pieces(v, splitLines(s))
}

func partition(find func(s, sub string) int, last bool) method {
	return func(e *evaluator, v value, a *arguments) (value, error) {
		s, _ := text(v)
		sep, err := a.text("sep")
		if err != nil {
			return nil, err
		}
		if sep == "" {
			return nil, errorf("empty separator")
		}
		parts := []value{like(v, s), like(v, ""), like(v, "")}
		if n := find(s, sep); n >= 0 {
			parts = []value{like(v, s[:n]), like(v, sep), like(v, s[n+len(sep):])}
		} else if last {
			parts[0], parts[2] = parts[2], parts[0]
		}
		return &list{formTuple, parts}, e.spend(2 * len(s))
	}
}

func methodJoin(e *evaluator, v value, a *arguments) (value, error) {
	b, err := a.bind([]string{"iterable"})
	if err != nil {
		return nil, err
	}
	items, err := e.items(b[0])
	if err != nil {
		return nil, err
	}
	for i, x := range items {
		if _, ok := text(x); !ok {
			return nil, errorf("sequence item %d: expected str instance, %s found", i, typeName(x))
		}
	}
	return e.join(items, v)
}

func methodZFill(e *evaluator, v value, a *arguments) (value, error) {
	s, _ := text(v)
	b, err := a.bind([]string{"width"})
	if err != nil {
		return nil, err
	}
	n, ok := integer(b[0])
	if !ok {
		return nil, errorf("the width is a %s", typeName(b[0]))
	}
	zeros, err := e.repeat("0", n-int64(len([]rune(s))))
	if err != nil {
		return nil, err
	}
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	return like(v, sign+zeros.(string)+s), e.spend(len(s))
}
