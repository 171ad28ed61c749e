package hf

import (
	"strings"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// uncased are the names in tokenizer.ggml.pre of tokenizers as that of BERT without
// upper case.
var uncased = map[string]bool{"bert-bge": true, "bert-bge-large": true, "jina-v2-en": true}

// wordPiece returns the tokenizer.json of BERT's tokenizer. llama.cpp marks pieces
// that start a word, where Hugging Face marks those that don't.
func (c *conversion) wordPiece(v *vocabulary) (map[string]any, error) {
	if !uncased[v.pre] {
		return nil, unsupportedf("%s is %s, which is not known", badfile.Quote("tokenizer.ggml.pre"), badfile.Quote(v.pre))
	}
	spelled := *v
	spelled.tokens = make([]string, len(v.tokens))
	pieces := make(map[string]int, len(v.tokens))
	for i, t := range v.tokens {
		if v.types[i] == tokenUnused {
			continue
		}
		if v.types[i] != tokenControl && v.types[i] != tokenUnknown {
			if word, ok := strings.CutPrefix(t, spaceMark); ok {
				t = word
			} else {
				t = "##" + t
			}
		}
		if _, dup := pieces[t]; dup {
			return nil, unsupportedf("%s: two tokens are %s", badfile.Quote("tokenizer.ggml.tokens"), badfile.Quote(t))
		}
		pieces[t], spelled.tokens[i] = i, t
	}
	for _, name := range []string{"unk_token", "cls_token", "sep_token"} {
		if err := v.has(name); err != nil {
			return nil, err
		}
	}
	cls, sep := v.tokens[v.special["cls_token"]], v.tokens[v.special["sep_token"]]
	token := func(t string) any {
		return map[string]any{"id": t, "ids": []int{pieces[t]}, "tokens": []string{t}}
	}
	return map[string]any{
		"added_tokens":  spelled.added(),
		"normalizer":    map[string]any{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": nil, "lowercase": true},
		"pre_tokenizer": map[string]any{"type": "BertPreTokenizer"},
		"post_processor": map[string]any{
			"type":   "TemplateProcessing",
			"single": []any{templatePiece("SpecialToken", cls, 0), templatePiece("Sequence", "A", 0), templatePiece("SpecialToken", sep, 0)},
			"pair": []any{templatePiece("SpecialToken", cls, 0), templatePiece("Sequence", "A", 0), templatePiece("SpecialToken", sep, 0),
				templatePiece("Sequence", "B", 1), templatePiece("SpecialToken", sep, 1)},
			"special_tokens": map[string]any{cls: token(cls), sep: token(sep)},
		},
		"decoder": map[string]any{"type": "WordPiece", "prefix": "##", "cleanup": true},
		"model": map[string]any{
			"type": "WordPiece", "unk_token": v.unknown(), "continuing_subword_prefix": "##",
			"max_input_chars_per_word": 100, "vocab": pieces,
		},
	}, nil
}
