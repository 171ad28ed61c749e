package tokenizer

import (
	"encoding/json"
	"strings"
	"unicode"
)

// strip removes spaces at the ends of a text.
type strip struct {
	Left  bool `json:"strip_left"`
	Right bool `json:"strip_right"`
}

func newStrip(raw json.RawMessage) (normalizer, error) { return fields(raw, strip{}) }

func (s strip) normalize(text string, _ int) string {
	if s.Left {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
	}
	if s.Right {
		text = strings.TrimRightFunc(text, unicode.IsSpace)
	}
	return text
}

// prepend puts something before a text.
type prepend struct {
	Prepend string `json:"prepend"`
}

// maxContent is above the length of what any published tokenizer puts into texts.
const maxContent = 256

func newPrepend(raw json.RawMessage) (normalizer, error) {
	p, err := fields(raw, prepend{})
	if err == nil && len(p.Prepend) > maxContent {
		err = errorf("prepend has %d bytes, want at most %d", len(p.Prepend), maxContent)
	}
	return p, err
}

func (p prepend) normalize(text string, _ int) string {
	if text == "" {
		return ""
	}
	return p.Prepend + text
}
