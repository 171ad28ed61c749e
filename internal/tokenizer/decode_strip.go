package tokenizer

import (
	"encoding/json"
	"strings"
)

// stripDecoder removes a character from the start of pieces, up to Start times, and from
// their end, up to Stop times.
type stripDecoder struct {
	Content string `json:"content"`
	Start   int    `json:"start"`
	Stop    int    `json:"stop"`
}

func newStripDecoder(raw json.RawMessage) (decoder, error) {
	s, err := fields(raw, stripDecoder{})
	if err == nil && len(s.Content) != max(1, runeLen(s.Content)) {
		err = errorf("content is %q, want one character", s.Content)
	}
	return s, err
}

func (s stripDecoder) decode(pieces []string, _ bool) []string {
	for i, p := range pieces {
		for n := 0; n < s.Start && strings.HasPrefix(p, s.Content); n++ {
			p = p[len(s.Content):]
		}
		for n := 0; n < s.Stop && strings.HasSuffix(p, s.Content); n++ {
			p = p[:len(p)-len(s.Content)]
		}
		pieces[i] = p
	}
	return pieces
}
