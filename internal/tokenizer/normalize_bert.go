package tokenizer

import (
	"encoding/json"
	"unicode"
	"unicode/utf8"
)

// bertNormalizer cleans texts as BERT does.
type bertNormalizer struct {
	Clean     bool  `json:"clean_text"`
	Chinese   bool  `json:"handle_chinese_chars"`
	Accents   *bool `json:"strip_accents"` // as Lowercase, if null
	Lowercase bool  `json:"lowercase"`

	strip bool
}

func newBertNormalizer(raw json.RawMessage) (normalizer, error) {
	n, err := fields(raw, bertNormalizer{Clean: true, Chinese: true, Lowercase: true})
	n.strip = n.Lowercase
	if n.Accents != nil {
		n.strip = *n.Accents
	}
	return n, err
}

func (n bertNormalizer) normalize(text string, _ int) string {
	to := make([]byte, 0, len(text)+len(text)/8)
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf && n.Clean:
			if r == '\t' || r == '\n' || r == '\r' {
				r = ' '
			}
			if r >= ' ' && r != 0x7f {
				to = append(to, byte(r))
			}
			continue
		case n.Clean && (r == utf8.RuneError || unicode.Is(bertControl, r)):
			continue
		case n.Clean && unicode.IsSpace(r):
			r = ' '
		case n.Chinese && chinese(r):
			to = append(to, ' ')
			to = utf8.AppendRune(to, r)
			r = ' '
		}
		to = utf8.AppendRune(to, r)
	}
	text = string(to)
	if n.strip {
		text = removing(decompose(text), bertMarks)
	}
	if n.Lowercase {
		text = lowercase(text)
	}
	return text
}

// chinese reports whether r is one of the ideographs that BERT puts spaces around.
func chinese(r rune) bool {
	return r >= 0x3400 && r <= 0x4dbf || r >= 0x4e00 && r <= 0x9fff || r >= 0xf900 && r <= 0xfaff ||
		r >= 0x20000 && r <= 0x2a6df || r >= 0x2a700 && r <= 0x2b81f || r >= 0x2b920 && r <= 0x2ceaf || r >= 0x2f800 && r <= 0x2fa1f
}
