package tokenizer

import "strings"

// A pieceIndex finds the pieces that a text begins with: a trie whose nodes are in
// one table. Looking takes time in proportion to the longest piece that fits.
type pieceIndex struct {
	next map[uint64]int32 // node<<8 | byte to node
	root [256]int32       // the same for node 0; 0 if there is none
	ids  []int32          // by node; −1 where no piece ends
}

// maxPiece is above the length of any published piece. It bounds what a byte of a
// text costs.
const maxPiece = 2048

// newPieceIndex returns an index of the pieces with a prefix, which it takes off.
func newPieceIndex(vocab map[string]int, prefix string) (pieceIndex, error) {
	x := pieceIndex{next: map[uint64]int32{}, ids: []int32{-1}}
	for piece, id := range vocab {
		if rest, ok := strings.CutPrefix(piece, prefix); ok && rest != "" {
			if len(rest) > maxPiece {
				return x, errorf("token %d has %d bytes, want at most %d", id, len(piece), maxPiece)
			}
			x.add(rest, id)
		}
	}
	return x, nil
}

func (x *pieceIndex) add(piece string, id int) {
	node := int32(0)
	for i := range len(piece) {
		to, ok := x.step(node, piece[i])
		if !ok {
			to = int32(len(x.ids))
			x.ids = append(x.ids, -1)
			if node == 0 {
				x.root[piece[i]] = to
			} else {
				x.next[uint64(node)<<8|uint64(piece[i])] = to
			}
		}
		node = to
	}
	x.ids[node] = int32(id)
}

func (x *pieceIndex) step(node int32, c byte) (int32, bool) {
	if node == 0 {
		to := x.root[c]
		return to, to > 0
	}
	to, ok := x.next[uint64(node)<<8|uint64(c)]
	return to, ok
}

// all calls yield with the number and length of each piece that text begins with, from
// the shortest on.
func (x *pieceIndex) all(text string, yield func(id, n int)) {
	node, ok := int32(0), false
	for i := range len(text) {
		if node, ok = x.step(node, text[i]); !ok {
			return
		}
		if id := x.ids[node]; id >= 0 {
			yield(int(id), i+1)
		}
	}
}

// longest returns the longest piece that text begins with; n is 0 if there is none.
func (x *pieceIndex) longest(text string) (id, n int) {
	x.all(text, func(i, l int) { id, n = i, l })
	return id, n
}
