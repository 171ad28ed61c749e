package jinja

import (
	"math"
	"math/big"
	"strings"
)

// An expression is a node with a value.
type expression interface {
	eval(*evaluator) (value, error)
}

func (e *evaluator) eval(x expression) (value, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	return x.eval(e)
}

type constant struct{ v value }

func (n constant) eval(*evaluator) (value, error) { return n.v, nil }

type nameNode string

func (n nameNode) eval(e *evaluator) (value, error) { return e.lookup(string(n)), nil }

type listNode struct {
	form  form
	items []expression
}

func (n *listNode) eval(e *evaluator) (value, error) {
	items, err := e.evalAll(n.items)
	return &list{n.form, items}, err
}

func (e *evaluator) evalAll(xs []expression) ([]value, error) {
	if err := e.spend(itemCost * len(xs)); err != nil {
		return nil, err
	}
	items := make([]value, len(xs))
	for i, x := range xs {
		var err error
		if items[i], err = e.eval(x); err != nil {
			return nil, err
		}
	}
	return items, nil
}

type dictNode struct{ keys, values []expression }

func (n *dictNode) eval(e *evaluator) (value, error) {
	if err := e.spend(pairCost * len(n.keys)); err != nil {
		return nil, err
	}
	d := &Dict{}
	for i := range n.keys {
		k, err := e.eval(n.keys[i])
		if err != nil {
			return nil, err
		}
		if _, err := key(k); err != nil {
			return nil, err
		}
		v, err := e.eval(n.values[i])
		if err != nil {
			return nil, err
		}
		d.set(k, v)
	}
	return d, nil
}

type conditionNode struct{ then, test, otherwise expression }

func (n *conditionNode) eval(e *evaluator) (value, error) {
	v, err := e.eval(n.test)
	switch {
	case err != nil:
		return nil, err
	case truth(v):
		return e.eval(n.then)
	case n.otherwise != nil:
		return e.eval(n.otherwise)
	}
	return missing("the inline if-expression evaluated to false and no else section was defined"), nil
}

type unaryNode struct {
	operator string
	x        expression
}

func (n *unaryNode) eval(e *evaluator) (value, error) {
	v, err := e.eval(n.x)
	if err != nil {
		return nil, err
	}
	if n.operator == "not" {
		return !truth(v), nil
	}
	if u, ok := v.(*undefined); ok {
		return nil, u.err()
	}
	if i, ok := integer(v); ok {
		if n.operator == "+" {
			return i, nil
		}
		return arithmetic("-", 0, i)
	}
	if f, ok := v.(float64); ok {
		if n.operator == "-" {
			f = -f
		}
		return f, nil
	}
	return nil, errorf("bad operand type for unary %s: '%s'", n.operator, typeName(v))
}

type concatNode []expression

func (n concatNode) eval(e *evaluator) (value, error) {
	items, err := e.evalAll(n)
	if err != nil {
		return nil, err
	}
	return e.concatenate(items, "")
}

