package tokenizer

import (
	"encoding/json"
	"strings"
)

// replace replaces the matches of a pattern. It is a normalizer and a decoder.
type replace struct {
	find    finder
	content string
	plain   string // the pattern, if it is one that strings can find
}

func parseReplace(raw json.RawMessage) (replace, error) {
	var s struct {
		Pattern pattern `json:"pattern"`
		Content string  `json:"content"`
	}
	s, err := fields(raw, s)
	if err != nil {
		return replace{}, err
	}
	if len(s.Content) > maxContent {
		return replace{}, errorf("content has %d bytes, want at most %d", len(s.Content), maxContent)
	}
	r := replace{content: s.Content}
	if s.Pattern.String != nil {
		r.plain = *s.Pattern.String
	}
	r.find, err = s.Pattern.finder()
	return r, err
}

func newReplace(raw json.RawMessage) (normalizer, error) { return parseReplace(raw) }

func (r replace) normalize(text string, limit int) string {
	if r.plain != "" && len(r.content) <= len(r.plain)+1 {
		return strings.ReplaceAll(text, r.plain, r.content)
	}
	if text == "" {
		return text
	}
	var b strings.Builder
	r.find(text, func(part string, match bool) {
		switch {
		case b.Len() > limit:
		case match:
			b.WriteString(r.content)
		default:
			b.WriteString(part)
		}
	})
	return b.String()
}

func newReplaceDecoder(raw json.RawMessage) (decoder, error) { return parseReplace(raw) }

func (r replace) decode(pieces []string, _ bool) []string {
	for i, p := range pieces {
		pieces[i] = r.normalize(p, maxGrowth*len(p)+growthAdd)
	}
	return pieces
}
