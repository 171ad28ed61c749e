package jinja

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// tuple reads an expression, or several with commas, which are a tuple. whole is false
// where an if behind is not a part of it.
func (p *parser) tuple(whole bool) (expression, error) {
	one := p.or
	if whole {
		one = p.expression
	}
	x, err := one()
	if err != nil || !p.is(",") {
		return x, err
	}
	items := []expression{x}
	for p.skip(",") {
		if t := p.now(); t.kind == kindPrintEnd || t.kind == kindBlockEnd || t.kind == kindOperator && (t.text == ")" || t.text == "=") {
			break
		}
		if x, err = one(); err != nil {
			return nil, err
		}
		items = append(items, x)
	}
	return &listNode{formTuple, items}, nil
}

// expression reads a conditional expression.
func (p *parser) expression() (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	x, err := p.or()
	for err == nil && p.skip("if") {
		n := &conditionNode{then: x}
		if n.test, err = p.or(); err != nil {
			return nil, err
		}
		if p.skip("else") {
			if n.otherwise, err = p.expression(); err != nil {
				return nil, err
			}
		}
		x = n
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer p.leave()
	}
	return x, err
}

// A chain counts the operators of one precedence in a row: the nodes that they become nest,
// as those of parentheses do, and the stack of a rendering is as deep.
type chain int

const maxChain = 1000

func (c *chain) next() error {
	if *c++; *c > maxChain {
		return errorf("more than %d operators in a row", maxChain)
	}
	return nil
}

// binary reads operands with operators of one precedence between them.
func (p *parser) binary(operand func() (expression, error), operators ...string) (expression, error) {
	x, err := operand()
	var c chain
	for err == nil {
		i := slices.IndexFunc(operators, p.is)
		if i < 0 {
			break
		}
		p.next()
		if err := c.next(); err != nil {
			return nil, err
		}
		var y expression
		if y, err = operand(); err == nil {
			x = &binaryNode{operators[i], x, y}
		}
	}
	return x, err
}

func (p *parser) or() (expression, error)  { return p.binary(p.and, "or") }
func (p *parser) and() (expression, error) { return p.binary(p.not, "and") }

func (p *parser) not() (expression, error) {
	if !p.skip("not") {
		return p.comparison()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	x, err := p.not()
	return &unaryNode{"not", x}, err
}

func (p *parser) comparison() (expression, error) {
	x, err := p.sum()
	n := &compareNode{first: x}
	for err == nil {
		op := ""
		for _, o := range []string{"==", "!=", "<=", ">=", "<", ">", "in"} {
			if p.skip(o) {
				op = o
				break
			}
		}
		if op == "" && p.is("not") && p.tokens[min(p.pos+1, len(p.tokens)-1)].text == "in" {
			p.next()
			p.next()
			op = "not in"
		}
		if op == "" {
			break
		}
		var y expression
		if y, err = p.sum(); err == nil {
			n.operators, n.others = append(n.operators, op), append(n.others, y)
		}
	}
	if len(n.operators) == 0 {
		return x, err
	}
	return n, err
}

func (p *parser) sum() (expression, error) { return p.binary(p.concatenation, "+", "-") }

func (p *parser) concatenation() (expression, error) {
	x, err := p.product()
	if err != nil || !p.is("~") {
		return x, err
	}
	n := concatNode{x}
	for p.skip("~") {
		if x, err = p.product(); err != nil {
			return nil, err
		}
		n = append(n, x)
	}
	return n, nil
}

func (p *parser) product() (expression, error) { return p.binary(p.power, "*", "/", "//", "%") }

func (p *parser) power() (expression, error) {
	return p.binary(func() (expression, error) { return p.unary(true) }, "**")
}

func (p *parser) unary(filters bool) (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var x expression
	var err error
	switch {
	case p.is("-") || p.is("+"):
		op := p.next().text
		if x, err = p.unary(false); err != nil {
			return nil, err
		}
		x = &unaryNode{op, x}
	default:
		if x, err = p.primary(); err != nil {
			return nil, err
		}
	}
	return p.postfix(x, filters)
}

func (p *parser) primary() (expression, error) {
	t := p.now()
	switch t.kind {
	case kindName:
		p.next()
		switch t.text {
		case "true", "True":
			return constant{true}, nil
		case "false", "False":
			return constant{false}, nil
		case "none", "None":
			return constant{nil}, nil
		}
		return nameNode(t.text), nil
	case kindString:
		var b strings.Builder
		for p.now().kind == kindString {
			b.WriteString(p.next().text)
		}
		return constant{b.String()}, nil
	case kindInt:
		p.next()
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			return nil, errorf("number %s is too large", t.text)
		}
		return constant{n}, nil
	case kindFloat:
		p.next()
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil || math.IsInf(f, 0) {
			return nil, errorf("number %s is too large", t.text)
		}
		return constant{f}, nil
	}
	switch {
	case p.skip("("):
		if p.skip(")") {
			return &listNode{form: formTuple}, nil
		}
		x, err := p.tuple(true)
		if err != nil {
			return nil, err
		}
		return x, p.expect(")")
	case p.skip("["):
		n := &listNode{form: formList}
		for !p.skip("]") {
			if len(n.items) > 0 {
				if err := p.expect(","); err != nil {
					return nil, err
				}
				if p.skip("]") {
					break
				}
			}
			x, err := p.expression()
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, x)
		}
		return n, nil
	case p.skip("{"):
		n := &dictNode{}
		for !p.skip("}") {
			if len(n.keys) > 0 {
				if err := p.expect(","); err != nil {
					return nil, err
				}
				if p.skip("}") {
					break
				}
			}
			k, err := p.expression()
			if err != nil {
				return nil, err
			}
			if err := p.expect(":"); err != nil {
				return nil, err
			}
			v, err := p.expression()
			if err != nil {
				return nil, err
			}
			n.keys, n.values = append(n.keys, k), append(n.values, v)
		}
		return n, nil
	}
	return nil, errorf("unexpected %v", t)
}

