package jinja

// A statement is a node that runs.
type statement interface {
	run(*evaluator) (jump, error)
}

// A jump leaves the statements of a loop.
type jump string

const (
	noJump       jump = ""
	jumpBreak    jump = "break"
	jumpContinue jump = "continue"
)

// run runs statements up to a jump.
func (e *evaluator) run(body []statement) (jump, error) {
	if err := e.enter(); err != nil {
		return noJump, err
	}
	defer e.leave()
	for _, n := range body {
		if j, err := n.run(e); err != nil || j != noJump {
			return j, err
		}
	}
	return noJump, nil
}

type textNode string

func (n textNode) run(e *evaluator) (jump, error) { return noJump, e.write(string(n)) }

// A lineNode has the line in which a statement begins.
type lineNode struct {
	statement
	line int
}

func (n lineNode) run(e *evaluator) (jump, error) {
	j, err := n.statement.run(e)
	return j, at(n.line, err)
}

type printNode struct{ x expression }

func (n printNode) run(e *evaluator) (jump, error) {
	v, err := e.eval(n.x)
	if err != nil {
		return noJump, err
	}
	s, err := e.str(v)
	if err != nil {
		return noJump, err
	}
	return noJump, e.write(s)
}

type branch struct {
	test expression // nil is else
	body []statement
}

type ifNode []branch

func (n ifNode) run(e *evaluator) (jump, error) {
	for _, b := range n {
		if b.test != nil {
			v, err := e.eval(b.test)
			if err != nil {
				return noJump, err
			}
			if !truth(v) {
				continue
			}
		}
		return e.run(b.body)
	}
	return noJump, nil
}

type jumpNode string

func (n jumpNode) run(*evaluator) (jump, error) { return jump(n), nil }

// A target is the target of a loop or an assignment.
type target struct {
	names     []string
	several   bool
	attribute string // of the namespace names[0], if it is not empty
}

func (e *evaluator) assign(t target, v value) error {
	switch {
	case t.attribute != "":
		ns, ok := e.lookup(t.names[0]).(*namespace)
		if !ok {
			return errorf("%s is no namespace", t.names[0])
		}
		if err := e.spend(pairCost); err != nil {
			return err
		}
		ns.names[t.attribute] = v
		return nil
	case !t.several:
		e.scope.set(t.names[0], v)
		return nil
	}
	items, err := e.items(v)
	if err != nil {
		return err
	}
	if len(items) != len(t.names) {
		return errorf("%d values for %d names", len(items), len(t.names))
	}
	for i, name := range t.names {
		e.scope.set(name, items[i])
	}
	return nil
}

type setNode struct {
	target target
	x      expression
}

func (n setNode) run(e *evaluator) (jump, error) {
	v, err := e.eval(n.x)
	if err != nil {
		return noJump, err
	}
	return noJump, e.assign(n.target, v)
}

// inner is the text of a block, to which its filters apply.
type inner struct{}

func (inner) eval(e *evaluator) (value, error) { return e.lookup(innerName), nil }

// innerName is no name that a template can have.
const innerName = "{inner}"

// filtered applies the filters of a block to its text.
func (e *evaluator) filtered(filters expression, s string) (v value, err error) {
	err = e.within(e.scope, func() error {
		e.scope.set(innerName, s)
		v, err = e.eval(filters)
		return err
	})
	return v, err
}

type setBlockNode struct {
	target  target
	filters expression // nil if there are none
	body    []statement
}

func (n setBlockNode) run(e *evaluator) (jump, error) {
	s, err := e.capture(e.scope, n.body, nil)
	if err != nil {
		return noJump, err
	}
	v := value(s)
	if n.filters != nil {
		if v, err = e.filtered(n.filters, s); err != nil {
			return noJump, err
		}
	}
	return noJump, e.assign(n.target, v)
}

type filterNode struct {
	filters expression
	body    []statement
}

func (n filterNode) run(e *evaluator) (jump, error) {
	s, err := e.capture(e.scope, n.body, nil)
	if err != nil {
		return noJump, err
	}
	v, err := e.filtered(n.filters, s)
	if err != nil {
		return noJump, err
	}
	if s, err = e.str(v); err != nil {
		return noJump, err
	}
	return noJump, e.write(s)
}

// A scopeNode is a block whose variables end with it.
type scopeNode struct {
	sets []setNode
	body []statement
}

func (n scopeNode) run(e *evaluator) (j jump, err error) {
	values := make([]value, len(n.sets)) // all are known before any is set
	for i, s := range n.sets {
		if values[i], err = e.eval(s.x); err != nil {
			return noJump, err
		}
	}
	err = e.within(e.scope, func() error {
		for i, s := range n.sets {
			if err := e.assign(s.target, values[i]); err != nil {
				return err
			}
		}
		j, err = e.run(n.body)
		return err
	})
	return j, err
}

type forNode struct {
	target    target
	over      expression
	test      expression // nil if there is none
	recursive bool
	body      []statement
	otherwise []statement
}

func (n *forNode) run(e *evaluator) (jump, error) {
	over, err := e.eval(n.over)
	if err != nil {
		return noJump, err
	}
	return n.loop(e, over, 0)
}

