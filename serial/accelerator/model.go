package accelerator

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Model is the shape of a decoder-only transformer, on which the cycles of an
// accelerator depend. [Models] has six, [ParseModel] reads others.
type Model struct {
	Name         string
	Blocks       int
	Hidden       int
	Intermediate int // of the feed-forward network
	Heads        int
	KVHeads      int // Heads unless queries share keys and values
	Vocabulary   int
	Gated        bool // feed-forward of three matrices (gate, up, down), not two
}

// Models returns the six models of the paper's evaluation, in its order: opt-1.3b,
// phi-2, yi-6b, llama-2-7b, llama-2-13b and llama-3-8b.
func Models() []Model {
	// From the config.json of each on huggingface.co.
	return []Model{
		{"opt-1.3b", 24, 2048, 8192, 32, 32, 50272, false},    // facebook/opt-1.3b
		{"phi-2", 32, 2560, 10240, 32, 32, 51200, false},      // microsoft/phi-2
		{"yi-6b", 32, 4096, 11008, 32, 4, 64000, true},        // 01-ai/Yi-6B
		{"llama-2-7b", 32, 4096, 11008, 32, 32, 32000, true},  // meta-llama/Llama-2-7b-hf
		{"llama-2-13b", 40, 5120, 13824, 40, 40, 32000, true}, // meta-llama/Llama-2-13b-hf
		{"llama-3-8b", 32, 4096, 14336, 32, 8, 128256, true},  // meta-llama/Meta-Llama-3-8B
	}
}

// FindModel returns the model of [Models] with this name. The error wraps
// [ErrConfig] and lists the names.
func FindModel(name string) (Model, error) {
	var names []string
	for _, m := range Models() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Model{}, &configError{"model", name, "one of " + strings.Join(names, ", ")}
}

// ParseModel reads a Hugging Face config.json, of a model of type llama, mistral,
// qwen2, opt or phi, whose heads are hidden_size/num_attention_heads wide. Files of
// other types do not describe their feed-forward layers; fill in a Model for them. The
// name is the file's _name_or_path, if it has one. The error wraps [ErrConfig].
func ParseModel(config []byte) (Model, error) {
	var c struct {
		Name         string `json:"_name_or_path"`
		Type         string `json:"model_type"`
		Blocks       int    `json:"num_hidden_layers"`
		Hidden       int    `json:"hidden_size"`
		Embedding    int    `json:"word_embed_proj_dim"`
		Intermediate int    `json:"intermediate_size"`
		FFN          int    `json:"ffn_dim"` // OPT's name for it
		Heads        int    `json:"num_attention_heads"`
		KVHeads      int    `json:"num_key_value_heads"`
		HeadDim      int    `json:"head_dim"`
		Vocabulary   int    `json:"vocab_size"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return Model{}, fmt.Errorf("accelerator: model config: %w: %w", ErrConfig, err)
	}
	var gated bool
	switch c.Type {
	case "llama", "mistral", "qwen2":
		gated = true
	case "opt", "phi":
	default:
		return Model{}, &configError{"model_type", fmt.Sprintf("%q", c.Type), "llama, mistral, qwen2, opt or phi"}
	}
	if c.Embedding != 0 && c.Embedding != c.Hidden {
		return Model{}, &configError{"word_embed_proj_dim", c.Embedding, "hidden_size: projections of embeddings are not modelled"}
	}
	m := Model{
		Name: c.Name, Blocks: c.Blocks, Hidden: c.Hidden, Intermediate: c.Intermediate,
		Heads: c.Heads, KVHeads: c.KVHeads, Vocabulary: c.Vocabulary, Gated: gated,
	}
	if m.Name == "" {
		m.Name = c.Type
	}
	if m.Intermediate == 0 {
		m.Intermediate = c.FFN
	}
	if m.KVHeads == 0 {
		m.KVHeads = m.Heads
	}
	if err := m.check(); err != nil {
		return Model{}, err
	}
	if c.HeadDim != 0 && c.HeadDim*m.Heads != m.Hidden {
		return Model{}, &configError{"head_dim", c.HeadDim, "hidden_size/num_attention_heads"}
	}
	return m, nil
}

// largest bounds every dimension, so that a product of three is either exact in float64
// or too large.
const largest = 1 << 24

func (m Model) check() error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"Blocks", m.Blocks}, {"Hidden", m.Hidden}, {"Intermediate", m.Intermediate},
		{"Heads", m.Heads}, {"KVHeads", m.KVHeads}, {"Vocabulary", m.Vocabulary},
	} {
		if f.value < 1 || f.value > largest {
			return &configError{"Model." + f.name, f.value, "1…2^24"}
		}
	}
	if m.Hidden%m.Heads != 0 {
		return &configError{"Model.Hidden", m.Hidden, fmt.Sprintf("a multiple of %d heads", m.Heads)}
	}
	if m.Heads%m.KVHeads != 0 {
		return &configError{"Model.KVHeads", m.KVHeads, fmt.Sprintf("a divisor of %d heads", m.Heads)}
	}
	return nil
}

// A product is one matrix multiplication of a model: an out × in matrix in the weight
// buffer, times inputs for rows tokens.
type product struct {
	name      string
	count     int // how often the model has it
	out, in   int
	inputs    int // columns of the input that is fetched
	rows      int // rows of the input and of the output
	attention bool
	macs      float64 // multiply-accumulates of one, by its mathematical definition
}

// products lists the multiplications of one pass of t over m: every linear
// layer, lm_head among them, and the two attention products.
func (m Model) products(t Task, perHead bool) []product {
	var ps []product
	linear := func(name string, count, out, in int) {
		ps = append(ps, product{
			name: name, count: count, out: out, in: in, inputs: in, rows: t.Tokens,
			macs: float64(out) * float64(in) * float64(t.Tokens),
		})
	}
	head := m.Hidden / m.Heads
	kv := head * m.KVHeads
	linear("attn.q", m.Blocks, m.Hidden, m.Hidden)
	linear("attn.k", m.Blocks, kv, m.Hidden)
	linear("attn.v", m.Blocks, kv, m.Hidden)
	linear("attn.out", m.Blocks, m.Hidden, m.Hidden)
	if m.Gated {
		linear("mlp.gate", m.Blocks, m.Intermediate, m.Hidden)
	}
	linear("mlp.up", m.Blocks, m.Intermediate, m.Hidden)
	linear("mlp.down", m.Blocks, m.Hidden, m.Intermediate)
	linear("lm_head", 1, m.Vocabulary, m.Hidden)
	scores := product{name: "attn.scores", attention: true}
	values := product{name: "attn.values", attention: true}
	if perHead {
		// Keys and values of each head are in the weight buffer, and the queries that
		// share them are the inputs.
		q := t.Tokens * (m.Heads / m.KVHeads)
		scores.count, scores.out, scores.in, scores.inputs, scores.rows = m.Blocks*m.KVHeads, t.Context, head, head, q
		values.count, values.out, values.in, values.inputs, values.rows = m.Blocks*m.KVHeads, head, t.Context, t.Context, q
	} else {
		scores.count, scores.out, scores.in, scores.inputs, scores.rows = m.Blocks, t.Tokens, m.Hidden, kv, m.Heads*t.Tokens
		values.count, values.out, values.in, values.inputs, values.rows = m.Blocks, m.Heads*t.Tokens, t.Context, kv, t.Tokens
	}
	macs := float64(t.Tokens) * float64(t.Context) * float64(m.Hidden)
	scores.macs = macs * float64(m.Blocks) / float64(scores.count)
	values.macs = macs * float64(m.Blocks) / float64(values.count)
	return append(ps, scores, values)
}
