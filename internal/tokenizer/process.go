package tokenizer

import (
	"encoding/json"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// A processor puts tokens around a text.
type processor struct{ before, after []int }

var processors = map[string]func(json.RawMessage) (processor, error){
	"BertProcessing":     newBertProcessing,
	"ByteLevel":          newOffsets,
	"RobertaProcessing":  newBertProcessing,
	"TemplateProcessing": newTemplate,
}

// process adds what p puts around a text.
func (t *Tokenizer) process(p processor) error {
	for _, ids := range [2][]int{p.before, p.after} {
		for _, id := range ids {
			if id < 0 || id >= t.Vocab() {
				return errorf("the post-processor has token %d of %d", id, t.Vocab())
			}
		}
	}
	t.before = append(p.before, t.before...)
	t.after = append(t.after, p.after...)
	return nil
}

// newOffsets is for a post-processor that only changes positions of tokens.
func newOffsets(json.RawMessage) (processor, error) { return processor{}, nil }

// numbered is a token with its number: ["[CLS]",101].
type numbered struct{ id int }

func (n *numbered) UnmarshalJSON(b []byte) error {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	return json.Unmarshal(pair[1], &n.id)
}

func newBertProcessing(raw json.RawMessage) (processor, error) {
	var s struct {
		Sep *numbered `json:"sep"`
		CLS *numbered `json:"cls"`
	}
	s, err := fields(raw, s)
	if err != nil {
		return processor{}, err
	}
	if s.Sep == nil || s.CLS == nil {
		return processor{}, errorf("no sep or no cls")
	}
	return processor{[]int{s.CLS.id}, []int{s.Sep.id}}, nil
}

// maxTemplate is above the number of tokens in any published template.
const maxTemplate = 64

func newTemplate(raw json.RawMessage) (processor, error) {
	var s struct {
		Single []struct {
			Sequence     *struct{}            `json:"Sequence"`
			SpecialToken *struct{ ID string } `json:"SpecialToken"`
		} `json:"single"`
		Special map[string]struct{ IDs []int } `json:"special_tokens"`
	}
	s, err := fields(raw, s)
	if err != nil {
		return processor{}, err
	}
	var around [2][]int
	side := 0
	for _, part := range s.Single {
		switch {
		case part.Sequence != nil && side == 0:
			side = 1
		case part.SpecialToken != nil:
			ids, ok := s.Special[part.SpecialToken.ID]
			if !ok {
				return processor{}, errorf("the template has %s, which is not in special_tokens", badfile.Quote(part.SpecialToken.ID))
			}
			if around[side] = append(around[side], ids.IDs...); len(around[side]) > maxTemplate {
				return processor{}, errorf("the template has more than %d tokens", maxTemplate)
			}
		default:
			return processor{}, errorf("the template has other parts than one sequence and special tokens")
		}
	}
	if side == 0 {
		return processor{}, errorf("the template has no sequence")
	}
	return processor{around[0], around[1]}, nil
}
