package regex

import "fmt"

// A program is a list of instructions. Each pattern has two: a fast one with
// instructions that loop over characters, and one with a split for each character,
// which remembers where it failed.
type program struct {
	insts  []inst
	start  int32
	first  *set // what a match begins with; nil: anything
	splits int  // opSplit and opLook, which are remembered, numbered by inst.memo
}

type inst struct {
	op       op
	set      *set
	next     int32 // of opSplit and opAlternate: the first choice
	other    int32 // opSplit: the second choice; opLook: the body
	min, max int32 // opRun
	keep     bool  // opRun: what follows fails where the run could go on
	negative bool  // opLook
	behind   int32
	where    place
	memo     int32

	choices []choice // opAlternate
	ascii   *[128]uint64
}

// A choice of opAlternate can match only if first has the next character or is nil.
type choice struct {
	first *set
	to    int32
}

type op uint8

const (
	opMatch op = iota
	opSet
	opRun
	opSplit
	opAlternate
	opLook
	opPlace
)

const (
	maxInsts  = 1024
	maxSplits = 256
)

// A compiler writes a program backwards, so that a node's code can refer to the code
// after it.
type compiler struct {
	program
	firsts []*set // by instruction: what a match from there begins with; nil: anything
	runs   bool   // make opRun and opAlternate
	err    error
}

func compile(n *node, runs bool) (*program, error) {
	c := &compiler{runs: runs}
	match := c.add(inst{op: opMatch})
	c.start = c.node(n, match)
	c.first = c.firsts[c.start]
	if c.err == nil && c.splits > maxSplits {
		c.err = fmt.Errorf("has more than %d choices", maxSplits)
	}
	return &c.program, c.err
}

func (c *compiler) add(i inst) int32 {
	if len(c.insts) >= maxInsts {
		if c.err == nil {
			c.err = fmt.Errorf("takes more than %d instructions", maxInsts)
		}
		return 0
	}
	if i.op == opSplit || i.op == opLook {
		i.memo = int32(c.splits)
		c.splits++
	}
	c.insts = append(c.insts, i)
	c.firsts = append(c.firsts, nil)
	return int32(len(c.insts) - 1)
}

// node writes n and returns where it starts; next is what follows.
func (c *compiler) node(n *node, next int32) int32 {
	if c.err != nil {
		return 0
	}
	switch n.kind {
	case kindSet:
		return c.begins(c.add(inst{op: opSet, set: n.set, next: next}), n.set)
	case kindPlace:
		return c.add(inst{op: opPlace, where: n.where, next: next})
	case kindConcat:
		for i := len(n.subs) - 1; i >= 0; i-- {
			next = c.node(n.subs[i], next)
		}
		return next
	case kindAlternate:
		return c.alternate(n, next)
	case kindRepeat:
		return c.repeat(n, next)
	case kindLook:
		body := c.node(n.subs[0], c.add(inst{op: opMatch}))
		return c.add(inst{op: opLook, other: body, next: next, negative: n.negative, behind: int32(n.behind)})
	}
	return next
}

// begins records the set of characters that a match from an instruction begins with.
func (c *compiler) begins(pc int32, s *set) int32 {
	c.firsts[pc] = s
	return pc
}

func (c *compiler) alternate(n *node, next int32) int32 {
	if c.runs && len(n.subs) <= 64 {
		alt := inst{op: opAlternate, ascii: new([128]uint64)}
		all := []*set{}
		for i, s := range n.subs {
			to := c.node(s, next)
			first := c.firsts[to]
			alt.choices = append(alt.choices, choice{first, to})
			for b := range alt.ascii {
				if first == nil || first.has(rune(b)) {
					alt.ascii[b] |= 1 << i
				}
			}
			if first != nil {
				all = append(all, first)
			}
		}
		pc := c.add(alt)
		if len(all) == len(n.subs) {
			c.begins(pc, union(all...))
		}
		return pc
	}
	start := c.node(n.subs[len(n.subs)-1], next)
	for i := len(n.subs) - 2; i >= 0; i-- {
		start = c.add(inst{op: opSplit, next: c.node(n.subs[i], next), other: start})
	}
	return start
}

func (c *compiler) repeat(n *node, next int32) int32 {
	body := n.subs[0]
	if c.runs && body.kind == kindSet && !n.lazy {
		after := c.firsts[next]
		run := c.add(inst{op: opRun, set: body.set, min: int32(n.min), max: int32(n.max), next: next})
		c.insts[run].keep = after != nil && n.max < 0 && !after.meets(body.set)
		switch {
		case n.min > 0:
			c.begins(run, body.set)
		case after != nil:
			c.begins(run, union(body.set, after))
		}
		return run
	}
	split := func(body, next int32) int32 {
		if n.lazy {
			body, next = next, body
		}
		return c.add(inst{op: opSplit, next: body, other: next})
	}
	if n.max < 0 {
		loop := c.add(inst{op: opSplit})
		first := c.node(body, loop)
		if c.err != nil {
			return 0
		}
		if n.lazy {
			c.insts[loop].next, c.insts[loop].other = next, first
		} else {
			c.insts[loop].next, c.insts[loop].other = first, next
		}
		next = loop
	} else {
		end := next
		for range n.max - n.min {
			if c.err != nil {
				return 0
			}
			next = split(c.node(body, next), end)
		}
	}
	for range n.min {
		if c.err != nil {
			return 0
		}
		next = c.node(body, next)
	}
	return next
}
