package llm

import "container/heap"

// bytePair merges symbols as byte-pair encoding does: of all neighbours that merge
// says form a token, those with the lowest rank become it, the leftmost first,
// until none do. It takes time n·log n, so that a whole book may be one text.
func bytePair(symbols []int, merge func(a, b int) (token int, rank float64, ok bool)) []int {
	list := make([]symbol, len(symbols))
	var queue mergeQueue
	offer := func(i int) {
		if i < 0 || list[i].next == len(list) {
			return
		}
		a, b := list[i].token, list[list[i].next].token
		if token, rank, ok := merge(a, b); ok {
			heap.Push(&queue, candidate{rank, i, a, b, token})
		}
	}
	for i, t := range symbols {
		list[i] = symbol{t, i - 1, i + 1}
	}
	for i := range list {
		offer(i)
	}
	for queue.Len() > 0 {
		c := heap.Pop(&queue).(candidate)
		left := &list[c.at]
		// Candidates are not taken back when a neighbour merges away; they no longer
		// fit then.
		if left.token != c.a || left.next == len(list) || list[left.next].token != c.b {
			continue
		}
		list[left.next].token = -1
		left.token = c.token
		left.next = list[left.next].next
		if left.next < len(list) {
			list[left.next].prev = c.at
		}
		offer(left.prev)
		offer(c.at)
	}
	merged := symbols[:0:0]
	for i := 0; i < len(list); i = list[i].next {
		merged = append(merged, list[i].token)
	}
	return merged
}

// A symbol is an element of a linked list in a slice. A symbol that was merged into
// its left neighbour has token −1.
type symbol struct{ token, prev, next int }

type candidate struct {
	rank  float64
	at    int
	a, b  int
	token int
}

type mergeQueue []candidate

func (q mergeQueue) Len() int { return len(q) }
func (q mergeQueue) Less(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].at < q[j].at
}
func (q mergeQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *mergeQueue) Push(x any)   { *q = append(*q, x.(candidate)) }
func (q *mergeQueue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}
