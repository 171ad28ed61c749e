package jinja

import (
	"slices"
	"strconv"
	"strings"
)

// sort sorts a slice stably by an order that may fail.
func (e *evaluator) sort(all []int, compare func(a, b int) (int, error)) error {
	var bad error
	slices.SortStableFunc(all, func(a, b int) int {
		if bad != nil {
			return 0
		}
		c, err := compare(a, b)
		if err != nil {
			bad = err
		}
		return c % 2 // numbers without an order are as they are
	})
	return bad
}

// sorted returns values in the order of keys, one for each.
func (e *evaluator) sorted(values, keys []value, reverse bool) ([]value, error) {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	if err := e.spend(2 * itemCost * len(order)); err != nil {
		return nil, err
	}
	err := e.sort(order, func(a, b int) (int, error) {
		c, err := e.compare(keys[a], keys[b])
		if reverse {
			c = -c
		}
		return c, err
	})
	if err != nil {
		return nil, err
	}
	all := make([]value, len(values))
	for i, j := range order {
		all[i] = values[j]
	}
	return all, nil
}

// folded returns values to compare by: texts in lower case, unless case matters.
func (e *evaluator) folded(values []value, sensitive bool) ([]value, error) {
	if sensitive {
		return values, nil
	}
	all := make([]value, len(values))
	for i, v := range values {
		all[i] = v
		if s, ok := text(v); ok {
			if err := e.spend(len(s)); err != nil {
				return nil, err
			}
			all[i] = strings.ToLower(s)
		}
	}
	return all, e.spend(itemCost * len(values))
}

// attributes returns an attribute of each value, such as "function.name"; what has none
// gives standard, if that is not nil.
func (e *evaluator) attributes(values []value, attribute, standard value) ([]value, error) {
	var path []value
	if n, ok := integer(attribute); ok {
		path = []value{n}
	} else {
		s, ok := text(attribute)
		if !ok {
			return nil, errorf("the name of an attribute is a %s", typeName(attribute))
		}
		for part := range strings.SplitSeq(s, ".") {
			if n, err := strconv.ParseInt(part, 10, 64); err == nil {
				path = append(path, n)
			} else {
				path = append(path, part)
			}
		}
	}
	if err := e.spend(itemCost * len(values) * (1 + len(path))); err != nil {
		return nil, err
	}
	all := make([]value, len(values))
	for i, v := range values {
		for _, k := range path {
			var err error
			if v, err = e.getItem(v, k); err != nil {
				return nil, err
			}
			if _, ok := v.(*undefined); ok && standard != nil {
				v = standard
			}
		}
		all[i] = v
	}
	return all, nil
}

// keyed returns the items of v and the keys to compare them by: an attribute of each,
// or the items themselves if attribute is nil, in lower case unless sensitive is set.
func (e *evaluator) keyed(v, attribute value, sensitive bool) (items, keys []value, err error) {
	if items, err = e.items(v); err != nil {
		return nil, nil, err
	}
	keys = items
	if attribute != nil {
		if keys, err = e.attributes(items, attribute, nil); err != nil {
			return nil, nil, err
		}
	}
	keys, err = e.folded(keys, sensitive)
	return items, keys, err
}

func filterSort(e *evaluator, v value, a *arguments) (value, error) {
	b, err := a.bind([]string{"reverse", "case_sensitive", "attribute"}, false, false, nil)
	if err != nil {
		return nil, err
	}
	items, keys, err := e.keyed(v, b[2], truth(b[1]))
	if err != nil {
		return nil, err
	}
	items, err = e.sorted(items, keys, truth(b[0]))
	return &list{items: items}, err
}

func filterDictSort(e *evaluator, v value, a *arguments) (value, error) {
	b, err := a.bind([]string{"case_sensitive", "by", "reverse"}, false, "key", false)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*Dict)
	if !ok {
		return nil, errorf("a %s is no dictionary", typeName(v))
	}
	keys := d.keys
	switch b[1] {
	case "key":
	case "value":
		keys = d.values
	default:
		return nil, errorf(`You can only sort by either "key" or "value"`)
	}
	if keys, err = e.folded(keys, truth(b[0])); err != nil {
		return nil, err
	}
	if err := e.spend(pairCost * len(keys)); err != nil {
		return nil, err
	}
	items, err := e.sorted(d.pairs(), keys, truth(b[2]))
	return &list{items: items}, err
}

