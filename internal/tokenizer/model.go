package tokenizer

import (
	"encoding/json"
	"fmt"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// A model turns the parts of a text into tokens.
type model interface {
	// encode appends the tokens of a part, which is not empty, to e.tokens.
	encode(e *encoding, part string)
}

// models read the model and its vocabulary. added is the number of added tokens.
var models = map[string]func(t *Tokenizer, raw json.RawMessage, added int) (model, error){
	"BPE":       newBPE,
	"Unigram":   newUnigram,
	"WordLevel": newWordLevel,
	"WordPiece": newWordPiece,
}

func (t *Tokenizer) readModel(f *file) error {
	var head struct {
		Type string `json:"type"`
	}
	if len(f.Model) == 0 {
		return errorf("no model")
	}
	if err := json.Unmarshal(f.Model, &head); err != nil {
		return errorf("model: %v", err)
	}
	parse, ok := models[head.Type]
	if !ok {
		return errorf("model type is %s, want BPE, Unigram, WordLevel or WordPiece", badfile.Quote(head.Type))
	}
	var err error
	if t.model, err = parse(t, f.Model, len(f.Added)); err != nil {
		return fmt.Errorf("%s: %w", head.Type, err)
	}
	return nil
}

// noToken is the error of a text for which a tokenizer has no token.
func noToken(part string) error {
	return errorf("the tokenizer has no token for %s, and none for unknown text", badfile.Quote(part))
}
