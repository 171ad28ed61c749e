package jinja

import (
	"slices"
	"strings"
)

// changing are the methods that change their value, which no template may use.
var changing = []string{"add", "append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update", "discard"}

// attribute returns what x.name is in Python; ok is false if there is no such attribute.
func (e *evaluator) attribute(v value, name string) (value, bool, error) {
	switch v := v.(type) {
	case *undefined:
		return nil, false, v.err()
	case *namespace:
		x, ok := v.names[name]
		return x, ok, nil
	case *loop:
		return v.attribute(name), true, nil
	}
	if strings.HasPrefix(name, "__") {
		return unsafe(v, name), true, nil
	}
	var table map[string]method
	switch v.(type) {
	case string, markup:
		table = stringMethods
	case *Dict:
		table = dictMethods
	case *list:
		table = listMethods
	}
	if _, isText := text(v); table != nil && !isText && slices.Contains(changing, name) {
		return unsafe(v, name), true, nil
	}
	m, ok := table[name]
	if !ok {
		return nil, false, nil
	}
	return &function{name, func(e *evaluator, a *arguments) (value, error) { return m(e, v, a) }}, true, nil
}

// unsafe returns the value of an attribute that a template must not use.
func unsafe(v value, name string) *undefined {
	return missing("access to attribute '%s' of '%s' object is unsafe.", name, typeName(v))
}

// item returns what x[k] is in Python; ok is false if there is no such item.
func (e *evaluator) item(v, k value) (value, bool, error) {
	switch v := v.(type) {
	case *undefined:
		return nil, false, v.err()
	case *Dict:
		x, ok := v.get(k)
		return x, ok, nil
	}
	n, ok := integer(k)
	if !ok {
		return nil, false, nil
	}
	if l, ok := v.(*list); ok && l.form != formGenerator {
		if n < 0 {
			n += int64(len(l.items))
		}
		if n < 0 || n >= int64(len(l.items)) {
			return nil, false, nil
		}
		return l.items[n], true, nil
	}
	if s, ok := text(v); ok {
		runes, err := e.runes(s)
		if n < 0 {
			n += int64(len(runes))
		}
		if n < 0 || n >= int64(len(runes)) {
			return nil, false, err
		}
		return string(runes[n]), true, err
	}
	return nil, false, nil
}

func (e *evaluator) runes(s string) ([]rune, error) {
	if err := e.spend(4 * len(s)); err != nil {
		return nil, err
	}
	return []rune(s), nil
}

func lacks(v, k value) *undefined {
	object := typeName(v)
	if v != nil {
		object += " object"
	}
	if name, ok := text(k); ok {
		return missing("'%s' has no attribute '%s'", object, name)
	}
	return missing("%s has no element %v", object, k)
}

type attributeNode struct {
	x    expression
	name string
}

func (n *attributeNode) eval(e *evaluator) (value, error) {
	v, err := e.eval(n.x)
	if err != nil {
		return nil, err
	}
	return e.getAttribute(v, n.name)
}

// getAttribute is x.name: an attribute, and else an item.
func (e *evaluator) getAttribute(v value, name string) (value, error) {
	if x, ok, err := e.attribute(v, name); ok || err != nil {
		return x, err
	}
	if x, ok, err := e.item(v, name); ok || err != nil {
		return x, err
	}
	return lacks(v, name), nil
}

type subscriptNode struct{ x, index expression }

func (n *subscriptNode) eval(e *evaluator) (value, error) {
	v, err := e.eval(n.x)
	if err != nil {
		return nil, err
	}
	k, err := e.eval(n.index)
	if err != nil {
		return nil, err
	}
	return e.getItem(v, k)
}

// getItem is x[k]: an item, and else an attribute.
func (e *evaluator) getItem(v, k value) (value, error) {
	if u, ok := k.(*undefined); ok {
		if _, ok := v.(*Dict); !ok {
			return lacks(v, u.why), nil
		}
	}
	if x, ok, err := e.item(v, k); ok || err != nil {
		return x, err
	}
	if name, ok := text(k); ok {
		if x, ok, err := e.attribute(v, name); ok || err != nil {
			return x, err
		}
	}
	return lacks(v, k), nil
}

type sliceNode struct {
	x     expression
	parts [3]expression // from, to, step
}

