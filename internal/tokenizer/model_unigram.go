package tokenizer

import (
	"encoding/json"
	"fmt"
	"math"
	"unicode/utf8"
)

// unigram chooses the pieces with the largest sum of scores, which are logarithms of
// probabilities.
type unigram struct {
	pieces   pieceIndex
	index    map[string]int
	scores   []float64
	unknown  int // −1 if there is none
	penalty  float64
	fallback bool
	bytes    [256]int
}

func newUnigram(t *Tokenizer, raw json.RawMessage, _ int) (model, error) {
	var s struct {
		Vocab        []scored `json:"vocab"`
		Unknown      *int     `json:"unk_id"`
		ByteFallback bool     `json:"byte_fallback"`
	}
	s, err := fields(raw, s)
	if err != nil {
		return nil, err
	}
	if len(s.Vocab) == 0 {
		return nil, errorf("no vocabulary")
	}
	m := &unigram{index: make(map[string]int, len(s.Vocab)), unknown: -1, fallback: s.ByteFallback}
	if s.Unknown != nil {
		if m.unknown = *s.Unknown; m.unknown < 0 || m.unknown >= len(s.Vocab) {
			return nil, errorf("unk_id is %d of %d", m.unknown, len(s.Vocab))
		}
	}
	t.vocab = &vocabulary{index: m.index, pieces: make([]string, len(s.Vocab)), size: len(s.Vocab)}
	lowest := math.Inf(1)
	for id, p := range s.Vocab {
		if math.IsNaN(p.score) || math.IsInf(p.score, 0) {
			return nil, errorf("the score of token %d is %v", id, p.score)
		}
		t.vocab.pieces[id] = p.piece
		m.index[p.piece] = id // of two, the later
		m.scores = append(m.scores, p.score)
		lowest = min(lowest, p.score)
	}
	m.penalty = lowest - 10
	if m.pieces, err = newPieceIndex(m.index, ""); err != nil {
		return nil, err
	}
	for b := range m.bytes {
		m.bytes[b] = -1
		if id, ok := m.index[fmt.Sprintf("<0x%02X>", b)]; ok {
			m.bytes[b] = id
		}
	}
	return m, nil
}

// scored is a piece with its score: ["▁the",-3.5].
type scored struct {
	piece string
	score float64
}

func (s *scored) UnmarshalJSON(b []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("a token has %d parts, want 2", len(pair))
	}
	if err := json.Unmarshal(pair[0], &s.piece); err != nil {
		return err
	}
	return json.Unmarshal(pair[1], &s.score)
}

// A unigramStep is the last piece of the best way to a place of a part.
type unigramStep struct {
	score float64
	from  int32 // where it begins; −1: no way is known
	id    int32
}

func (m *unigram) encode(e *encoding, part string) {
	if known, ok := e.cache[part]; ok {
		for _, id := range known {
			e.tokens = append(e.tokens, int(id))
		}
		return
	}
	begin := len(e.tokens)
	m.best(e, part)
	e.symbols = e.symbols[:0]
	for _, id := range e.tokens[begin:] {
		e.symbols = append(e.symbols, int32(id))
	}
	e.remember(part, e.symbols)
}

func (m *unigram) best(e *encoding, part string) {
	steps := make([]unigramStep, len(part)+1)
	for i := range steps {
		steps[i].from = -1
	}
	offer := func(from, to, id int, score float64) {
		if s := &steps[to]; s.from < 0 || score > s.score {
			*s = unigramStep{score, int32(from), int32(id)}
		}
	}
	for i := 0; i < len(part); {
		_, char := utf8.DecodeRuneInString(part[i:])
		here, single := steps[i].score, false
		m.pieces.all(part[i:], func(id, n int) {
			offer(i, i+n, id, here+m.scores[id])
			single = single || n == char
		})
		if !single {
			if m.unknown < 0 {
				// The package tokenizers fails only where it would take the step.
				if s := &steps[i+char]; s.from < 0 || m.penalty+here > s.score {
					e.fail(noToken(part[i : i+char]))
					return
				}
			}
			offer(i, i+char, m.unknown, here+m.penalty)
		}
		i += char
	}
	// Backwards, so that consecutive unknown characters become one.
	var ends []int32
	for at := int32(len(part)); at > 0; at = steps[at].from {
		ends = append(ends, at)
	}
	for i := len(ends) - 1; i >= 0; i-- {
		from := steps[ends[i]].from
		if id := int(steps[ends[i]].id); id != m.unknown {
			e.tokens = append(e.tokens, id)
			continue
		}
		for i > 0 && int(steps[ends[i-1]].id) == m.unknown {
			i--
		}
		m.encodeUnknown(e, part[from:ends[i]])
	}
}

// encodeUnknown appends the tokens of characters that no piece has.
func (m *unigram) encodeUnknown(e *encoding, text string) {
	if id, ok := m.index[text]; ok {
		e.tokens = append(e.tokens, id)
		return
	}
	if m.fallback {
		begin, complete := len(e.tokens), true
		for i := range len(text) {
			e.tokens = append(e.tokens, m.bytes[text[i]])
			complete = complete && m.bytes[text[i]] >= 0
		}
		if complete {
			return
		}
		e.tokens = e.tokens[:begin]
	}
	e.tokens = append(e.tokens, m.unknown)
}
