package regex

import (
	"math/bits"
	"unicode/utf8"
)

// A machine matches a text by backtracking: it tries choices in order, each as far as
// it goes.
//
// It begins with the fast program. If that takes more steps than ordinary patterns do,
// the machine continues with the other program, which tries no choice twice at one
// place and so takes time linear in the text.
type machine struct {
	re    *Regexp
	text  string
	slow  bool
	steps int // of the fast program
	far   int // the last place that it saw
	stack []back
	memo  memo
}

// The fast program may take freeSteps steps, and byteSteps more for each byte of the
// text.
const (
	freeSteps = 4096
	byteSteps = 64
)

// A back is a choice that was not tried yet.
type back struct {
	pc, at int
	low    int    // opRun: the least place where it may end
	mask   uint64 // opAlternate: the choices that are left
	trail  int    // opSplit of the slow program: the length of memo.trail
	op     op
}

const (
	none     = -1
	tooSlow  = -2 // the fast program gave up
	maxASCII = utf8.RuneSelf
)

// match returns where the match that begins at a place ends; none if there is none.
func (m *machine) match(at int) int {
	if !m.slow {
		if end := m.fast(int(m.re.fast.start), at); end != tooSlow {
			return end
		}
		m.slow = true
		m.stack = m.stack[:0]
		m.memo = newMemo(m.re.safe.splits, len(m.text))
	}
	return m.safe(int(m.re.safe.start), at, false)
}

func (m *machine) fast(pc, at int) int {
	text, insts, base := m.text, m.re.fast.insts, len(m.stack)
	for {
		in := &insts[pc]
		if m.steps++; m.steps > freeSteps+byteSteps*m.far {
			return tooSlow
		}
		ok := true
		switch in.op {
		case opMatch:
			m.stack = m.stack[:base]
			m.far = max(m.far, at)
			return at
		case opSet:
			n := in.set.length(text, at)
			ok = n > 0
			at, pc = at+n, int(in.next)
		case opRun:
			end, n := at, 0
			for n != int(in.max) {
				l := in.set.length(text, end)
				if l == 0 {
					break
				}
				end += l
				if n++; n == int(in.min) {
					at = end // may end here
				}
			}
			m.steps += n
			m.far = max(m.far, end)
			if ok = n >= int(in.min); ok {
				if at < end && !in.keep {
					m.stack = append(m.stack, back{pc: int(in.next), at: end, low: at, op: opRun})
				}
				at, pc = end, int(in.next)
			}
		case opSplit:
			m.far = max(m.far, at)
			m.stack = append(m.stack, back{pc: int(in.other), at: at, op: opSplit})
			pc = int(in.next)
		case opAlternate:
			pc, ok = m.choose(pc, at, ^uint64(0)>>(64-len(in.choices)))
		case opLook:
			var matched bool
			if start := lookStart(text, at, int(in.behind)); start >= 0 {
				end := m.fast(int(in.other), start)
				if end == tooSlow {
					return tooSlow
				}
				matched = end >= 0
			}
			ok = matched != in.negative
			pc = int(in.next)
		case opPlace:
			ok = holds(in.where, text, at)
			pc = int(in.next)
		}
		for !ok {
			if len(m.stack) == base {
				return none
			}
			last := len(m.stack) - 1
			top := &m.stack[last]
			m.steps++
			pc, at = top.pc, top.at
			switch ok = true; top.op {
			case opRun:
				if at--; at > top.low {
					for !utf8.RuneStart(text[at]) {
						at--
					}
				}
				if top.at = at; at <= top.low {
					m.stack = m.stack[:last]
				}
			case opAlternate:
				mask := top.mask
				m.stack = m.stack[:last]
				pc, ok = m.choose(pc, at, mask)
			default:
				m.stack = m.stack[:last]
			}
		}
	}
}

// choose takes the first of some choices that the next character allows, and leaves
// the others for later.
func (m *machine) choose(pc, at int, mask uint64) (to int, ok bool) {
	in := &m.re.fast.insts[pc]
	r := rune(-1)
	if at < len(m.text) {
		if b := m.text[at]; b < maxASCII {
			mask &= in.ascii[b]
			if mask == 0 {
				return 0, false
			}
			i := bits.TrailingZeros64(mask)
			if mask &= mask - 1; mask != 0 {
				m.stack = append(m.stack, back{pc: pc, at: at, mask: mask, op: opAlternate})
			}
			return int(in.choices[i].to), true
		}
		r, _ = utf8.DecodeRuneInString(m.text[at:])
	}
	for mask != 0 {
		i := bits.TrailingZeros64(mask)
		mask &= mask - 1
		if c := &in.choices[i]; c.first == nil || r >= 0 && c.first.has(r) {
			if mask != 0 {
				m.stack = append(m.stack, back{pc: pc, at: at, mask: mask, op: opAlternate})
			}
			return int(c.to), true
		}
	}
	return 0, false
}

