package hf

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// Types of tokens, in tokenizer.ggml.token_type: those of SentencePiece.
const (
	tokenNormal  = 1
	tokenUnknown = 2
	tokenControl = 3
	tokenUser    = 4
	tokenUnused  = 5 // only fills a gap
	tokenByte    = 6
)

// tokenIDs are the tokens with a meaning: their key, and their names in config.json
// and tokenizer_config.json.
var tokenIDs = []struct{ key, config, tokenizer string }{
	{"bos_token_id", "bos_token_id", "bos_token"},
	{"eos_token_id", "eos_token_id", "eos_token"},
	{"padding_token_id", "pad_token_id", "pad_token"},
	{"unknown_token_id", "", "unk_token"},
	{"cls_token_id", "", "cls_token"},
	{"seperator_token_id", "", "sep_token"}, // as llama.cpp spells it
	{"mask_token_id", "", "mask_token"},
}

// A vocabulary has the values of the keys under tokenizer.ggml.
type vocabulary struct {
	tokens  []string
	types   []int64   // of each token
	scores  []float32 // of each token, or none
	special map[string]int64
	addBOS  bool
	addEOS  bool
	pre     string
	spaced  bool // a text gets a space in front
}

// tokenizerFiles adds the files that describe the tokenizer.
func (c *conversion) tokenizerFiles(out *contents) {
	model, ok, err := get[string](c.keys, "tokenizer.ggml.model")
	if err == nil && !ok {
		err = badfile.New("%s is missing", badfile.Quote("tokenizer.ggml.model"))
	}
	var v *vocabulary
	if err == nil {
		v, err = c.readVocabulary(model)
	}
	absent := func(err error, files ...string) {
		if _, ok := errors.AsType[*badfile.Error](err); ok {
			err = badfile.At("gguf", "", err)
		}
		for _, f := range files {
			out.absent[f] = err
		}
	}
	if err != nil {
		absent(err, "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
		return
	}
	var t map[string]any
	switch model {
	case "gpt2":
		t, err = c.byteLevel(v)
	case "llama":
		t, err = c.sentencePiece(v)
	case "bert":
		t, err = c.wordPiece(v)
	default:
		err = unsupportedf("%s is %s, which is not known", badfile.Quote("tokenizer.ggml.model"), badfile.Quote(model))
	}
	if err != nil {
		absent(err, "tokenizer.json")
	} else {
		t["version"], t["truncation"], t["padding"] = "1.0", nil, nil
		out.files["tokenizer.json"] = marshal(t, "")
	}
	config, special, err := c.tokenizerConfig(v)
	if err != nil {
		absent(err, "tokenizer_config.json", "special_tokens_map.json")
		return
	}
	if model == "bert" {
		// The post-processor adds the tokens around a text, and these keys would remove
		// them.
		delete(config, "add_bos_token")
		delete(config, "add_eos_token")
	}
	out.files["tokenizer_config.json"] = marshal(config, "  ")
	out.files["special_tokens_map.json"] = marshal(special, "  ")
	generation := map[string]any{"_from_model_config": true}
	for _, id := range tokenIDs {
		if n, ok := c.config[id.config]; ok {
			generation[id.config] = n
		}
	}
	if len(generation) > 1 && !c.family.encoder {
		out.files["generation_config.json"] = marshal(generation, "  ")
	}
}

func (c *conversion) readVocabulary(model string) (*vocabulary, error) {
	v := &vocabulary{special: map[string]int64{}}
	var ok bool
	var err error
	const key = "tokenizer.ggml.tokens"
	if v.tokens, ok, err = get[[]string](c.keys, key); err != nil {
		return nil, err
	} else if !ok || len(v.tokens) == 0 {
		return nil, badfile.New("%s is missing", badfile.Quote(key))
	}
	if rows := c.embedding().Shape[0]; len(v.tokens) > rows {
		return nil, badfile.New("%s has %d tokens, but tensor %s has %d rows", badfile.Quote(key), len(v.tokens), badfile.Quote(c.embedding().Name), rows)
	}
	if v.types, ok, err = c.integers("tokenizer.ggml.token_type"); err != nil {
		return nil, err
	} else if !ok {
		v.types = make([]int64, len(v.tokens))
		for i := range v.types {
			v.types[i] = tokenNormal
		}
	}
	if len(v.types) != len(v.tokens) {
		return nil, badfile.New("%s has %d elements, want one for each of %d tokens", badfile.Quote("tokenizer.ggml.token_type"), len(v.types), len(v.tokens))
	}
	seen := make(map[string]int, len(v.tokens))
	for i, t := range v.tokens {
		if v.types[i] == tokenUnused {
			continue
		}
		if !utf8.ValidString(t) {
			return nil, badfile.New("%s: token %d, %s, is not UTF-8", badfile.Quote(key), i, badfile.Quote(t))
		}
		if j, dup := seen[t]; dup {
			return nil, unsupportedf("%s: tokens %d and %d are both %s", badfile.Quote(key), j, i, badfile.Quote(t))
		}
		seen[t] = i
	}
	if v.scores, ok, err = get[[]float32](c.keys, "tokenizer.ggml.scores"); err != nil {
		return nil, err
	} else if ok && len(v.scores) != len(v.tokens) {
		return nil, badfile.New("%s has %d elements, want one for each of %d tokens", badfile.Quote("tokenizer.ggml.scores"), len(v.scores), len(v.tokens))
	}
	for _, id := range tokenIDs {
		n, ok, err := c.integer("tokenizer.ggml."+id.key, 0, int64(len(v.tokens)-1))
		if err != nil {
			return nil, err
		}
		if ok {
			v.special[id.tokenizer] = n
		}
	}
	if v.pre, ok, err = get[string](c.keys, "tokenizer.ggml.pre"); err != nil {
		return nil, err
	} else if !ok {
		v.pre = "default" // as llama.cpp has it
	}
	v.assume(model)
	v.addBOS = model == "llama" || model == "gpt2" && preTokenizers[v.pre].bos
	v.spaced = model == "llama"
	for _, f := range []struct {
		key string
		at  *bool
	}{{"add_bos_token", &v.addBOS}, {"add_eos_token", &v.addEOS}, {"add_space_prefix", &v.spaced}} {
		if b, ok, err := get[bool](c.keys, "tokenizer.ggml."+f.key); err != nil {
			return nil, err
		} else if ok {
			*f.at = b
		}
	}
	return v, nil
}

// assume adds the special tokens that llama.cpp assumes if a file has no key for them.
func (v *vocabulary) assume(model string) {
	defaults := map[string]map[string]int64{
		"llama": {"bos_token": 1, "eos_token": 2, "unk_token": 0},
		"bert":  {"cls_token": 101, "sep_token": 102, "unk_token": 100, "pad_token": 0, "mask_token": 103},
	}
	for name, id := range defaults[model] {
		if _, ok := v.special[name]; !ok && id < int64(len(v.tokens)) {
			v.special[name] = id
		}
	}
}

// An addedToken is one that is looked for in a text before anything else.
type addedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	Lstrip     bool   `json:"lstrip"`
	Rstrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

func (v *vocabulary) added() []addedToken {
	added := []addedToken{}
	for i, t := range v.tokens {
		switch {
		case t == "":
		case v.types[i] == tokenControl || v.types[i] == tokenUnknown:
			added = append(added, addedToken{ID: i, Content: t, Special: true})
		case v.types[i] == tokenUser:
			added = append(added, addedToken{ID: i, Content: t})
		}
	}
	return added
}

// pieces returns the vocabulary of the model in tokenizer.json, which has all but
// the tokens that only fill gaps.
func (v *vocabulary) pieces() map[string]int {
	pieces := make(map[string]int, len(v.tokens))
	for i, t := range v.tokens {
		if v.types[i] != tokenUnused {
			pieces[t] = i
		}
	}
	return pieces
}

// tokenizerConfig returns tokenizer_config.json and special_tokens_map.json.
func (c *conversion) tokenizerConfig(v *vocabulary) (config, special map[string]any, err error) {
	special = map[string]any{}
	for name, id := range v.special {
		if v.types[id] != tokenUnused {
			special[name] = v.tokens[id]
		}
	}
	config = map[string]any{
		"tokenizer_class":              "PreTrainedTokenizerFast",
		"clean_up_tokenization_spaces": false,
		"add_bos_token":                v.addBOS,
		"add_eos_token":                v.addEOS,
	}
	for name, token := range special {
		config[name] = token
	}
	if n, ok := c.config["max_position_embeddings"]; ok {
		config["model_max_length"] = n
	}
	template, ok, err := get[string](c.keys, "tokenizer.chat_template")
	if err != nil {
		return nil, nil, err
	}
	if ok {
		config["chat_template"] = template
	}
	return config, special, nil
}

// template returns the post-processor that puts tokens around a text, nil if there
// are none.
func (v *vocabulary) template() (any, error) {
	around := func(want bool, name string) (part []any, used map[string]any, err error) {
		if !want {
			return nil, nil, nil
		}
		id, ok := v.special[name]
		if !ok {
			return nil, nil, badfile.New("%s is missing, the number of a token that is added to every text", badfile.Quote("tokenizer.ggml."+name+"_id"))
		}
		t := v.tokens[id]
		return []any{templatePiece("SpecialToken", t, 0)}, map[string]any{t: map[string]any{"id": t, "ids": []int64{id}, "tokens": []string{t}}}, nil
	}
	first, used, err := around(v.addBOS, "bos_token")
	if err != nil {
		return nil, err
	}
	last, used2, err := around(v.addEOS, "eos_token")
	if err != nil || first == nil && last == nil {
		return nil, err
	}
	tokens := map[string]any{}
	for _, m := range []map[string]any{used, used2} {
		for k, t := range m {
			tokens[k] = t
		}
	}
	text := func(name string, typ int) []any {
		var parts []any
		for _, p := range [][]any{first, {templatePiece("Sequence", name, typ)}, last} {
			parts = append(parts, p...)
		}
		return parts
	}
	single := text("A", 0)
	return map[string]any{
		"type": "TemplateProcessing", "single": single,
		"pair": append(append([]any{}, single...), text("B", 1)...), "special_tokens": tokens,
	}, nil
}

func templatePiece(kind, id string, typ int) any {
	return map[string]any{kind: map[string]any{"id": id, "type_id": typ}}
}

// sequence returns a step that does several in turn, or the one.
func sequence(member string, steps ...any) any {
	if len(steps) == 1 {
		return steps[0]
	}
	return map[string]any{"type": "Sequence", member: steps}
}

func (v *vocabulary) unknown() string { return v.tokens[v.special["unk_token"]] }

func (v *vocabulary) has(name string) error {
	if _, ok := v.special[name]; !ok {
		return badfile.New("%s is missing", badfile.Quote(fmt.Sprintf("tokenizer.ggml.%s_id", name)))
	}
	return nil
}