// postfix reads attributes, subscripts and calls, and with filters also those and tests.
func (p *parser) postfix(x expression, filters bool) (expression, error) {
	var c chain
	filtered := false // from the first filter or test on there are no attributes
	for {
		var err error
		switch {
		case !filtered && p.skip("."):
			t := p.next()
			switch t.kind {
			case kindName:
				x = &attributeNode{x, t.text}
			case kindInt:
				n, err := strconv.ParseInt(t.text, 10, 64)
				if err != nil {
					return nil, errorf("number %s is too large", t.text)
				}
				x = &subscriptNode{x, constant{n}}
			default:
				return nil, errorf("%v, want the name of an attribute", t)
			}
		case !filtered && p.skip("["):
			x, err = p.subscript(x)
		case p.is("(") && (!filtered || filters):
			a, e := p.arguments()
			x, err = &callNode{x, a}, e
		case filters && p.is("|"):
			filtered = true
			p.next()
			x, err = p.filter(x)
		case filters && p.is("is"):
			filtered = true
			p.next()
			x, err = p.test(x)
		default:
			return x, nil
		}
		if err == nil {
			err = c.next()
		}
		if err != nil {
			return nil, err
		}
	}
}

// dotted reads the name of a filter or test.
func (p *parser) dotted() (string, error) {
	name, err := p.name()
	for err == nil && p.skip(".") {
		var more string
		more, err = p.name()
		name += "." + more
	}
	return name, err
}

// filters reads the filters of a filter block, of which the first has no | before it.
func (p *parser) filters() (expression, error) {
	x, err := p.filter(inner{})
	if err != nil {
		return nil, err
	}
	return p.postfix(x, true)
}

func (p *parser) filter(x expression) (expression, error) {
	name, err := p.dotted()
	if err != nil {
		return nil, err
	}
	n := &filterCall{application{name: name, of: x}}
	if p.is("(") {
		n.arguments, err = p.arguments()
	}
	return n, err
}

func (p *parser) test(x expression) (expression, error) {
	not := p.skip("not")
	name, err := p.dotted()
	if err != nil {
		return nil, err
	}
	n := &testCall{application{name: name, of: x}}
	t := p.now()
	switch {
	case p.is("("):
		if n.arguments, err = p.arguments(); err != nil {
			return nil, err
		}
	case t.kind == kindString, t.kind == kindInt, t.kind == kindFloat, p.is("["), p.is("{"),
		t.kind == kindName && !slices.Contains([]string{"else", "or", "and", "is", "if", "in", "not", "recursive"}, t.text):
		y, err := p.primary()
		if err == nil {
			y, err = p.postfix(y, false)
		}
		if err != nil {
			return nil, err
		}
		n.arguments.list = []expression{y}
	}
	if not {
		return &unaryNode{"not", n}, nil
	}
	return n, nil
}

func (p *parser) subscript(x expression) (expression, error) {
	var parts [3]expression
	colons := 0
	for !p.is("]") {
		if p.skip(":") {
			if colons++; colons > 2 {
				return nil, errorf("a slice with more than two colons")
			}
			continue
		}
		y, err := p.tuple(true)
		if err != nil {
			return nil, err
		}
		if parts[colons] != nil {
			return nil, errorf("unexpected %v", p.now())
		}
		parts[colons] = y
	}
	p.next()
	switch {
	case colons > 0:
		return &sliceNode{x, parts}, nil
	case parts[0] == nil:
		return nil, errorf("a subscript without anything in it")
	}
	return &subscriptNode{x, parts[0]}, nil
}

func (p *parser) arguments() (argumentNodes, error) {
	var a argumentNodes
	if err := p.expect("("); err != nil {
		return a, err
	}
	for first := true; !p.skip(")"); first = false {
		if !first {
			if err := p.expect(","); err != nil {
				return a, err
			}
			if p.skip(")") {
				break
			}
		}
		if p.is("*") || p.is("**") {
			return a, errorf("arguments with * are not supported")
		}
		name := ""
		if p.now().kind == kindName && p.pos+1 < len(p.tokens) && p.tokens[p.pos+1].kind == kindOperator && p.tokens[p.pos+1].text == "=" {
			name = p.next().text
			p.next()
		} else if len(a.names) > 0 {
			return a, errorf("an argument without a name behind one with a name")
		}
		x, err := p.expression()
		if err != nil {
			return a, err
		}
		if name != "" {
			a.names, a.named = append(a.names, name), append(a.named, x)
			continue
		}
		a.list = append(a.list, x)
	}
	return a, nil
}