func filterUnique(e *evaluator, v value, a *arguments) (value, error) {
	b, err := a.bind([]string{"case_sensitive", "attribute"}, false, nil)
	if err != nil {
		return nil, err
	}
	items, keys, err := e.keyed(v, b[1], truth(b[0]))
	if err != nil {
		return nil, err
	}
	if err := e.spend(pairCost * len(keys)); err != nil {
		return nil, err
	}
	seen := map[value]bool{}
	var keep []value
	for i, k := range keys {
		id, err := key(k)
		if err != nil {
			return nil, err
		}
		if !seen[id] {
			seen[id] = true
			keep = append(keep, items[i])
		}
	}
	return &list{formGenerator, keep}, nil
}

// extreme returns the first of the least or greatest items.
func (e *evaluator) extreme(v value, a *arguments, sign int) (value, error) {
	b, err := a.bind([]string{"case_sensitive", "attribute"}, false, nil)
	if err != nil {
		return nil, err
	}
	items, err := e.items(v)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return missing("No aggregated item, sequence was empty."), nil
	}
	keys := items
	if b[1] != nil {
		if keys, err = e.attributes(items, b[1], nil); err != nil {
			return nil, err
		}
	}
	if keys, err = e.folded(keys, truth(b[0])); err != nil {
		return nil, err
	}
	best := 0
	for i := range keys {
		c, err := e.compare(keys[i], keys[best])
		if err != nil {
			return nil, err
		}
		if c == sign {
			best = i
		}
	}
	return items[best], nil
}

func filterMin(e *evaluator, v value, a *arguments) (value, error) { return e.extreme(v, a, -1) }
func filterMax(e *evaluator, v value, a *arguments) (value, error) { return e.extreme(v, a, 1) }

func filterSum(e *evaluator, v value, a *arguments) (value, error) {
	b, err := a.bind([]string{"attribute", "start"}, nil, int64(0))
	if err != nil {
		return nil, err
	}
	items, err := e.items(v)
	if err == nil && b[0] != nil {
		items, err = e.attributes(items, b[0], nil)
	}
	if err != nil {
		return nil, err
	}
	sum := b[1]
	for _, x := range items {
		if sum, err = e.operate("+", sum, x); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

// filterMap maps items to an attribute, or applies another filter to them.
func filterMap(e *evaluator, v value, a *arguments) (value, error) {
	if !truth(v) { // even what cannot be iterated
		return &list{form: formGenerator}, nil
	}
	items, err := e.items(v)
	if err != nil {
		return nil, err
	}
	if len(a.list) == 0 {
		b, err := a.bind([]string{"attribute", "default"}, nil)
		if err != nil {
			return nil, err
		}
		items, err = e.attributes(items, b[0], b[1])
		return &list{formGenerator, items}, err
	}
	name, ok := text(a.list[0])
	if !ok {
		return nil, errorf("the name of a filter is a %s", typeName(a.list[0]))
	}
	rest := &arguments{a.list[1:], a.names, a.named}
	all := make([]value, len(items))
	for i, x := range items {
		if all[i], err = e.filter(name, x, rest); err != nil {
			return nil, err
		}
	}
	return &list{formGenerator, all}, e.spend(itemCost * len(all))
}

// choose keeps the items that pass a test, or that fail it.
func (e *evaluator) choose(v value, a *arguments, attribute, want bool) (value, error) {
	if !truth(v) { // even what cannot be iterated
		return &list{form: formGenerator}, nil
	}
	items, err := e.items(v)
	if err != nil {
		return nil, err
	}
	list0, keys := a.list, items
	if attribute {
		if len(list0) == 0 {
			return nil, errorf("the name of an attribute is missing")
		}
		if keys, err = e.attributes(items, list0[0], nil); err != nil {
			return nil, err
		}
		list0 = list0[1:]
	}
	passes := func(v value) (bool, error) { return truth(v), nil }
	if len(list0) > 0 {
		name, ok := text(list0[0])
		if !ok {
			return nil, errorf("the name of a test is a %s", typeName(list0[0]))
		}
		rest := &arguments{list0[1:], a.names, a.named}
		passes = func(v value) (bool, error) { return e.test(name, v, rest) }
	}
	var keep []value
	for i, k := range keys {
		ok, err := passes(k)
		if err != nil {
			return nil, err
		}
		if ok == want {
			keep = append(keep, items[i])
		}
	}
	return &list{formGenerator, keep}, e.spend(itemCost * len(keep))
}

func filterSelect(e *evaluator, v value, a *arguments) (value, error) {
	return e.choose(v, a, false, true)
}

func filterReject(e *evaluator, v value, a *arguments) (value, error) {
	return e.choose(v, a, false, false)
}

func filterSelectAttr(e *evaluator, v value, a *arguments) (value, error) {
	return e.choose(v, a, true, true)
}

func filterRejectAttr(e *evaluator, v value, a *arguments) (value, error) {
	return e.choose(v, a, true, false)
}
