package regex

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A node is a part of a pattern.
type node struct {
	kind     kind
	set      *set    // kindSet
	subs     []*node // of kindConcat and kindAlternate; one of kindRepeat and kindLook
	min, max int     // kindRepeat; max is −1 without an end
	lazy     bool
	negative bool // kindLook
	behind   int  // so many characters before, of kindLook
	where    place
}

type kind uint8

const (
	kindEmpty kind = iota
	kindSet
	kindConcat
	kindAlternate
	kindRepeat
	kindLook
	kindPlace
)

// A place is the condition of a pattern such as ^ on a position.
type place uint8

const (
	lineStart place = iota
	lineEnd
	textStart
	textEnd
	lastLineEnd
	wordEdge
	noWordEdge
)

// Bounds on patterns, above those of any published tokenizer.
const (
	maxPattern = 1 << 12
	maxDepth   = 32
	maxRepeat  = 1000
)

type parser struct {
	text  string
	at    int
	depth int
	fold  bool // (?i)
	dotNL bool // (?m), with which . matches a newline
	known map[string]*set
}

func parse(pattern string) (*node, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("%d bytes, want at most %d", len(pattern), maxPattern)
	}
	if !utf8.ValidString(pattern) {
		return nil, fmt.Errorf("is not UTF-8")
	}
	p := &parser{text: pattern, known: map[string]*set{}}
	n, err := p.alternatives()
	if err == nil && p.at < len(p.text) {
		err = p.errorf("unmatched )")
	}
	return n, err
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %s", p.at, fmt.Sprintf(format, args...))
}

func (p *parser) more() bool { return p.at < len(p.text) }

func (p *parser) peek(s string) bool { return strings.HasPrefix(p.text[p.at:], s) }

func (p *parser) take(s string) bool {
	if p.peek(s) {
		p.at += len(s)
		return true
	}
	return false
}

func (p *parser) rune() rune {
	r, n := utf8.DecodeRuneInString(p.text[p.at:])
	p.at += n
	return r
}