// safe is fast with the other program. If body is set, it runs the body of a look, and
// only reports whether it matches.
func (m *machine) safe(pc, at int, body bool) int {
	text, insts, base, trail := m.text, m.re.safe.insts, len(m.stack), len(m.memo.trail)
	for {
		in := &insts[pc]
		ok := true
		switch in.op {
		case opMatch:
			m.stack = m.stack[:base]
			m.memo.matched(trail, body)
			return at
		case opSet:
			n := in.set.length(text, at)
			ok = n > 0
			at, pc = at+n, int(in.next)
		case opSplit:
			var matched bool
			if ok, matched = m.memo.enter(state{in.memo, at}); matched {
				m.stack = m.stack[:base]
				m.memo.matched(trail, body)
				return at
			}
			if ok {
				m.stack = append(m.stack, back{pc: int(in.other), at: at, trail: len(m.memo.trail)})
				pc = int(in.next)
			}
		case opLook:
			s := state{in.memo, at}
			matched, known := m.memo.known(s)
			if !known {
				if start := lookStart(text, at, int(in.behind)); start >= 0 {
					matched = m.safe(int(in.other), start, true) >= 0
				}
				m.memo.know(s, matched)
			}
			ok = matched != in.negative
			pc = int(in.next)
		case opPlace:
			ok = holds(in.where, text, at)
			pc = int(in.next)
		}
		if !ok {
			if len(m.stack) == base {
				m.memo.trail = m.memo.trail[:trail]
				return none
			}
			top := m.stack[len(m.stack)-1]
			m.stack = m.stack[:len(m.stack)-1]
			m.memo.trail = m.memo.trail[:top.trail]
			pc, at = top.pc, top.at
		}
	}
}

// memo remembers splits at places where all choices failed, or which are on the path of
// a match of a look's body. Failures and matches do not depend on the path to the
// split.
type memo struct {
	splits int
	pages  []*page
	trail  []state // splits that were entered and neither failed nor matched yet
}

type state struct {
	split int32
	at    int
}

const pageSize = 64 // places

type page struct{ failed, matched []uint64 }

func newMemo(splits, length int) memo {
	return memo{splits: splits, pages: make([]*page, length/pageSize+1)}
}

func (m *memo) bit(s state) (p *page, word int, mask uint64) {
	if p = m.pages[s.at/pageSize]; p == nil {
		p = &page{failed: make([]uint64, m.splits)}
		m.pages[s.at/pageSize] = p
	}
	return p, int(s.split), 1 << (s.at % pageSize)
}

// enter reports whether a split is worth trying, and whether it is known to match. It
// counts as failed from then on.
func (m *memo) enter(s state) (try, matched bool) {
	p, word, mask := m.bit(s)
	if p.matched != nil && p.matched[word]&mask != 0 {
		return false, true
	}
	if p.failed[word]&mask != 0 {
		return false, false
	}
	p.failed[word] |= mask
	m.trail = append(m.trail, s)
	return true, false
}

// known returns the result of a look, if it is known.
func (m *memo) known(s state) (matched, known bool) {
	p, word, mask := m.bit(s)
	matched = p.matched != nil && p.matched[word]&mask != 0
	return matched, matched || p.failed[word]&mask != 0
}

func (m *memo) know(s state, matched bool) {
	p, word, mask := m.bit(s)
	if !matched {
		p.failed[word] |= mask
		return
	}
	if p.matched == nil {
		p.matched = make([]uint64, m.splits)
	}
	p.matched[word] |= mask
}

// matched records that the splits on the trail, which led to a match, did not fail.
func (m *memo) matched(trail int, body bool) {
	for _, s := range m.trail[trail:] {
		p, word, mask := m.bit(s)
		p.failed[word] &^= mask
		if body {
			m.know(s, true)
		}
	}
	m.trail = m.trail[:trail]
}

// length returns the length of the character at a place, if it is in the set, and else
// 0.
func (s *set) length(text string, at int) int {
	if at >= len(text) {
		return 0
	}
	if b := text[at]; b < maxASCII {
		return int(s.low[b/64] >> (b % 64) & 1)
	}
	r, n := utf8.DecodeRuneInString(text[at:])
	if !s.has(r) {
		return 0
	}
	return n
}

// lookStart goes back so many characters; −1 if there are fewer.
func lookStart(text string, at, behind int) int {
	for range behind {
		if at == 0 {
			return none
		}
		_, n := utf8.DecodeLastRuneInString(text[:at])
		at -= n
	}
	return at
}

func holds(where place, text string, at int) bool {
	switch where {
	case lineStart:
		return at == 0 || text[at-1] == '\n' && at < len(text)
	case lineEnd:
		return at == len(text) || text[at] == '\n'
	case textStart:
		return at == 0
	case textEnd:
		return at == len(text)
	case lastLineEnd:
		return at == len(text) || at == len(text)-1 && text[at] == '\n'
	}
	edge := false
	if at > 0 {
		r, _ := utf8.DecodeLastRuneInString(text[:at])
		edge = words.has(r)
	}
	if at < len(text) && words.length(text, at) > 0 {
		edge = !edge
	}
	return edge == (where == wordEdge)
}

var words = word()
