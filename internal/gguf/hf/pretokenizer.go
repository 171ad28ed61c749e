package hf

// A preTokenizer describes how a text is split before bytes are merged. A name in
// tokenizer.ggml.pre stands for the pre-tokenizer in the tokenizer.json of the models
// that llama.cpp's converter gives that name.
type preTokenizer struct {
	nfc    bool
	digits bool     // each digit is a part
	splits []string // regular expressions, one after the other; none: GPT-2's
	whole  bool     // a part that is a token is taken as it is
	bos    bool     // a text starts with a token, if the file does not say
}

const (
	splitLlama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	splitQwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	splitGPT4o  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	splitTekken = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	splitGPT2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`
)

var (
	preGPT2   = preTokenizer{}
	preDigits = preTokenizer{digits: true}
	preLlama3 = preTokenizer{splits: []string{splitLlama3}, whole: true, bos: true}
	preQwen2  = preTokenizer{splits: []string{splitQwen2}, nfc: true}
)

// preTokenizers are the known pre-tokenizers. "default" belongs to no model; llama.cpp
// uses it for files without a name.
var preTokenizers = map[string]preTokenizer{
	"default":          {splits: []string{`[\p{P}\$\+<=>\^~\|]+`, splitGPT2, `\p{N}+`, `[0-9][0-9][0-9]`}},
	"gpt-2":            preGPT2,
	"phi-2":            preGPT2,
	"smollm":           preDigits,
	"starcoder":        preDigits,
	"mpt":              {nfc: true},
	"olmo":             {nfc: true},
	"llama3":           preLlama3,
	"llama-v3":         preLlama3,
	"llama-bpe":        preLlama3,
	"smaug-bpe":        {splits: []string{splitLlama3}},
	"dbrx":             {splits: []string{splitLlama3}},
	"qwen2":            preQwen2,
	"deepseek-r1-qwen": {splits: []string{splitQwen2}},
	"gpt-4o":           {splits: []string{splitGPT4o}},
	"tekken":           {splits: []string{splitTekken}, whole: true, bos: true},
}

// steps returns the pre-tokenizer of a tokenizer.json.
func (p preTokenizer) steps() any {
	var steps []any
	if p.digits {
		steps = append(steps, map[string]any{"type": "Digits", "individual_digits": true})
	}
	for _, s := range p.splits {
		steps = append(steps, map[string]any{
			"type": "Split", "pattern": map[string]any{"Regex": s}, "behavior": "Isolated", "invert": false,
		})
	}
	return sequence("pretokenizers", append(steps, byteLevelStep(false, len(p.splits) == 0))...)
}

func byteLevelStep(space, regex bool) any {
	return map[string]any{"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": true, "use_regex": regex}
}
