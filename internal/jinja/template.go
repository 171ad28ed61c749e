package jinja

import (
	"strings"
	"time"
)

// A Template is a template that was read. It is immutable and safe for concurrent use.
type Template struct{ body []statement }

// Render returns the text of the template for variables: values of the types that
// encoding/json decodes to, slices, integers and Dicts. now is the time for the
// template. Errors that the template raises, and errors in it, are of type *Error.
func (t *Template) Render(variables map[string]any, now time.Time) (string, error) {
	e := &evaluator{out: &strings.Builder{}, left: budget, now: now, globals: map[string]value{}}
	for name, f := range globals {
		e.globals[name] = f
	}
	for name, x := range variables {
		v, err := convert(x, 0)
		if err != nil {
			return "", err
		}
		e.globals[name] = v
	}
	e.scope = &scope{}
	if _, err := e.run(t.body); err != nil {
		return "", err
	}
	return e.out.String(), nil
}

const (
	// budget is the cost that a rendering may have: about a byte of memory, or a few
	// nanoseconds of time, for each unit. Templates of models cost up to 120,000, and
	// some units for each byte of the conversation.
	budget = 1 << 26

	nodeCost = 50  // of running a node, or of comparing two values
	loopCost = 400 // of the variables of a loop, each time
	itemCost = 16  // of an element of a list
	pairCost = 64  // of an element of a dictionary

	maxFrames = 4000 // nodes that run inside of each other
	maxCalls  = 50   // calls of macros inside of each other
)

// An evaluator renders a template once.
type evaluator struct {
	out     *strings.Builder
	left    int // of the budget
	frames  int
	calls   int
	now     time.Time
	globals map[string]value
	scope   *scope
}

// spend takes n from the budget.
func (e *evaluator) spend(n int) error {
	if n < 0 || n > e.left {
		e.left = 0
		return errorf("the template takes more time or memory than a template may")
	}
	e.left -= n
	return nil
}

// enter counts nodes that run inside of each other.
func (e *evaluator) enter() error {
	if e.frames++; e.frames > maxFrames {
		return errorf("more than %d parts of the template run inside of each other", maxFrames)
	}
	return e.spend(nodeCost)
}

func (e *evaluator) leave() { e.frames-- }

// A scope has the variables that are set in a part of the template.
type scope struct {
	outer     *scope
	variables map[string]value
}

func (s *scope) set(name string, v value) {
	if s.variables == nil {
		s.variables = map[string]value{}
	}
	s.variables[name] = v
}

func (e *evaluator) lookup(name string) value {
	for s := e.scope; s != nil; s = s.outer {
		if v, ok := s.variables[name]; ok {
			return v
		}
	}
	if v, ok := e.globals[name]; ok {
		return v
	}
	return missing("'%s' is undefined", name)
}

// within runs f with a scope of its own inside of outer.
func (e *evaluator) within(outer *scope, f func() error) error {
	old := e.scope
	e.scope = &scope{outer: outer}
	defer func() { e.scope = old }()
	return f()
}

// capture runs statements in a scope of their own, and returns the text that they make.
func (e *evaluator) capture(outer *scope, body []statement, prepare func() error) (string, error) {
	old := e.out
	e.out = &strings.Builder{}
	defer func() { e.out = old }()
	err := e.within(outer, func() error {
		if prepare != nil {
			if err := prepare(); err != nil {
				return err
			}
		}
		_, err := e.run(body)
		return err
	})
	return e.out.String(), err
}

// write appends to the rendered text.
func (e *evaluator) write(s string) error {
	if err := e.spend(len(s)); err != nil {
		return err
	}
	e.out.WriteString(s)
	return nil
}
