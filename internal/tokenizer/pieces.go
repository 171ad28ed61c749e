package tokenizer

import (
	"slices"
	"strings"
)

// A pieceIndex finds the pieces that a text begins with. It is a trie whose nodes are
// in the order of their depth, so that those below a node follow each other. Looking
// takes time in proportion to the longest piece that fits.
type pieceIndex struct {
	nodes []pieceNode
	root  [256]int32 // the node of each first byte, 0 if there is none
}

type pieceNode struct {
	id    int32 // of the piece that ends here, −1 if none does
	below int32 // the first node below
	count uint16
	label byte // the byte that leads here
}

// maxPiece is above the length of any published piece. It bounds the time for a byte of
// text.
const maxPiece = 512

// newPieceIndex returns an index of the pieces with a prefix, without that prefix.
func newPieceIndex(vocab map[string]int, prefix string) (pieceIndex, error) {
	type entry struct {
		piece string
		id    int
	}
	var all []entry
	for piece, id := range vocab {
		if rest, ok := strings.CutPrefix(piece, prefix); ok && rest != "" {
			if len(rest) > maxPiece {
				return pieceIndex{}, errorf("token %d has %d bytes, want at most %d", id, len(piece), maxPiece)
			}
			all = append(all, entry{rest, id})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.piece, b.piece) })
	// The pieces all[lo:hi] have the first depth bytes, which lead to node.
	type work struct{ node, lo, hi, depth int }
	x := pieceIndex{nodes: []pieceNode{{id: -1}}}
	for queue := []work{{0, 0, len(all), 0}}; len(queue) > 0; queue = queue[1:] {
		w := queue[0]
		if w.lo < w.hi && len(all[w.lo].piece) == w.depth {
			x.nodes[w.node].id = int32(all[w.lo].id)
			w.lo++
		}
		x.nodes[w.node].below = int32(len(x.nodes))
		for lo := w.lo; lo < w.hi; {
			c, hi := all[lo].piece[w.depth], lo+1
			for hi < w.hi && all[hi].piece[w.depth] == c {
				hi++
			}
			node := len(x.nodes)
			x.nodes = append(x.nodes, pieceNode{id: -1, label: c})
			x.nodes[w.node].count++
			if w.node == 0 {
				x.root[c] = int32(node)
			}
			queue = append(queue, work{node, lo, hi, w.depth + 1})
			lo = hi
		}
	}
	return x, nil
}

// step returns the node that a byte leads to from another; 0 if there is none.
func (x *pieceIndex) step(node int32, c byte) int32 {
	if node == 0 {
		return x.root[c]
	}
	n := &x.nodes[node]
	lo, hi := n.below, n.below+int32(n.count)
	for lo < hi {
		mid := lo + (hi-lo)/2
		switch l := x.nodes[mid].label; {
		case l == c:
			return mid
		case l < c:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return 0
}

// all calls yield with the number and length of each piece that text begins with, from
// the shortest on.
func (x *pieceIndex) all(text string, yield func(id, n int)) {
	node := int32(0)
	for i := range len(text) {
		if node = x.step(node, text[i]); node == 0 {
			return
		}
		if id := x.nodes[node].id; id >= 0 {
			yield(int(id), i+1)
		}
	}
}

// longest returns the longest piece that text begins with; n is 0 if there is none.
func (x *pieceIndex) longest(text string) (id, n int) {
	node := int32(0)
	for i := range len(text) {
		if node = x.step(node, text[i]); node == 0 {
			break
		}
		if at := x.nodes[node].id; at >= 0 {
			id, n = int(at), i+1
		}
	}
	return id, n
}
