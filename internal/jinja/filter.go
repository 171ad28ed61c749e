package jinja

import (
	"math"
	"slices"
	"strings"
)

// A filter is a function that a template applies with |.
type filter func(e *evaluator, v value, a *arguments) (value, error)

// An application is of a filter or a test to an expression.
type application struct {
	name      string
	of        expression
	arguments argumentNodes
}

// operands evaluates the operands of the filter or test.
func (n *application) operands(e *evaluator) (value, *arguments, error) {
	v, err := e.eval(n.of)
	if err != nil {
		return nil, nil, err
	}
	a, err := e.arguments(n.arguments)
	return v, a, err
}

type filterCall struct{ application }

func (n *filterCall) eval(e *evaluator) (value, error) {
	v, a, err := n.operands(e)
	if err != nil {
		return nil, err
	}
	return e.filter(n.name, v, a)
}

func (e *evaluator) filter(name string, v value, a *arguments) (value, error) {
	f, ok := filters[name]
	if !ok {
		return nil, errorf("no filter named '%s'", name)
	}
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	return f(e, v, a)
}

var filters map[string]filter

func init() { // filters such as map call others
	filters = map[string]filter{
		"abs": filterAbs, "attr": filterAttr, "capitalize": ofMethod("capitalize"), "count": filterLength, "d": filterDefault,
		"default": filterDefault, "dictsort": filterDictSort, "e": filterEscape, "escape": filterEscape, "first": filterFirst,
		"float": filterFloat, "format": filterFormat, "indent": filterIndent, "int": filterInt, "items": filterItems,
		"join": filterJoin, "last": filterLast, "length": filterLength, "list": filterList, "lower": ofMethod("lower"),
		"map": filterMap, "max": filterMax, "min": filterMin, "reject": filterReject, "rejectattr": filterRejectAttr,
		"replace": ofMethod("replace"), "reverse": filterReverse, "round": filterRound, "safe": filterSafe,
		"select": filterSelect, "selectattr": filterSelectAttr, "sort": filterSort, "string": filterString, "sum": filterSum,
		"title": filterTitle, "tojson": filterJSON, "trim": ofMethod("strip"), "unique": filterUnique, "upper": ofMethod("upper"),
	}
}

// ofMethod is a filter that is a method of the value's text.
func ofMethod(name string) filter {
	return func(e *evaluator, v value, a *arguments) (value, error) {
		if _, ok := text(v); !ok {
			s, err := e.str(v)
			if err != nil {
				return nil, err
			}
			v = s
		}
		return stringMethods[name](e, v, a)
	}
}

func filterAbs(_ *evaluator, v value, a *arguments) (value, error) {
	if i, ok := integer(v); ok {
		if i < 0 {
			return arithmetic("-", 0, i)
		}
		return i, nil
	}
	if f, ok := v.(float64); ok {
		return math.Abs(f), nil
	}
	return nil, errorf("a %s has no absolute value", typeName(v))
}

func filterAttr(e *evaluator, v value, a *arguments) (value, error) {
	b, err := a.bind([]string{"name"})
	if err != nil {
		return nil, err
	}
	name, ok := text(b[0])
	if !ok {
		return nil, errorf("the name of an attribute is a %s", typeName(b[0]))
	}
	x, ok, err := e.attribute(v, name)
	if err == nil && !ok {
		return lacks(v, name), nil
	}
	return x, err
}

func filterDefault(_ *evaluator, v value, a *arguments) (value, error) {
	b, err := a.bind([]string{"default_value", "boolean"}, "", false)
	if err != nil {
		return nil, err
	}
	if _, ok := v.(*undefined); ok || truth(b[1]) && !truth(v) {
		return b[0], nil
	}
	return v, nil
}

func filterEscape(e *evaluator, v value, _ *arguments) (value, error) { return e.escape(v) }

func filterSafe(e *evaluator, v value, _ *arguments) (value, error) {
	s, err := e.str(v)
	return markup(s), err
}

func filterString(e *evaluator, v value, _ *arguments) (value, error) {
	if m, ok := v.(markup); ok {
		return m, nil
	}
	return e.str(v)
}

func filterLength(e *evaluator, v value, _ *arguments) (value, error) {
	n, err := length(v)
	if s, ok := text(v); ok {
		err = e.spend(len(s))
	}
	return int64(n), err
}

func filterList(e *evaluator, v value, _ *arguments) (value, error) {
	items, err := e.items(v)
	return &list{items: items}, err
}

func filterFirst(e *evaluator, v value, _ *arguments) (value, error) {
	items, err := e.items(v)
	if err == nil && len(items) == 0 {
		return missing("No first item, sequence was empty."), nil
	}
	if err != nil {
		return nil, err
	}
	return items[0], nil
}

func filterLast(e *evaluator, v value, _ *arguments) (value, error) {
	if l, ok := v.(*list); ok && l.form == formGenerator {
		return nil, errorf("a generator has no last item")
	}
	items, err := e.items(v)
	if err == nil && len(items) == 0 {
		return missing("No last item, sequence was empty."), nil
	}
	if err != nil {
		return nil, err
	}
	return items[len(items)-1], nil
}

func filterItems(e *evaluator, v value, _ *arguments) (value, error) {
	switch v := v.(type) {
	case *undefined:
		return &list{form: formGenerator}, nil
	case *Dict:
		return &list{formGenerator, v.pairs()}, e.spend(pairCost * len(v.keys))
	}
	return nil, errorf("Can only get item pairs from a mapping.")
}

