package tokenizer

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// metaspace writes spaces as ▁, puts one in front, and splits before each.
type metaspace struct {
	Replacement string `json:"replacement"`
	Space       *bool  `json:"add_prefix_space"` // of older files
	Scheme      string `json:"prepend_scheme"`
	Split       *bool  `json:"split"`
}

func parseMetaspace(raw json.RawMessage) (metaspace, error) {
	m, err := fields(raw, metaspace{Scheme: "always"})
	switch {
	case err != nil:
	case utf8.RuneCountInString(m.Replacement) != 1:
		err = errorf("replacement is %q, want one character", m.Replacement)
	case m.Scheme != "always" && m.Scheme != "first" && m.Scheme != "never":
		err = errorf("prepend_scheme is %q, want always, first or never", m.Scheme)
	case m.Space != nil && !*m.Space:
		m.Scheme = "never"
	}
	return m, err
}

func newMetaspace(raw json.RawMessage) (preTokenizer, error) { return parseMetaspace(raw) }

func (m metaspace) split(text string, first bool, emit func(part string, first bool)) {
	text = strings.ReplaceAll(text, " ", m.Replacement)
	if (m.Scheme == "always" || m.Scheme == "first" && first) && !strings.HasPrefix(text, m.Replacement) {
		text = m.Replacement + text
	}
	if m.Split != nil && !*m.Split {
		emit(text, first)
		return
	}
	for {
		n := runeLen(text)
		next := strings.Index(text[n:], m.Replacement)
		if next < 0 {
			break
		}
		emit(text[:n+next], first)
		text, first = text[n+next:], false
	}
	emit(text, first)
}

func newMetaspaceDecoder(raw json.RawMessage) (decoder, error) { return parseMetaspace(raw) }

func (m metaspace) decode(pieces []string, _ bool) []string {
	for i, p := range pieces {
		with := " "
		if i == 0 && m.Scheme != "never" {
			with = ""
		}
		pieces[i] = strings.ReplaceAll(p, m.Replacement, with)
	}
	return pieces
}
