package jinja

import "strings"

type testCall struct{ application }

func (n *testCall) eval(e *evaluator) (value, error) {
	v, a, err := n.operands(e)
	if err != nil {
		return nil, err
	}
	return e.test(n.name, v, a)
}

// comparisons are the tests that compare, with their operators.
var comparisons = map[string]string{
	"eq": "==", "==": "==", "equalto": "==", "ne": "!=", "!=": "!=", "in": "in",
	"lt": "<", "<": "<", "lessthan": "<", "le": "<=", "<=": "<=", "gt": ">", ">": ">", "greaterthan": ">", "ge": ">=", ">=": ">=",
}

// test evaluates a test that a template applies with is.
func (e *evaluator) test(name string, v value, a *arguments) (bool, error) {
	if err := e.spend(nodeCost); err != nil {
		return false, err
	}
	if op, ok := comparisons[name]; ok {
		b, err := a.bind([]string{"other"})
		if err != nil {
			return false, err
		}
		return e.holds(op, v, b[0])
	}
	switch name {
	case "sameas":
		b, err := a.bind([]string{"other"})
		return err == nil && v == b[0], err
	case "divisibleby":
		b, err := a.bind([]string{"num"})
		if err != nil {
			return false, err
		}
		rest, err := e.operate("%", v, b[0])
		return err == nil && !truth(rest), err
	}
	if len(a.list)+len(a.names) > 0 {
		return false, errorf("test '%s' has arguments, or is not known", name)
	}
	u, isUndefined := v.(*undefined)
	switch name {
	case "defined":
		return !isUndefined, nil
	case "undefined":
		return isUndefined, nil
	case "none":
		return v == nil, nil
	case "boolean":
		_, ok := v.(bool)
		return ok, nil
	case "true":
		return v == true, nil
	case "false":
		return v == false, nil
	case "integer":
		_, ok := v.(int64)
		return ok, nil
	case "float":
		_, ok := v.(float64)
		return ok, nil
	case "number":
		_, ok := float(v)
		return ok, nil
	case "string":
		_, ok := text(v)
		return ok, nil
	case "mapping":
		_, ok := v.(*Dict)
		return ok, nil
	case "iterable":
		_, isText := text(v)
		_, isDict := v.(*Dict)
		_, isList := v.(*list)
		return isText || isDict || isList || isUndefined, nil
	case "sequence":
		_, isText := text(v)
		_, isDict := v.(*Dict)
		l, isList := v.(*list)
		return isText || isDict || isList && l.form <= formTuple || isUndefined, nil
	case "callable":
		_, ok := v.(*function)
		return ok || isUndefined, nil
	case "escaped":
		_, ok := v.(markup)
		return ok, nil
	case "filter", "test":
		s, ok := text(v)
		if name == "filter" {
			_, ok = filters[s]
		}
		return ok, nil
	case "odd", "even":
		if isUndefined {
			return false, u.err()
		}
		rest, err := e.operate("%", v, int64(2))
		if err != nil {
			return false, err
		}
		n, _ := float(rest)
		return n == map[string]float64{"even": 0, "odd": 1}[name], nil
	case "lower", "upper":
		s, err := e.str(v)
		if err == nil {
			err = e.spend(len(s))
		}
		if name == "lower" {
			return isCased(s) && s == strings.ToLower(s), err
		}
		return isCased(s) && s == strings.ToUpper(s), err
	}
	return false, errorf("no test named '%s'", name)
}

// isCased reports whether a text has letters with upper and lower case.
func isCased(s string) bool { return strings.ToLower(s) != s || strings.ToUpper(s) != s }
