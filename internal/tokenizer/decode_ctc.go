package tokenizer

import (
	"encoding/json"
	"strings"
)

// ctc drops repetitions and padding.
type ctc struct {
	Pad     string `json:"pad_token"`
	Word    string `json:"word_delimiter_token"`
	Cleanup bool   `json:"cleanup"`
}

func newCTC(raw json.RawMessage) (decoder, error) {
	d, err := fields(raw, ctc{"<pad>", "|", true})
	if err == nil && (d.Pad == "" || d.Word == "") {
		err = errorf("pad_token or word_delimiter_token is empty")
	}
	return d, err
}

func (d ctc) decode(pieces []string, _ bool) []string {
	var out []string
	for i, p := range pieces {
		if i > 0 && p == pieces[i-1] {
			continue
		}
		if p = strings.ReplaceAll(p, d.Pad, ""); d.Cleanup {
			p = strings.ReplaceAll(cleanup(p), d.Word, " ")
		}
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}