// concatenate returns the texts of values as one, which is never markup: templates of
// models do not escape by themselves.
func (e *evaluator) concatenate(items []value, between string) (string, error) {
	var b strings.Builder
	for i, v := range items {
		s, err := e.str(v)
		if err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(s)
		if err := e.spend(len(s) + len(between)); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// join returns values as one text, which is markup if one of them is.
func (e *evaluator) join(items []value, between value) (value, error) {
	safe := false
	for _, v := range append([]value{between}, items...) {
		if _, ok := v.(markup); ok {
			safe = true
		}
	}
	var b strings.Builder
	add := func(v value) error {
		s, err := e.str(v)
		if safe {
			var m markup
			m, err = e.escape(v)
			s = string(m)
		}
		if err == nil {
			err = e.spend(len(s))
		}
		b.WriteString(s)
		return err
	}
	for i, v := range items {
		if i > 0 {
			if err := add(between); err != nil {
				return nil, err
			}
		}
		if err := add(v); err != nil {
			return nil, err
		}
	}
	if safe {
		return markup(b.String()), nil
	}
	return b.String(), nil
}

type compareNode struct {
	first     expression
	operators []string
	others    []expression
}

func (n *compareNode) eval(e *evaluator) (value, error) {
	left, err := e.eval(n.first)
	if err != nil {
		return nil, err
	}
	for i, op := range n.operators {
		right, err := e.eval(n.others[i])
		if err != nil {
			return nil, err
		}
		ok, err := e.holds(op, left, right)
		if err != nil || !ok {
			return false, err
		}
		left = right
	}
	return true, nil
}

// holds compares two values.
func (e *evaluator) holds(op string, a, b value) (bool, error) {
	switch op {
	case "==":
		return e.equal(a, b, 0)
	case "!=":
		ok, err := e.equal(a, b, 0)
		return !ok, err
	case "in":
		return e.contains(b, a)
	case "not in":
		ok, err := e.contains(b, a)
		return !ok, err
	}
	c, err := e.compare(a, b)
	if err != nil {
		return false, err
	}
	switch op {
	case "<":
		return c == -1, nil
	case "<=":
		return c == -1 || c == 0, nil
	case ">":
		return c == 1, nil
	}
	return c == 1 || c == 0, nil
}

// contains is Python's in.
func (e *evaluator) contains(all, v value) (bool, error) {
	if s, ok := text(all); ok {
		if u, ok := v.(*undefined); ok {
			return false, u.err()
		}
		sub, ok := text(v)
		if !ok {
			return false, errorf("'in <string>' requires string as left operand, not %s", typeName(v))
		}
		return strings.Contains(s, sub), e.spend(len(s))
	}
	switch all := all.(type) {
	case *Dict:
		if _, err := key(v); err != nil {
			return false, err
		}
		_, ok := all.get(v)
		return ok, nil
	case *undefined:
		return false, nil
	case *list:
		for _, x := range all.items {
			if ok, err := e.equal(x, v, 0); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	return false, errorf("%s is not iterable", typeName(all))
}

type binaryNode struct {
	operator string
	a, b     expression
}

func (n *binaryNode) eval(e *evaluator) (value, error) {
	a, err := e.eval(n.a)
	if err != nil {
		return nil, err
	}
	if n.operator == "or" && truth(a) || n.operator == "and" && !truth(a) {
		return a, nil
	}
	b, err := e.eval(n.b)
	if err != nil || n.operator == "or" || n.operator == "and" {
		return b, err
	}
	return e.operate(n.operator, a, b)
}

func (e *evaluator) operate(op string, a, b value) (value, error) {
	for _, v := range []value{a, b} {
		if u, ok := v.(*undefined); ok {
			return nil, u.err()
		}
	}
	i, isInt := integer(a)
	j, bothInt := integer(b)
	if isInt && bothInt {
		return arithmetic(op, i, j)
	}
	x, isNumber := float(a)
	y, bothNumbers := float(b)
	if isNumber && bothNumbers {
		return floatArithmetic(op, x, y)
	}
	switch op {
	case "+":
		if s, ok := text(a); ok {
			if t, ok := text(b); ok {
				_, m := a.(markup)
				_, n := b.(markup)
				if m || n {
					return e.join([]value{a, b}, "")
				}
				return s + t, e.spend(len(s) + len(t))
			}
		}
		if s, ok := a.(*list); ok {
			if t, ok := b.(*list); ok && s.form == t.form && s.form <= formTuple {
				if err := e.spend(itemCost * (len(s.items) + len(t.items))); err != nil {
					return nil, err
				}
				return &list{s.form, append(append([]value(nil), s.items...), t.items...)}, nil
			}
		}
	case "*":
		if isInt {
			a, b, i, j, bothInt = b, a, j, i, true
		}
		if bothInt {
			return e.repeat(a, j)
		}
	case "%":
		if s, ok := text(a); ok {
			return e.percent(s, b)
		}
	}
	return nil, errorf("unsupported operand types for %s: '%s' and '%s'", op, typeName(a), typeName(b))
}

// repeat returns n times a text or list.
func (e *evaluator) repeat(v value, n int64) (value, error) {
	n = max(n, 0)
	cost := func(each int) error {
		if each > 0 && n > int64(budget/each) {
			return e.spend(-1)
		}
		return e.spend(each * int(n))
	}
	if s, ok := text(v); ok {
		if err := cost(len(s)); err != nil {
			return nil, err
		}
		if s == "" {
			return s, nil
		}
		return strings.Repeat(s, int(n)), nil
	}
	if l, ok := v.(*list); ok && l.form <= formTuple {
		if err := cost(itemCost * len(l.items)); err != nil {
			return nil, err
		}
		r := &list{form: l.form}
		if len(l.items) > 0 {
			for range n {
				r.items = append(r.items, l.items...)
			}
		}
		return r, nil
	}
	return nil, errorf("can't multiply sequence by non-int of type '%s'", typeName(v))
}

// arithmetic computes with integers of 64 bits. Overflow is an error, as Python's
// integers have any length.
func arithmetic(op string, i, j int64) (value, error) {
	a, b, r := big.NewInt(i), big.NewInt(j), new(big.Int)
	switch op {
	case "+":
		r.Add(a, b)
	case "-":
		r.Sub(a, b)
	case "*":
		r.Mul(a, b)
	case "/":
		if j == 0 {
			return nil, errorf("division by zero")
		}
		return float64(i) / float64(j), nil
	case "//", "%":
		if j == 0 {
			return nil, errorf("division by zero")
		}
		rest := new(big.Int)
		r.QuoRem(a, b, rest)
		if rest.Sign() != 0 && rest.Sign() != b.Sign() { // rounds down
			r.Sub(r, big.NewInt(1))
			rest.Add(rest, b)
		}
		if op == "%" {
			r = rest
		}
	case "**":
		if j < 0 {
			return floatArithmetic(op, float64(i), float64(j))
		}
		if j > 64 && i != 0 && i != 1 && i != -1 {
			return nil, errorf("an integer of more than 64 bits")
		}
		if j > 64 {
			b.SetInt64(j%2 + 64)
		}
		r.Exp(a, b, nil)
	}
	if !r.IsInt64() {
		return nil, errorf("an integer of more than 64 bits")
	}
	return r.Int64(), nil
}

func floatArithmetic(op string, x, y float64) (value, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "**":
		return math.Pow(x, y), nil
	}
	if y == 0 {
		return nil, errorf("division by zero")
	}
	switch op {
	case "/":
		return x / y, nil
	case "//":
		return math.Floor(x / y), nil
	}
	r := math.Mod(x, y)
	if r != 0 && (r < 0) != (y < 0) {
		r += y
	}
	return r, nil
}