func (n *forNode) loop(e *evaluator, over value, depth int) (jump, error) {
	items, err := e.items(over)
	if err != nil {
		return noJump, err
	}
	if n.test != nil {
		var keep []value
		for _, v := range items {
			if err := e.spend(loopCost); err != nil {
				return noJump, err
			}
			err := e.within(e.scope, func() error {
				if err := e.assign(n.target, v); err != nil {
					return err
				}
				ok, err := e.eval(n.test)
				if err == nil && truth(ok) {
					keep = append(keep, v)
				}
				return err
			})
			if err != nil {
				return noJump, err
			}
		}
		items = keep
	}
	if len(items) == 0 {
		err := e.within(e.scope, func() error {
			_, err := e.run(n.otherwise)
			return err
		})
		return noJump, err
	}
	l := &loop{node: n, items: items, depth: depth, outer: e.scope}
	for i, v := range items {
		if err := e.spend(loopCost); err != nil {
			return noJump, err
		}
		var j jump
		err := e.within(e.scope, func() error {
			l.at = i
			e.scope.set("loop", l)
			if err := e.assign(n.target, v); err != nil {
				return err
			}
			var err error
			j, err = e.run(n.body)
			return err
		})
		if err != nil {
			return noJump, err
		}
		if j == jumpBreak {
			break
		}
	}
	return noJump, nil
}

// A loop is the variable loop.
type loop struct {
	node    *forNode
	items   []value
	at      int
	depth   int
	outer   *scope
	changed value // the last arguments of changed; nil before its first call
}

func (l *loop) attribute(name string) value {
	n := len(l.items)
	switch name {
	case "index":
		return int64(l.at + 1)
	case "index0":
		return int64(l.at)
	case "revindex":
		return int64(n - l.at)
	case "revindex0":
		return int64(n - l.at - 1)
	case "first":
		return l.at == 0
	case "last":
		return l.at == n-1
	case "length":
		return int64(n)
	case "depth":
		return int64(l.depth + 1)
	case "depth0":
		return int64(l.depth)
	case "previtem":
		if l.at == 0 {
			return missing("there is no previous item")
		}
		return l.items[l.at-1]
	case "nextitem":
		if l.at == n-1 {
			return missing("there is no next item")
		}
		return l.items[l.at+1]
	case "cycle":
		return &function{"loop.cycle", func(_ *evaluator, a *arguments) (value, error) {
			if len(a.list) == 0 {
				return nil, errorf("no items for cycling given")
			}
			return a.list[l.at%len(a.list)], nil
		}}
	case "changed":
		return &function{"loop.changed", func(e *evaluator, a *arguments) (value, error) {
			now := &list{formTuple, a.list}
			if l.changed != nil {
				same, err := e.equal(l.changed, now, 0)
				if same || err != nil {
					return false, err
				}
			}
			l.changed = now
			return true, nil
		}}
	}
	return missing("'loop' has no attribute '%s'", name)
}

// again runs a recursive loop over other items, inside of itself.
func (l *loop) again(e *evaluator, over value) (value, error) {
	if !l.node.recursive {
		return nil, errorf("the loop is not recursive")
	}
	if err := e.call(); err != nil {
		return nil, err
	}
	defer func() { e.calls-- }()
	again := loopNode{l.node, over, l.depth + 1}
	s, err := e.capture(l.outer, []statement{again}, nil)
	return s, err
}

type loopNode struct {
	node  *forNode
	over  value
	depth int
}

func (n loopNode) run(e *evaluator) (jump, error) { return n.node.loop(e, n.over, n.depth) }

type parameter struct {
	name     string
	standard expression // nil if there is no default
}

type macroNode struct {
	name       string
	parameters []parameter
	body       []statement
}

func (n *macroNode) run(e *evaluator) (jump, error) {
	e.scope.set(n.name, n.function(e))
	return noJump, nil
}

// call counts calls inside of each other.
func (e *evaluator) call() error {
	if e.calls >= maxCalls {
		return errorf("more than %d calls of macros inside of each other", maxCalls)
	}
	e.calls++
	return nil
}

// function returns the macro with the variables of where it is.
func (n *macroNode) function(e *evaluator) *function {
	outer := e.scope
	return &function{n.name, func(e *evaluator, a *arguments) (value, error) {
		if err := e.call(); err != nil {
			return nil, err
		}
		defer func() { e.calls-- }()
		s, err := e.capture(outer, n.body, func() error { return n.bind(e, a) })
		return s, err
	}}
}

// bind sets the parameters of a macro.
func (n *macroNode) bind(e *evaluator, a *arguments) error {
	more := &list{form: formTuple}
	if len(a.list) > len(n.parameters) {
		more.items = a.list[len(n.parameters):]
	}
	others := &Dict{}
	for i, name := range a.names {
		others.set(name, a.named[i])
	}
	e.scope.set("caller", missing("no caller defined"))
	if f, ok := others.get("caller"); ok {
		e.scope.set("caller", f)
		others = others.without("caller")
	}
	e.scope.set("varargs", more)
	for i, q := range n.parameters {
		named, ok := others.get(q.name)
		switch {
		case ok && i < len(a.list):
			return errorf("macro '%s' got two values for '%s'", n.name, q.name)
		case ok:
			others = others.without(q.name)
			e.scope.set(q.name, named)
		case i < len(a.list):
			e.scope.set(q.name, a.list[i])
		case q.standard != nil:
			v, err := e.eval(q.standard)
			if err != nil {
				return err
			}
			e.scope.set(q.name, v)
		default:
			e.scope.set(q.name, missing("parameter '%s' was not provided", q.name))
		}
	}
	e.scope.set("kwargs", others)
	return nil
}

// without returns a dictionary that lacks a key.
func (d *Dict) without(k value) *Dict {
	r := &Dict{}
	for i := range d.keys {
		if d.keys[i] != k {
			r.set(d.keys[i], d.values[i])
		}
	}
	return r
}

type callBlockNode struct {
	call   *callNode
	caller *macroNode
}

func (n callBlockNode) run(e *evaluator) (jump, error) {
	a := n.call.arguments
	a.names = append(append([]string(nil), a.names...), "caller")
	a.named = append(append([]expression(nil), a.named...), constant{n.caller.function(e)})
	return printNode{&callNode{n.call.f, a}}.run(e)
}
