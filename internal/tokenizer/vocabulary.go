package tokenizer

import "github.com/bitmod-go/bitmod/internal/badfile"

// A vocabulary is the pieces that a model knows, without added tokens.
type vocabulary struct {
	index  map[string]int
	pieces []string // by number; with "" in gaps
	size   int      // how many there are
}

// newVocabulary checks the numbers of the pieces.
func newVocabulary(index map[string]int, added int) (*vocabulary, error) {
	if len(index) == 0 {
		return nil, errorf("no vocabulary")
	}
	// Numbers may have gaps, unless the gaps make the list of pieces huge.
	limit := 2*(len(index)+added) + 1024
	top := 0
	for piece, id := range index {
		if id < 0 || id >= limit {
			return nil, errorf("token %s has number %d, want 0 to %d", badfile.Quote(piece), id, limit-1)
		}
		top = max(top, id)
	}
	v := &vocabulary{index, make([]string, top+1), len(index)}
	taken := make([]bool, top+1)
	for piece, id := range index {
		if taken[id] {
			return nil, errorf("two tokens have number %d", id)
		}
		v.pieces[id], taken[id] = piece, true
	}
	return v, nil
}

// piece returns the piece with number id.
func (v *vocabulary) piece(id int) (string, bool) {
	if id < 0 || id >= len(v.pieces) {
		return "", false
	}
	p := v.pieces[id]
	if p == "" { // may be a gap
		at, ok := v.index[p]
		return p, ok && at == id
	}
	return p, true
}

// unknown returns the number of unk_token; −1 if the vocabulary lacks it, which is
// an error only where a text needs it.
func (v *vocabulary) unknown(piece string) int {
	if id, ok := v.index[piece]; ok {
		return id
	}
	return -1
}
