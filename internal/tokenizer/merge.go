package tokenizer

// A merger merges symbols as byte-pair encoding does: of all neighbours that form a
// token by a rule, it merges those with the lowest rank, the leftmost first, until
// there are none. It takes time n·log n, so that a whole book may be one text. The zero
// value is ready to use; its memory is reused.
type merger struct {
	list  []symbol
	queue []candidate
}

// A symbol is an element of a linked list in a slice. A symbol that was merged into
// its left neighbour has token −1.
type symbol struct{ token, prev, next int32 }

// A candidate is two neighbours that may become token.
type candidate struct {
	rank        float64
	at          int32
	a, b, token int32
}

// A rule returns the token that two neighbours become.
type rule func(a, b int32) (token int32, rank float64, ok bool)

// short is the length up to which looking at all neighbours for each merge is
// faster than a queue.
const short = 24

// run merges symbols in place and returns them.
func (m *merger) run(symbols []int32, merge rule) []int32 {
	if len(symbols) < 2 {
		return symbols
	}
	if len(symbols) > short {
		return m.long(symbols, merge)
	}
	var (
		ranks [short]float64
		to    [short]int32
	)
	look := func(i int) {
		to[i] = -1
		if i+1 < len(symbols) {
			if token, rank, ok := merge(symbols[i], symbols[i+1]); ok {
				to[i], ranks[i] = token, rank
			}
		}
	}
	for i := range symbols {
		look(i)
	}
	for {
		best := -1
		for i := range len(symbols) - 1 {
			if to[i] >= 0 && (best < 0 || ranks[i] < ranks[best]) {
				best = i
			}
		}
		if best < 0 {
			return symbols
		}
		symbols[best] = to[best]
		copy(symbols[best+1:], symbols[best+2:])
		copy(to[best+1:], to[best+2:len(symbols)])
		copy(ranks[best+1:], ranks[best+2:len(symbols)])
		symbols = symbols[:len(symbols)-1]
		look(best)
		if best > 0 {
			look(best - 1)
		}
	}
}

func (m *merger) long(symbols []int32, merge rule) []int32 {
	list, end := m.list[:0], int32(len(symbols))
	m.queue = m.queue[:0]
	for i, t := range symbols {
		list = append(list, symbol{t, int32(i) - 1, int32(i) + 1})
	}
	m.list = list
	offer := func(i int32) {
		if i < 0 || list[i].next == end {
			return
		}
		a, b := list[i].token, list[list[i].next].token
		if token, rank, ok := merge(a, b); ok {
			m.push(candidate{rank, i, a, b, token})
		}
	}
	for i := range list {
		offer(int32(i))
	}
	for len(m.queue) > 0 {
		c := m.pop()
		left := &list[c.at]
		// Candidates stay in the queue when a neighbour merges with another symbol;
		// they no longer fit then.
		if left.token != c.a || left.next == end || list[left.next].token != c.b {
			continue
		}
		list[left.next].token = -1
		left.token = c.token
		left.next = list[left.next].next
		if left.next < end {
			list[left.next].prev = c.at
		}
		offer(left.prev)
		offer(c.at)
	}
	merged := symbols[:0]
	for i := int32(0); i < end; i = list[i].next {
		merged = append(merged, list[i].token)
	}
	return merged
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

// push and pop keep the queue a heap.
func (m *merger) push(c candidate) {
	m.queue = append(m.queue, c)
	q := m.queue
	for i := len(q) - 1; i > 0; {
		up := (i - 1) / 2
		if !q[i].before(q[up]) {
			break
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
}

func (m *merger) pop() candidate {
	q := m.queue
	top, last := q[0], len(q)-1
	q[0] = q[last]
	q = q[:last]
	m.queue = q
	for i := 0; ; {
		next := 2*i + 1
		if next >= len(q) {
			return top
		}
		if next+1 < len(q) && q[next+1].before(q[next]) {
			next++
		}
		if !q[next].before(q[i]) {
			return top
		}
		q[i], q[next] = q[next], q[i]
		i = next
	}
}
