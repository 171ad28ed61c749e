package llm

import (
	"encoding/json"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// A postProcessor of a tokenizer.json puts tokens around a text.
type postProcessor struct {
	Type       string           `json:"type"`
	Processors []*postProcessor `json:"processors"`
	Single     []struct {
		Sequence     *struct{}            `json:"Sequence"`
		SpecialToken *struct{ ID string } `json:"SpecialToken"`
	} `json:"single"`
	Special map[string]struct{ IDs []int } `json:"special_tokens"`
}

// readTemplate reads what goes before and after a text.
func (t *jsonTokenizer) readTemplate(p *postProcessor) error {
	if p == nil {
		return nil
	}
	switch p.Type {
	case "ByteLevel": // is about offsets
		return nil
	case "Sequence":
		if len(p.Processors) > maxSteps {
			return formatErrorf("a sequence of %d post-processors, want at most %d", len(p.Processors), maxSteps)
		}
		for _, q := range p.Processors {
			if q != nil && q.Type == "Sequence" {
				return formatErrorf("a sequence of post-processors in another is not supported")
			}
			if err := t.readTemplate(q); err != nil {
				return err
			}
		}
		return nil
	case "TemplateProcessing":
	default:
		return formatErrorf("post-processor %q is not supported", p.Type)
	}
	var around [2][]int
	side := 0
	for _, part := range p.Single {
		switch {
		case part.Sequence != nil && side == 0:
			side = 1
		case part.SpecialToken != nil:
			ids, ok := p.Special[part.SpecialToken.ID]
			if !ok {
				return formatErrorf("the template has %s, which special_tokens do not", badfile.Quote(part.SpecialToken.ID))
			}
			around[side] = append(around[side], ids.IDs...)
		default:
			return formatErrorf("a template with other parts than one sequence and special tokens")
		}
	}
	if side == 0 {
		return formatErrorf("a template without a sequence")
	}
	for _, ids := range around {
		for _, id := range ids {
			if id < 0 || id >= t.Vocab() {
				return formatErrorf("the template has token %d of %d", id, t.Vocab())
			}
		}
	}
	t.before, t.after = append(around[0], t.before...), append(t.after, around[1]...)
	return nil
}

// readConfig reads a tokenizer_config.json, which may have the last word on what
// begins and ends a text.
func (t *jsonTokenizer) readConfig(data []byte) error {
	var c struct {
		AddBOS *bool           `json:"add_bos_token"`
		AddEOS *bool           `json:"add_eos_token"`
		BOS    json.RawMessage `json:"bos_token"`
		EOS    json.RawMessage `json:"eos_token"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return formatErrorf("%v", err)
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
		if !is(side.add, false) || len(side.raw) == 0 || string(side.raw) == "null" {
			continue
		}
		content, err := tokenContent(side.raw)
		if err != nil {
			return formatErrorf("%s: %v", side.name, err)
		}
		id, ok := t.token(content)
		if !ok {
			return formatErrorf("%s is %s, which the tokenizer does not have", side.name, badfile.Quote(content))
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

// token returns the number of the token called content.
func (t *jsonTokenizer) token(content string) (int, bool) {
	for id, a := range t.added.byID {
		if a.Content == content {
			return id, true
		}
	}
	id, ok := t.index[content]
	return id, ok
}