// alternatives reads up to a ) or the end. Options hold to the end of their group.
func (p *parser) alternatives() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("groups are nested more than %d deep", maxDepth)
	}
	fold, dotNL := p.fold, p.dotNL
	defer func() { p.depth--; p.fold, p.dotNL = fold, dotNL }()
	var all []*node
	for {
		n, err := p.concat()
		if err != nil {
			return nil, err
		}
		all = append(all, n)
		if !p.take("|") {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return &node{kind: kindAlternate, subs: all}, nil
}

func (p *parser) concat() (*node, error) {
	c := &node{kind: kindConcat}
	for p.more() && !p.peek("|") && !p.peek(")") {
		n, err := p.atom()
		if err != nil {
			return nil, err
		}
		if n == nil { // options for the rest of the group
			// What follows is one alternative with all that it has.
			rest, err := p.alternatives()
			if err != nil {
				return nil, err
			}
			c.subs = append(c.subs, rest)
			break
		}
		if n, err = p.quantified(n); err != nil {
			return nil, err
		}
		c.subs = append(c.subs, n)
	}
	if len(c.subs) == 1 {
		return c.subs[0], nil
	}
	return c, nil
}

// quantified reads the quantifier of n.
func (p *parser) quantified(n *node) (*node, error) {
	for p.more() {
		r := &node{kind: kindRepeat, subs: []*node{n}, max: -1}
		braces := false
		switch {
		case p.take("*"):
		case p.take("+"):
			r.min = 1
		case p.take("?"):
			r.max = 1
		default:
			var ok bool
			if r.min, r.max, ok = p.braces(); !ok {
				return n, nil
			}
			braces = true
			if r.min > maxRepeat || r.max > maxRepeat {
				return nil, p.errorf("repeats more than %d times", maxRepeat)
			}
			if r.max >= 0 && r.max < r.min {
				return nil, p.errorf("repeats %d to %d times", r.min, r.max)
			}
		}
		if n.kind == kindPlace || n.kind == kindLook {
			return nil, p.errorf("a repeated position is not supported")
		}
		if r.max < 0 && n.nullable() {
			return nil, p.errorf("unlimited repetition of a part that may be empty is not supported")
		}
		switch {
		case braces && r.min == r.max: // {n}? is (?:…{n})?
		case p.take("?"):
			r.lazy = true
		case !braces && p.take("+"): // possessive: {n,m}+ is not
			if n.kind != kindSet {
				return nil, p.errorf("possessive groups are not supported")
			}
			n = possessive(r)
			continue
		}
		n = r
	}
	return n, nil
}

// possessive returns the repetition r of single characters without backtracking: it
// never ends where one more could follow.
func possessive(r *node) *node {
	end := &node{kind: kindLook, negative: true, subs: r.subs}
	if r.max == 1 {
		return &node{kind: kindAlternate, subs: []*node{r.subs[0], end}}
	}
	return &node{kind: kindConcat, subs: []*node{r, end}}
}

// braces reads {n}, {n,}, {,m} or {n,m}. Anything else in braces is text.
func (p *parser) braces() (lo, hi int, ok bool) {
	if !p.peek("{") {
		return 0, 0, false
	}
	n := strings.IndexByte(p.text[p.at:], '}')
	if n < 0 {
		return 0, 0, false
	}
	first, second, comma := strings.Cut(p.text[p.at+1:p.at+n], ",")
	number := func(s string, empty int) int {
		if s == "" {
			return empty
		}
		for _, c := range s {
			if c < '0' || c > '9' {
				return -2
			}
		}
		v, err := strconv.Atoi(s)
		if err != nil {
			return maxRepeat + 1
		}
		return v
	}
	if first == "" && second == "" {
		return 0, 0, false
	}
	lo, hi = number(first, 0), number(second, -1)
	if !comma {
		hi = lo
	}
	if lo == -2 || hi == -2 {
		return 0, 0, false
	}
	p.at += n + 1
	return lo, hi, true
}

// atom reads a character, a class, a group or a place; nil for options without a
// group of their own.
func (p *parser) atom() (*node, error) {
	switch {
	case p.take("("):
		return p.group()
	case p.take("["):
		s, err := p.class()
		if err != nil {
			return nil, err
		}
		return p.char(s), nil
	case p.take("."):
		if p.dotNL {
			return &node{kind: kindSet, set: property("any")}, nil
		}
		return &node{kind: kindSet, set: one('\n').not()}, nil
	case p.take("^"):
		return &node{kind: kindPlace, where: lineStart}, nil
	case p.take("$"):
		return &node{kind: kindPlace, where: lineEnd}, nil
	case p.peek("*"), p.peek("+"), p.peek("?"):
		return nil, p.errorf("nothing to repeat")
	case p.peek(`\`):
		for name, where := range map[string]place{`\A`: textStart, `\z`: textEnd, `\Z`: lastLineEnd, `\b`: wordEdge, `\B`: noWordEdge} {
			if p.take(name) {
				return &node{kind: kindPlace, where: where}, nil
			}
		}
		s, err := p.escape()
		if err != nil {
			return nil, err
		}
		return p.char(s), nil
	}
	return p.char(one(p.rune())), nil
}

// property is the function property, with complements for names that begin with ^. It
// computes each set once.
func (p *parser) property(name string) *set {
	s, ok := p.known[name]
	if !ok {
		rest, not := strings.CutPrefix(name, "^")
		if s = property(rest); s != nil && not {
			s = s.not()
		}
		p.known[name] = s
	}
	return s
}

func (p *parser) char(s *set) *node {
	if p.fold {
		s = s.fold()
	}
	return &node{kind: kindSet, set: s}
}

// group reads what follows a (.
func (p *parser) group() (*node, error) {
	n := &node{kind: kindLook}
	fold, dotNL := p.fold, p.dotNL
	switch {
	case !p.take("?"), p.take(":"):
		n = nil
	case p.take("="):
	case p.take("!"):
		n.negative = true
	case p.take("<="):
		n.behind = 1
	case p.take("<!"):
		n.behind, n.negative = 1, true
	case p.take("#"):
		end := strings.IndexByte(p.text[p.at:], ')')
		if end < 0 {
			return nil, p.errorf("a comment without an end")
		}
		p.at += end + 1
		return &node{kind: kindEmpty}, nil
	case p.take("<"), p.take("P<"), p.take("'"): // a name
		end := strings.IndexAny(p.text[p.at:], ">'")
		if end < 0 {
			return nil, p.errorf("a name without an end")
		}
		p.at += end + 1
		n = nil
	default:
		on := true
		for done := false; !done; {
			switch {
			case p.take("-"):
				on = false
			case p.take("i"):
				p.fold = on
			case p.take("m"):
				p.dotNL = on
			case p.take(")"):
				return nil, nil
			case p.take(":"):
				done, n = true, nil
			default:
				return nil, p.errorf("a group of a kind that is not supported")
			}
		}
	}
	inner, err := p.alternatives()
	p.fold, p.dotNL = fold, dotNL
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, p.errorf("a group without an end")
	}
	if n == nil {
		return inner, nil
	}
	n.subs = []*node{inner}
	if n.behind == 0 {
		return n, nil
	}
	return p.lookBehind(n)
}

// lookBehind makes a look of each alternative, as each has a length of its own.
func (p *parser) lookBehind(n *node) (*node, error) {
	alternatives := []*node{n.subs[0]}
	if n.subs[0].kind == kindAlternate {
		alternatives = n.subs[0].subs
	}
	all := &node{kind: kindAlternate}
	if n.negative { // none of them
		all.kind = kindConcat
	}
	for _, a := range alternatives {
		length := a.length()
		if length < 1 || length > maxRepeat {
			return nil, p.errorf("looking back at a part without a fixed length is not supported")
		}
		all.subs = append(all.subs, &node{kind: kindLook, negative: n.negative, behind: length, subs: []*node{a}})
	}
	if len(all.subs) == 1 {
		return all.subs[0], nil
	}
	return all, nil
}

// nullable reports whether n may match nothing.
func (n *node) nullable() bool {
	switch n.kind {
	case kindSet:
		return false
	case kindConcat:
		return !slices.ContainsFunc(n.subs, func(s *node) bool { return !s.nullable() })
	case kindAlternate:
		return slices.ContainsFunc(n.subs, (*node).nullable)
	case kindRepeat:
		return n.min == 0 || n.subs[0].nullable()
	}
	return true
}

// length returns the number of characters that n matches; −1 if it varies.
func (n *node) length() int {
	switch n.kind {
	case kindSet:
		return 1
	case kindConcat:
		sum := 0
		for _, s := range n.subs {
			l := s.length()
			if l < 0 || sum > maxRepeat {
				return -1
			}
			sum += l
		}
		return sum
	case kindAlternate:
		l := n.subs[0].length()
		for _, s := range n.subs {
			if s.length() != l {
				return -1
			}
		}
		return l
	case kindRepeat:
		if l := n.subs[0].length(); l >= 0 && n.min == n.max && l <= maxRepeat {
			return l * n.min
		}
		return -1
	}
	return 0
}

// class reads what follows a [.
func (p *parser) class() (*set, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("classes are nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	negative := p.take("^")
	var (
		left  *set // of &&
		parts []*set
	)
	for first := true; ; first = false {
		if !p.more() {
			return nil, p.errorf("a class without an end")
		}
		switch {
		case p.peek("]") && !first:
			p.at++
			s := union(parts...)
			if left != nil {
				s = left.and(s)
			}
			if negative {
				// Before they are negated, classes have both cases.
				if p.fold {
					s = s.fold()
				}
				s = s.not()
			}
			return s, nil
		case p.take("&&"):
			s := union(parts...)
			if left != nil {
				s = left.and(s)
			}
			left, parts = s, nil
			continue
		case p.peek("[:"):
			if end := strings.Index(p.text[p.at:], ":]"); end > 0 {
				name := p.text[p.at+2 : p.at+end]
				s := p.property(name)
				if s == nil {
					return nil, p.errorf("class %q is not known", name)
				}
				p.at += end + 2
				parts = append(parts, s)
				continue
			}
			fallthrough
		case p.peek("["):
			p.at++
			s, err := p.class()
			if err != nil {
				return nil, err
			}
			parts = append(parts, s)
			continue
		}
		lo, s, err := p.member()
		if err != nil {
			return nil, err
		}
		if s == nil && p.peek("-") && !p.peek("-]") && !p.peek("-&&") {
			p.at++
			hi, other, err := p.member()
			if err != nil {
				return nil, err
			}
			if other != nil {
				return nil, p.errorf("a range that ends in a class is not supported")
			}
			if hi < lo {
				return nil, p.errorf("a range from %U to %U", lo, hi)
			}
			parts = append(parts, newSet([]span{{lo, hi}}))
			continue
		}
		if s == nil {
			s = one(lo)
		}
		parts = append(parts, s)
	}
}

// member reads a character of a class, or a set.
func (p *parser) member() (rune, *set, error) {
	if !p.more() {
		return 0, nil, p.errorf("a class without an end")
	}
	if !p.peek(`\`) {
		return p.rune(), nil, nil
	}
	if p.take(`\b`) {
		return '\b', nil, nil
	}
	s, err := p.escape()
	if err == nil && len(s.ranges) == 1 && s.ranges[0].lo == s.ranges[0].hi {
		return s.ranges[0].lo, nil, nil
	}
	return 0, s, err
}

// escape reads what begins with a backslash and stands for characters.
func (p *parser) escape() (*set, error) {
	p.at++
	if !p.more() {
		return nil, p.errorf("ends in a backslash")
	}
	begin := p.at
	r := p.rune()
	switch r {
	case 's':
		return p.property("space"), nil
	case 'S':
		return p.property("^space"), nil
	case 'd':
		return p.property("digit"), nil
	case 'D':
		return p.property("^digit"), nil
	case 'w':
		return p.property("word"), nil
	case 'W':
		return p.property("^word"), nil
	case 'h':
		return hex(), nil
	case 'H':
		return hex().not(), nil
	case 'N':
		return one('\n').not(), nil
	case 'O':
		return property("any"), nil
	case 'p', 'P':
		end := strings.IndexByte(p.text[p.at:], '}')
		if !p.peek("{") || end < 0 {
			return nil, p.errorf(`\%c without {…}`, r)
		}
		name := p.text[p.at+1 : p.at+end]
		if r == 'P' {
			if rest, not := strings.CutPrefix(name, "^"); not {
				name = rest
			} else {
				name = "^" + name
			}
		}
		s := p.property(name)
		if s == nil {
			return nil, p.errorf("property %q is not known", name)
		}
		p.at += end + 1
		return s, nil
	case 't':
		return one('\t'), nil
	case 'n':
		return one('\n'), nil
	case 'r':
		return one('\r'), nil
	case 'f':
		return one('\f'), nil
	case 'v':
		return one('\v'), nil
	case 'a':
		return one('\a'), nil
	case 'e':
		return one(0x1b), nil
	case 'x', 'u':
		return p.hexadecimal(r)
	case '0':
		v := rune(0)
		for n := 0; n < 2 && p.more() && p.text[p.at] >= '0' && p.text[p.at] <= '7'; n++ {
			v = v*8 + rune(p.text[p.at]-'0')
			p.at++
		}
		return one(v), nil
	}
	if r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
		return one(r), nil
	}
	p.at = begin
	return nil, p.errorf(`\%c is not supported`, r)
}

// hexadecimal reads the number of \xHH, \x{H…} or \uHHHH.
func (p *parser) hexadecimal(kind rune) (*set, error) {
	n, most := 0, 4
	if kind == 'x' {
		most = 2
		if p.take("{") {
			if n = strings.IndexByte(p.text[p.at:], '}'); n < 1 || n > 8 {
				return nil, p.errorf(`\x{ without a number`)
			}
			defer func() { p.at++ }()
			most = n
		}
	}
	for n = 0; n < most && p.at+n < len(p.text) && strings.IndexByte("0123456789abcdefABCDEF", p.text[p.at+n]) >= 0; {
		n++
	}
	v, err := strconv.ParseUint(p.text[p.at:p.at+n], 16, 32)
	if err != nil || v > unicode.MaxRune || kind == 'x' && v > 0x7f && most == 2 && p.text[p.at-1] != '{' {
		return nil, p.errorf(`\%c with %q is not supported`, kind, p.text[p.at:p.at+n])
	}
	p.at += n
	return one(rune(v)), nil
}
