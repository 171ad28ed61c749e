package tokenizer

import (
	"encoding/json"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// readConfig reads a tokenizer_config.json, which may override the tokens that begin
// and end a text.
func (t *Tokenizer) readConfig(data []byte) error {
	var c struct {
		AddBOS *bool           `json:"add_bos_token"`
		AddEOS *bool           `json:"add_eos_token"`
		BOS    json.RawMessage `json:"bos_token"`
		EOS    json.RawMessage `json:"eos_token"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return errorf("%v", err)
	}
	if c.AddBOS == nil && c.AddEOS == nil {
		return nil
	}
	t.before, t.after = nil, nil
	for _, side := range []struct {
		name string
		add  *bool
		raw  json.RawMessage
		to   *[]int
	}{
		{"bos_token", c.AddBOS, c.BOS, &t.before},
		{"eos_token", c.AddEOS, c.EOS, &t.after},
	} {
		if side.add == nil || !*side.add || len(side.raw) == 0 || string(side.raw) == "null" {
			continue
		}
		content, err := tokenContent(side.raw)
		if err != nil {
			return errorf("%s: %v", side.name, err)
		}
		id, ok := t.Token(content)
		if !ok {
			return errorf("%s is %s, which the tokenizer does not have", side.name, badfile.Quote(content))
		}
		*side.to = []int{id}
	}
	return nil
}

// tokenContent reads "<s>" or {"content":"<s>"}.
func tokenContent(raw json.RawMessage) (string, error) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	var o struct {
		Content string `json:"content"`
	}
	err := json.Unmarshal(raw, &o)
	return o.Content, err
}
