package tokenizer

import (
	"encoding/json"
	"strings"
)

// wordPieceDecoder puts spaces before pieces without the prefix, which it takes off
// the others.
type wordPieceDecoder struct {
	Prefix  string `json:"prefix"`
	Cleanup bool   `json:"cleanup"`
}

func newWordPieceDecoder(raw json.RawMessage) (decoder, error) {
	return fields(raw, wordPieceDecoder{"##", true})
}

func (d wordPieceDecoder) decode(pieces []string, _ bool) []string {
	for i, p := range pieces {
		if i > 0 {
			if rest, ok := strings.CutPrefix(p, d.Prefix); ok {
				p = rest
			} else {
				p = " " + p
			}
		}
		if d.Cleanup {
			p = cleanup(p)
		}
		pieces[i] = p
	}
	return pieces
}

// cleanup takes out spaces that English does not have, one rule after the other.
func cleanup(text string) string {
	if !strings.Contains(text, " ") {
		return text
	}
	for _, rule := range [...][2]string{
		{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
		{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
	} {
		text = strings.ReplaceAll(text, rule[0], rule[1])
	}
	return text
}