func filterJoin(e *evaluator, v value, a *arguments) (value, error) {
	b, err := a.bind([]string{"d", "attribute"}, "", nil)
	if err != nil {
		return nil, err
	}
	items, err := e.items(v)
	if err == nil && b[1] != nil {
		items, err = e.attributes(items, b[1], nil)
	}
	if err != nil {
		return nil, err
	}
	between, err := e.str(b[0])
	if err != nil {
		return nil, err
	}
	return e.concatenate(items, between)
}

func filterReverse(e *evaluator, v value, _ *arguments) (value, error) {
	items, err := e.items(v)
	if err != nil {
		return nil, err
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	if _, ok := text(v); ok {
		return e.concatenate(items, "")
	}
	return &list{formGenerator, items}, e.spend(itemCost * len(items))
}

func filterRound(_ *evaluator, v value, a *arguments) (value, error) {
	b, err := a.bind([]string{"precision", "method"}, int64(0), "common")
	if err != nil {
		return nil, err
	}
	f, ok := float(v)
	digits, isInt := integer(b[0])
	if !ok || !isInt || digits < -300 || digits > 300 {
		return nil, errorf("a %s cannot be rounded", typeName(v))
	}
	scale := math.Pow(10, float64(digits))
	switch b[1] {
	case "common":
		return math.RoundToEven(f*scale) / scale, nil
	case "ceil":
		return math.Ceil(f*scale) / scale, nil
	case "floor":
		return math.Floor(f*scale) / scale, nil
	}
	return nil, errorf("method must be common, ceil or floor")
}

func filterTitle(e *evaluator, v value, _ *arguments) (value, error) {
	s, err := e.str(v)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	begins := true
	for _, r := range s {
		if begins {
			b.WriteString(strings.ToUpper(string(r)))
		} else {
			b.WriteString(strings.ToLower(string(r)))
		}
		begins = r == '-' || isSpace(r) || strings.ContainsRune("({[<", r)
	}
	return b.String(), e.spend(4 * len(s))
}

func filterIndent(e *evaluator, v value, a *arguments) (value, error) {
	b, err := a.bind([]string{"width", "first", "blank"}, int64(4), false, false)
	if err != nil {
		return nil, err
	}
	s, err := e.str(v)
	if err != nil {
		return nil, err
	}
	indent, ok := text(b[0])
	if !ok {
		n, ok := integer(b[0])
		if !ok {
			return nil, errorf("the width of an indent is a %s", typeName(b[0]))
		}
		spaces, err := e.repeat(" ", n)
		if err != nil {
			return nil, err
		}
		indent = spaces.(string)
	}
	lines := splitLines(s + "\n")
	if err := e.spend(len(s) + len(lines)*(len(indent)+itemCost)); err != nil {
		return nil, err
	}
	for i := range lines {
		if i > 0 && (lines[i] != "" || truth(b[2])) || i == 0 && truth(b[1]) {
			lines[i] = indent + lines[i]
		}
	}
	return strings.Join(lines, "\n"), nil
}

func filterInt(e *evaluator, v value, a *arguments) (value, error) {
	b, err := a.bind([]string{"default", "base"}, int64(0), int64(10))
	if err != nil {
		return nil, err
	}
	if u, ok := v.(*undefined); ok {
		return nil, u.err()
	}
	if i, ok := integer(v); ok {
		return i, nil
	}
	if s, ok := text(v); ok {
		base, _ := integer(b[1])
		if i, ok := parseInt(s, base); ok {
			return i, nil
		}
		if f, ok := parseFloat(s); ok {
			v = f
		}
	}
	if f, ok := v.(float64); ok && math.Abs(f) < 1<<63 {
		return int64(f), nil
	}
	return b[0], nil
}

func filterFloat(_ *evaluator, v value, a *arguments) (value, error) {
	b, err := a.bind([]string{"default"}, 0.0)
	if err != nil {
		return nil, err
	}
	if u, ok := v.(*undefined); ok {
		return nil, u.err()
	}
	if f, ok := float(v); ok {
		return f, nil
	}
	if s, ok := text(v); ok {
		if f, ok := parseFloat(s); ok {
			return f, nil
		}
	}
	return b[0], nil
}

func filterFormat(e *evaluator, v value, a *arguments) (value, error) {
	s, err := e.str(v)
	if err != nil {
		return nil, err
	}
	if len(a.names) > 0 {
		return nil, errorf("arguments of format with names are not supported")
	}
	return e.percent(s, &list{formTuple, a.list})
}

func filterJSON(e *evaluator, v value, a *arguments) (value, error) {
	b, err := a.bind([]string{"ensure_ascii", "indent", "separators", "sort_keys"}, false, nil, nil, false)
	if err != nil {
		return nil, err
	}
	w := jsonWriter{e: e, ascii: truth(b[0]), item: ", ", pair: ": ", sorted: truth(b[3])}
	if b[1] != nil {
		w.indented, w.item = true, ","
		if s, ok := text(b[1]); ok {
			w.indent = s
		} else {
			n, ok := integer(b[1])
			if !ok {
				return nil, errorf("the indent of JSON is a %s", typeName(b[1]))
			}
			spaces, err := e.repeat(" ", n)
			if err != nil {
				return nil, err
			}
			w.indent = spaces.(string)
		}
	}
	if b[2] != nil {
		l, ok := b[2].(*list)
		if !ok || len(l.items) != 2 {
			return nil, errorf("the separators of JSON are not two")
		}
		item, ok1 := text(l.items[0])
		pair, ok2 := text(l.items[1])
		if !ok1 || !ok2 {
			return nil, errorf("the separators of JSON are not two texts")
		}
		w.item, w.pair = item, pair
	}
	if err := w.write(v, 0); err != nil {
		return nil, err
	}
	return w.b.String(), nil
}
