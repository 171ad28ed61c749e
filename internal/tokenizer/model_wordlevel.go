package tokenizer

import "encoding/json"

// wordLevel takes each part as one token.
type wordLevel struct {
	index   map[string]int
	unknown int
}

func newWordLevel(t *Tokenizer, raw json.RawMessage, added int) (model, error) {
	var s struct {
		Vocab   map[string]int `json:"vocab"`
		Unknown string         `json:"unk_token"`
	}
	s, err := fields(raw, s)
	if err != nil {
		return nil, err
	}
	if t.vocab, err = newVocabulary(s.Vocab, added); err != nil {
		return nil, err
	}
	return wordLevel{s.Vocab, t.vocab.unknown(s.Unknown)}, nil
}

func (m wordLevel) encode(e *encoding, part string) {
	id, ok := m.index[part]
	if !ok {
		id = m.unknown
	}
	if id < 0 {
		e.fail(noToken(part))
		return
	}
	e.tokens = append(e.tokens, id)
}