func (n *sliceNode) eval(e *evaluator) (value, error) {
	v, err := e.eval(n.x)
	if err != nil {
		return nil, err
	}
	if u, ok := v.(*undefined); ok {
		return nil, u.err()
	}
	var at [3]*int64
	for i, x := range n.parts {
		if x == nil {
			continue
		}
		k, err := e.eval(x)
		if err != nil {
			return nil, err
		}
		if k == nil {
			continue
		}
		j, ok := integer(k)
		if !ok {
			return nil, errorf("slice indices must be integers, not %s", typeName(k))
		}
		at[i] = &j
	}
	if l, ok := v.(*list); ok && l.form <= formTuple {
		items, err := cut(e, l.items, itemCost, at)
		return &list{l.form, items}, err
	}
	if s, ok := text(v); ok {
		runes, err := e.runes(s)
		if err != nil {
			return nil, err
		}
		runes, err = cut(e, runes, 4, at)
		if _, ok := v.(markup); ok {
			return markup(runes), err
		}
		return string(runes), err
	}
	return nil, errorf("a %s has no slices", typeName(v))
}

// cut is Python's all[from:to:step].
func cut[T any](e *evaluator, all []T, cost int, at [3]*int64) ([]T, error) {
	n, step := int64(len(all)), int64(1)
	if at[2] != nil {
		step = *at[2]
	}
	if step == 0 {
		return nil, errorf("slice step cannot be zero")
	}
	step = max(min(step, n+1), -n-1)
	lo, hi := int64(0), n // the bounds of both ends
	from, to := lo, hi
	if step < 0 {
		lo, hi = -1, n-1
		from, to = hi, lo
	}
	bound := func(i int64) int64 {
		if i < 0 {
			i += n
		}
		return max(lo, min(i, hi))
	}
	if at[0] != nil {
		from = bound(*at[0])
	}
	if at[1] != nil {
		to = bound(*at[1])
	}
	if err := e.spend(cost * len(all)); err != nil {
		return nil, err
	}
	var some []T
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		some = append(some, all[i])
	}
	return some, nil
}

// argumentNodes are the arguments of a call.
type argumentNodes struct {
	list  []expression
	names []string
	named []expression
}

// arguments are the values of a call.
type arguments struct {
	list  []value
	names []string
	named []value
}

func (e *evaluator) arguments(n argumentNodes) (*arguments, error) {
	a := &arguments{names: n.names}
	var err error
	if a.list, err = e.evalAll(n.list); err != nil {
		return nil, err
	}
	a.named, err = e.evalAll(n.named)
	for i, name := range a.names {
		if slices.Contains(a.names[:i], name) {
			return nil, errorf("argument '%s' twice", name)
		}
	}
	return a, err
}

// bind returns the arguments of a function by name. standard has the defaults of the
// last names; arguments without a default are required.
func (a *arguments) bind(names []string, standard ...value) ([]value, error) {
	if len(a.list) > len(names) {
		return nil, errorf("%d arguments, want at most %d", len(a.list), len(names))
	}
	values := make([]value, len(names))
	given := make([]bool, len(names))
	for i, v := range a.list {
		values[i], given[i] = v, true
	}
	for i, name := range a.names {
		j := slices.Index(names, name)
		if j < 0 {
			return nil, errorf("there is no argument '%s'", name)
		}
		if given[j] {
			return nil, errorf("argument '%s' twice", name)
		}
		values[j], given[j] = a.named[i], true
	}
	for i := range names {
		j := i - (len(names) - len(standard))
		switch {
		case given[i]:
		case j < 0:
			return nil, errorf("argument '%s' is missing", names[i])
		default:
			values[i] = standard[j]
		}
	}
	return values, nil
}

type callNode struct {
	f         expression
	arguments argumentNodes
}

func (n *callNode) eval(e *evaluator) (value, error) {
	f, err := e.eval(n.f)
	if err != nil {
		return nil, err
	}
	a, err := e.arguments(n.arguments)
	if err != nil {
		return nil, err
	}
	switch f := f.(type) {
	case *function:
		return f.call(e, a)
	case *undefined:
		return nil, f.err()
	case *loop:
		over, err := a.bind([]string{"iterable"})
		if err != nil {
			return nil, err
		}
		return f.again(e, over[0])
	}
	return nil, errorf("a %s cannot be called", typeName(f))
}
