package jinja

import (
	"slices"
	"strings"
)

const (
	maxTemplate = 1 << 20 // bytes
	maxDepth    = 100     // of blocks and expressions in each other, and of values
)

// A parser turns tokens into nodes.
type parser struct {
	tokens []token
	pos    int
	depth  int
	loops  int // that the parser is in, for break and continue
}

// Parse reads a template.
func Parse(source string) (*Template, error) {
	if len(source) > maxTemplate {
		return nil, errorf("a template of %d bytes, want at most %d", len(source), maxTemplate)
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	body, _, err := p.body()
	if err != nil {
		return nil, at(p.now().line, err)
	}
	return &Template{body}, nil
}

func (p *parser) now() token { return p.tokens[p.pos] }

func (p *parser) next() token {
	t := p.tokens[p.pos]
	if p.pos+1 < len(p.tokens) {
		p.pos++
	}
	return t
}

// is reports whether the next token is a name or an operator, as written.
func (p *parser) is(text string) bool {
	t := p.now()
	return (t.kind == kindName || t.kind == kindOperator) && t.text == text
}

// skip moves on if the next token is a name or an operator, as written.
func (p *parser) skip(text string) bool {
	if p.is(text) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(text string) error {
	if !p.skip(text) {
		return errorf("%v, want %q", p.now(), text)
	}
	return nil
}

func (p *parser) expectKind(k kind, what string) (token, error) {
	if p.now().kind != k {
		return token{}, errorf("%v, want %s", p.now(), what)
	}
	return p.next(), nil
}

func (p *parser) name() (string, error) {
	t, err := p.expectKind(kindName, "a name")
	return t.text, err
}

// enter counts how deep the parser is in the template.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return errorf("more than %d blocks or expressions in each other", maxDepth)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// body reads statements up to a block that begins with one of the names, and returns
// that name, with the parser behind it. Without names it reads up to the end of the
// template.
func (p *parser) body(ends ...string) ([]statement, string, error) {
	if err := p.enter(); err != nil {
		return nil, "", err
	}
	defer p.leave()
	var nodes []statement
	for {
		t := p.next()
		var n statement
		var err error
		switch t.kind {
		case kindEnd:
			if len(ends) > 0 {
				return nil, "", errorf("the template ends, want %s", strings.Join(ends, " or "))
			}
			return nodes, "", nil
		case kindText:
			nodes = append(nodes, textNode(t.text))
			continue
		case kindPrint:
			var x expression
			if x, err = p.tuple(true); err == nil {
				_, err = p.expectKind(kindPrintEnd, `"}}"`)
			}
			n = printNode{x}
		default: // kindBlock
			var name string
			if name, err = p.name(); err != nil {
				break
			}
			if slices.Contains(ends, name) {
				return nodes, name, nil
			}
			n, err = p.block(name)
		}
		if err != nil {
			return nil, "", at(t.line, err)
		}
		nodes = append(nodes, lineNode{n, t.line})
	}
}

// end reads the end of a block.
func (p *parser) end() error {
	_, err := p.expectKind(kindBlockEnd, `"%}"`)
	return err
}

// inside reads the end of a block's tag, and the statements up to the tag that ends the
// block.
func (p *parser) inside(end string) ([]statement, error) {
	if err := p.end(); err != nil {
		return nil, err
	}
	body, _, err := p.body(end)
	if err != nil {
		return nil, err
	}
	return body, p.end()
}

func (p *parser) block(name string) (statement, error) {
	switch name {
	case "if":
		return p.parseIf()
	case "for":
		return p.parseFor()
	case "set":
		return p.parseSet()
	case "macro":
		return p.parseMacro()
	case "call":
		return p.parseCall()
	case "filter":
		f, err := p.filters()
		if err != nil {
			return nil, err
		}
		body, err := p.inside("endfilter")
		return filterNode{f, body}, err
	case "with":
		return p.parseWith()
	case "generation": // what transformers marks as the model's own text
		body, err := p.inside("endgeneration")
		return scopeNode{body: body}, err
	case "break", "continue":
		if p.loops == 0 {
			return nil, errorf("%s outside of a loop", name)
		}
		return jumpNode(name), p.end()
	}
	return nil, errorf("block %q is not supported", name)
}

func (p *parser) parseIf() (statement, error) {
	var n ifNode
	for {
		test, err := p.tuple(true)
		if err != nil {
			return nil, err
		}
		if err := p.end(); err != nil {
			return nil, err
		}
		body, end, err := p.body("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		n = append(n, branch{test, body})
		switch end {
		case "else":
			body, err := p.inside("endif")
			return append(n, branch{nil, body}), err
		case "endif":
			return n, p.end()
		}
	}
}

func (p *parser) parseFor() (statement, error) {
	n := forNode{}
	var err error
	if n.target, err = p.target(); err != nil {
		return nil, err
	}
	if err := p.expect("in"); err != nil {
		return nil, err
	}
	if n.over, err = p.tuple(false); err != nil {
		return nil, err
	}
	if p.skip("if") {
		if n.test, err = p.expression(); err != nil {
			return nil, err
		}
	}
	n.recursive = p.skip("recursive")
	if err := p.end(); err != nil {
		return nil, err
	}
	p.loops++
	body, end, err := p.body("else", "endfor")
	p.loops--
	if err != nil {
		return nil, err
	}
	n.body = body
	if end == "else" {
		n.otherwise, err = p.inside("endfor")
		return &n, err
	}
	return &n, p.end()
}

// target reads the target of a loop or an assignment: a name, several, or an attribute
// of a namespace.
func (p *parser) target() (target, error) {
	var t target
	group := p.skip("(")
	for {
		name, err := p.name()
		if err != nil {
			return t, err
		}
		t.names = append(t.names, name)
		if len(t.names) == 1 && p.skip(".") {
			t.attribute, err = p.name()
			return t, err
		}
		if !p.skip(",") {
			break
		}
		t.several = true
		if p.now().kind != kindName || p.is("in") {
			break
		}
	}
	if group {
		return t, p.expect(")")
	}
	return t, nil
}

func (p *parser) parseSet() (statement, error) {
	t, err := p.target()
	if err != nil {
		return nil, err
	}
	if p.skip("=") {
		x, err := p.tuple(true)
		if err != nil {
			return nil, err
		}
		return setNode{t, x}, p.end()
	}
	var filters expression
	if p.is("|") {
		if filters, err = p.postfix(inner{}, true); err != nil {
			return nil, err
		}
	}
	body, err := p.inside("endset")
	return setBlockNode{t, filters, body}, err
}

// parameters reads those of a macro, in parentheses.
func (p *parser) parameters() ([]parameter, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var ps []parameter
	for !p.skip(")") {
		if len(ps) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		q := parameter{name: name}
		if p.skip("=") {
			if q.standard, err = p.expression(); err != nil {
				return nil, err
			}
		} else if len(ps) > 0 && ps[len(ps)-1].standard != nil {
			return nil, errorf("parameter %s has no default, but the one before has", name)
		}
		ps = append(ps, q)
	}
	return ps, nil
}

// function reads the body of a macro, whose loops are not those around it.
func (p *parser) function(end string) ([]statement, error) {
	loops := p.loops
	p.loops = 0
	defer func() { p.loops = loops }()
	return p.inside(end)
}

func (p *parser) parseMacro() (statement, error) {
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	ps, err := p.parameters()
	if err != nil {
		return nil, err
	}
	body, err := p.function("endmacro")
	return &macroNode{name, ps, body}, err
}

func (p *parser) parseCall() (statement, error) {
	m := &macroNode{name: "caller"}
	var err error
	if p.is("(") {
		if m.parameters, err = p.parameters(); err != nil {
			return nil, err
		}
	}
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	c, ok := x.(*callNode)
	if !ok {
		return nil, errorf("a call block without a call")
	}
	m.body, err = p.function("endcall")
	return callBlockNode{c, m}, err
}

func (p *parser) parseWith() (statement, error) {
	var n scopeNode
	for p.now().kind == kindName {
		t, err := p.target()
		if err != nil {
			return nil, err
		}
		if err := p.expect("="); err != nil {
			return nil, err
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		n.sets = append(n.sets, setNode{t, x})
		if !p.skip(",") {
			break
		}
	}
	body, err := p.inside("endwith")
	n.body = body
	return n, err
}
