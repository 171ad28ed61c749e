package jinja

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
)

// A value is nil (None), a bool, an int64, a float64, a string, a markup, a *list, a
// *Dict, a *namespace, a *function, or an *undefined.
type value any

// markup is a string that the filter safe returns. Strings that are added to it are
// escaped.
type markup string

// A list is a sequence that does not change.
type list struct {
	form  form
	items []value
}

// A form is the Python sequence that a list stands for. Sequences print differently,
// and not all have a length or a form in JSON.
type form uint8

const (
	formList form = iota
	formTuple
	formView      // of a dictionary, or a range
	formGenerator // has no length
)

// A Dict is a dictionary that keeps its order.
type Dict struct {
	keys   []value
	values []value
	index  map[value]int
}

// NewDict returns a dictionary of pairs: a key, its value, the next key …
// Values may be what [Template.Render] takes.
func NewDict(pairs ...any) *Dict {
	d := &Dict{}
	for i := 0; i+1 < len(pairs); i += 2 {
		d.set(pairs[i], pairs[i+1])
	}
	return d
}

// key returns the key of a value: equal numbers have the same key.
func key(v value) (value, error) {
	switch v := v.(type) {
	case nil, string, int64:
		return v, nil
	case markup:
		return string(v), nil
	case bool:
		return asInt(v), nil
	case float64:
		if n := int64(v); float64(n) == v {
			return n, nil
		}
		return v, nil
	}
	return nil, errorf("%s cannot be the key of a dictionary", typeName(v))
}

// set panics for what cannot be a key.
func (d *Dict) set(k, v value) {
	id, err := key(k)
	if err != nil {
		panic(err)
	}
	if d.index == nil {
		d.index = map[value]int{}
	}
	if i, ok := d.index[id]; ok {
		d.values[i] = v
		return
	}
	d.index[id] = len(d.keys)
	d.keys, d.values = append(d.keys, k), append(d.values, v)
}

func (d *Dict) get(k value) (value, bool) {
	id, err := key(k)
	if err != nil {
		return nil, false
	}
	i, ok := d.index[id]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// pairs returns the items as tuples.
func (d *Dict) pairs() []value {
	items := make([]value, len(d.keys))
	for i := range items {
		items[i] = &list{formTuple, []value{d.keys[i], d.values[i]}}
	}
	return items
}

// A namespace has attributes that a template sets.
type namespace struct{ names map[string]value }

// A function can be called by a template.
type function struct {
	name string
	call func(e *evaluator, a *arguments) (value, error)
}

// An undefined stands for a missing value. It prints as nothing, and is an error in
// most operations.
type undefined struct{ why string }

func missing(format string, args ...any) *undefined { return &undefined{fmt.Sprintf(format, args...)} }

func (u *undefined) err() error { return errorf("%s", u.why) }

// convert converts Go values: values that encoding/json decodes to, integers, slices,
// Dicts, and maps with strings as keys, whose items are in the order of their keys.
func convert(x any, depth int) (value, error) {
	if depth > maxDepth {
		return nil, errorf("values that nest more than %d deep", maxDepth)
	}
	switch x := x.(type) {
	case nil, bool, string, int64, *function:
		return x, nil
	case float64:
		return x, nil
	case int:
		return int64(x), nil
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return n, nil
		}
		f, err := x.Float64()
		return f, err
	case *Dict:
		d := &Dict{}
		for i, k := range x.keys {
			v, err := convert(x.values[i], depth+1)
			if err != nil {
				return nil, err
			}
			d.set(k, v)
		}
		return d, nil
	case map[string]any:
		d := &Dict{}
		for _, k := range slices.Sorted(maps.Keys(x)) {
			v, err := convert(x[k], depth+1)
			if err != nil {
				return nil, err
			}
			d.set(k, v)
		}
		return d, nil
	}
	if r := reflect.ValueOf(x); r.Kind() == reflect.Slice {
		items := make([]value, r.Len())
		for i := range items {
			var err error
			if items[i], err = convert(r.Index(i).Interface(), depth+1); err != nil {
				return nil, err
			}
		}
		return &list{items: items}, nil
	}
	return nil, errorf("a template cannot use a %T", x)
}

// truth is Python's bool of a value.
func truth(v value) bool {
	switch v := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case markup:
		return v != ""
	case *list:
		return v.form == formGenerator || len(v.items) > 0
	case *Dict:
		return len(v.keys) > 0
	}
	return true
}

// text returns a string or markup as a string.
func text(v value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	}
	return "", false
}

// integer returns an integer or a bool as an integer.
func integer(v value) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		return asInt(v), true
	}
	return 0, false
}

func asInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// float returns a number as a float.
func float(v value) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	n, ok := integer(v)
	return float64(n), ok
}

// typeName is Python's name of a value's type.
func typeName(v value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case markup:
		return "Markup"
	case *Dict:
		return "dict"
	case *list:
		return [...]string{"list", "tuple", "view", "generator"}[v.form]
	case *undefined:
		return "Undefined"
	case *namespace:
		return "Namespace"
	}
	return "function"
}

// equal is Python's ==.
func (e *evaluator) equal(a, b value, depth int) (bool, error) {
	if err := e.spend(nodeCost); err != nil {
		return false, err
	}
	if depth > maxDepth {
		return false, errorf("values that nest more than %d deep", maxDepth)
	}
	if x, ok := text(a); ok {
		y, ok := text(b)
		return ok && x == y, e.spend(len(x))
	}
	if x, ok := float(a); ok {
		y, ok := float(b)
		i, isInt := integer(a)
		j, bothInt := integer(b)
		if isInt && bothInt {
			return i == j, nil
		}
		return ok && x == y, nil
	}
	switch x := a.(type) {
	case nil:
		return b == nil, nil
	case *undefined:
		_, ok := b.(*undefined)
		return ok, nil
	case *list:
		y, ok := b.(*list)
		if !ok || x.form != y.form || x.form == formGenerator && x != y || len(x.items) != len(y.items) {
			return false, nil
		}
		for i := range x.items {
			if ok, err := e.equal(x.items[i], y.items[i], depth+1); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || len(x.keys) != len(y.keys) {
			return false, nil
		}
		for i, k := range x.keys {
			v, ok := y.get(k)
			if !ok {
				return false, nil
			}
			if ok, err := e.equal(x.values[i], v, depth+1); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	return a == b, nil
}

// compare returns -1, 0 or 1 if a is less than, equal to or greater than b, and 2 if
// one is NaN.
func (e *evaluator) compare(a, b value) (int, error) {
	if err := e.spend(nodeCost); err != nil {
		return 0, err
	}
	if x, ok := text(a); ok {
		if y, ok := text(b); ok {
			return strings.Compare(x, y), e.spend(min(len(x), len(y)))
		}
	}
	if x, ok := float(a); ok {
		if y, ok := float(b); ok {
			i, isInt := integer(a)
			j, bothInt := integer(b)
			switch {
			case isInt && bothInt:
				x, y = float64(asInt(i > j)), float64(asInt(i < j))
			case math.IsNaN(x) || math.IsNaN(y):
				return 2, nil
			}
			switch {
			case x < y:
				return -1, nil
			case x > y:
				return 1, nil
			}
			return 0, nil
		}
	}
	if x, ok := a.(*list); ok {
		if y, ok := b.(*list); ok && x.form == y.form && x.form <= formTuple {
			for i := range min(len(x.items), len(y.items)) {
				same, err := e.equal(x.items[i], y.items[i], 0)
				if err != nil {
					return 0, err
				}
				if !same {
					return e.compareNested(x.items[i], y.items[i])
				}
			}
			return e.compare(int64(len(x.items)), int64(len(y.items)))
		}
	}
	if u, ok := a.(*undefined); ok {
		return 0, u.err()
	}
	if u, ok := b.(*undefined); ok {
		return 0, u.err()
	}
	return 0, errorf("%s and %s have no order", typeName(a), typeName(b))
}

// compareNested is compare one level deeper.
func (e *evaluator) compareNested(a, b value) (int, error) {
	if err := e.enter(); err != nil {
		return 0, err
	}
	defer e.leave()
	return e.compare(a, b)
}

// items returns the items of iterating over a value.
func (e *evaluator) items(v value) ([]value, error) {
	switch v := v.(type) {
	case *list:
		return v.items, e.spend(len(v.items))
	case *Dict:
		return v.keys, e.spend(len(v.keys))
	case *undefined:
		return nil, nil
	}
	if s, ok := text(v); ok {
		if err := e.spend(itemCost * len(s)); err != nil {
			return nil, err
		}
		var items []value
		for _, r := range s {
			items = append(items, string(r))
		}
		return items, nil
	}
	return nil, errorf("%s is not iterable", typeName(v))
}

// length is Python's len.
func length(v value) (int, error) {
	switch v := v.(type) {
	case *list:
		if v.form != formGenerator {
			return len(v.items), nil
		}
	case *Dict:
		return len(v.keys), nil
	case *undefined:
		return 0, nil
	}
	if s, ok := text(v); ok {
		return len([]rune(s)), nil
	}
	return 0, errorf("%s has no length", typeName(v))
}
