package tokenizer

import (
	"encoding/json"
	"strings"
)

// suffixDecoder writes the suffix that ends words as a space.
type suffixDecoder struct {
	Suffix string `json:"suffix"`
}

func newSuffixDecoder(raw json.RawMessage) (decoder, error) {
	d, err := fields(raw, suffixDecoder{"</w>"})
	if err == nil && d.Suffix == "" {
		err = errorf("the suffix is empty")
	}
	return d, err
}

func (d suffixDecoder) decode(pieces []string, _ bool) []string {
	for i, p := range pieces {
		with := " "
		if i == len(pieces)-1 {
			with = ""
		}
		pieces[i] = strings.ReplaceAll(p, d.Suffix, with)
	}
	return pieces
}
