package tokenizer

import (
	"encoding/json"
	"fmt"
)

// file is what we read of a tokenizer.json. Truncation and padding are the caller's to
// decide: what is encoded is the whole text.
type file struct {
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
	Added         []addedToken    `json:"added_tokens"`
}

// Parse reads the contents of a tokenizer.json. Anything in it that would give other
// tokens than ours is an error, which matches quant.ErrFormat. config, which may be
// nil, is the contents of the tokenizer_config.json beside it.
func Parse(data, config []byte) (*Tokenizer, error) {
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if config != nil {
		if err := t.readConfig(config); err != nil {
			return nil, fmt.Errorf("tokenizer_config.json: %w", err)
		}
	}
	return t, nil
}

func parse(data []byte) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, errorf("%v", err)
	}
	t := &Tokenizer{}
	var err error
	if t.normalizers, err = sequence(f.Normalizer, "normalizer", "normalizers", normalizers); err != nil {
		return nil, err
	}
	if t.preTokenizers, err = sequence(f.PreTokenizer, "pre-tokenizer", "pretokenizers", preTokenizers); err != nil {
		return nil, err
	}
	if t.decoder, err = sequence(f.Decoder, "decoder", "decoders", decoders); err != nil {
		return nil, err
	}
	processors, err := sequence(f.PostProcessor, "post-processor", "processors", processors)
	if err != nil {
		return nil, err
	}
	if err := t.readModel(&f); err != nil {
		return nil, err
	}
	if t.added, err = t.newAddedTokens(f.Added); err != nil {
		return nil, err
	}
	for _, p := range processors {
		if err := t.process(p); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// maxSteps is above the number of any published tokenizer's.
const maxSteps = 32

// sequence reads a component, or a Sequence of components in the field called list. table
// has the function that reads each type of component.
func sequence[C any](raw json.RawMessage, kind, list string, table map[string]func(json.RawMessage) (C, error)) ([]C, error) {
	var steps []C
	left := maxSteps
	var read func(raw json.RawMessage) error
	read = func(raw json.RawMessage) error {
		if left--; left < 0 {
			return errorf("more than %d %ss", maxSteps, kind)
		}
		var head struct {
			Type *string `json:"type"`
		}
		if err := json.Unmarshal(raw, &head); err != nil {
			return errorf("%s: %v", kind, err)
		}
		if head.Type == nil {
			return errorf("a %s without a type", kind)
		}
		if *head.Type == "Sequence" {
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(raw, &fields); err != nil {
				return errorf("%s: %v", kind, err)
			}
			var inner []json.RawMessage
			if err := json.Unmarshal(fields[list], &inner); err != nil {
				return errorf("%s: %q: %v", kind, list, err)
			}
			for _, raw := range inner {
				if err := read(raw); err != nil {
					return err
				}
			}
			return nil
		}
		parse, ok := table[*head.Type]
		if !ok {
			return errorf("%s %q is not supported", kind, *head.Type)
		}
		step, err := parse(raw)
		if err != nil {
			return fmt.Errorf("%s %q: %w", kind, *head.Type, err)
		}
		steps = append(steps, step)
		return nil
	}
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	return steps, read(raw)
}

// fields reads the fields of a component into s, which has their defaults.
func fields[S any](raw json.RawMessage, s S) (S, error) {
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, errorf("%v", err)
	}
	return s, nil
}
