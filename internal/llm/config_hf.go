package llm

import (
	"bytes"
	"encoding/json"
	"slices"
)

// hfConfig is what we read of Hugging Face's config.json. Pointers are for fields
// whose absence means something else than zero.
type hfConfig struct {
	ModelType     string  `json:"model_type"`
	Dim           int     `json:"hidden_size"`
	Hidden        int     `json:"intermediate_size"`
	Layers        int     `json:"num_hidden_layers"`
	Heads         int     `json:"num_attention_heads"`
	KVHeads       *int    `json:"num_key_value_heads"`
	HeadDim       *int    `json:"head_dim"`
	Vocab         int     `json:"vocab_size"`
	Context       int     `json:"max_position_embeddings"`
	NormEps       float64 `json:"rms_norm_eps"`
	Tied          bool    `json:"tie_word_embeddings"`
	Activation    string  `json:"hidden_act"`
	AttentionBias bool    `json:"attention_bias"`
	MLPBias       bool    `json:"mlp_bias"`
	SlidingWindow *int    `json:"sliding_window"`
	BOS           *int    `json:"bos_token_id"`
	EOS           ints    `json:"eos_token_id"`

	RopeTheta   *float64 `json:"rope_theta"`
	RopeScaling *hfRope  `json:"rope_scaling"`
	// Since version 5 of transformers both are in here.
	RopeParameters *hfRope `json:"rope_parameters"`
}

type hfRope struct {
	Type     string   `json:"rope_type"`
	OldType  string   `json:"type"`
	Theta    *float64 `json:"rope_theta"`
	Factor   float64  `json:"factor"`
	Low      float64  `json:"low_freq_factor"`
	High     float64  `json:"high_freq_factor"`
	Original int      `json:"original_max_position_embeddings"`
}

// ints is a list of integers in JSON, or one, or null.
type ints []int

func (s *ints) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] != '[' {
		var one *int
		if err := json.Unmarshal(b, &one); err != nil || one == nil {
			return err
		}
		*s = ints{*one}
		return nil
	}
	return json.Unmarshal(b, (*[]int)(s))
}

// llamaTypes are the model types whose network is exactly Llama's, as long as no
// field we check asks for more.
var llamaTypes = []string{"llama", "mistral"}

// parseHF reads a config.json. What it says of quantization is not for the engine:
// package checkpoint reads the weights as floats, or as packed matrices, or refuses
// them.
func parseHF(data []byte) (Config, *hfConfig, error) {
	fail := func(format string, args ...any) (Config, *hfConfig, error) {
		return Config{}, nil, formatErrorf("config.json: "+format, args...)
	}
	h := &hfConfig{Activation: "silu", NormEps: 1e-6, Context: 2048}
	if err := json.Unmarshal(data, h); err != nil {
		return fail("%v", err)
	}
	switch {
	case !slices.Contains(llamaTypes, h.ModelType):
		return fail("model_type is %q, want one of %q", h.ModelType, llamaTypes)
	case h.Activation != "silu":
		return fail("hidden_act is %q, want silu", h.Activation)
	case h.AttentionBias || h.MLPBias:
		return fail("biases are not supported")
	case h.SlidingWindow != nil && *h.SlidingWindow < h.Context:
		// Within the window, attention is the same as everyone's.
		h.Context = *h.SlidingWindow
	}
	c := Config{
		Dim: h.Dim, Hidden: h.Hidden, Layers: h.Layers, Heads: h.Heads, KVHeads: h.Heads,
		Vocab: h.Vocab, Context: h.Context, NormEps: h.NormEps,
		Rope: Rope{Theta: 10000},
		BOS:  1, EOS: h.EOS, // 1 is transformers' default
	}
	if h.KVHeads != nil {
		c.KVHeads = *h.KVHeads
	}
	if h.HeadDim != nil {
		c.HeadDim = *h.HeadDim
	} else if h.Heads > 0 {
		if h.Dim%h.Heads != 0 {
			return fail("hidden_size %d is not a multiple of %d heads, and there is no head_dim", h.Dim, h.Heads)
		}
		c.HeadDim = h.Dim / h.Heads
	}
	if h.BOS != nil {
		c.BOS = *h.BOS
	}
	if err := h.rope(&c.Rope); err != nil {
		return fail("%v", err)
	}
	if err := c.check(); err != nil {
		return fail("%v", err)
	}
	return c, h, nil
}

func (h *hfConfig) rope(r *Rope) error {
	p := h.RopeParameters
	if p == nil {
		p = h.RopeScaling
	}
	if h.RopeTheta != nil {
		r.Theta = *h.RopeTheta
	}
	if p == nil {
		return nil
	}
	if p.Theta != nil {
		r.Theta = *p.Theta
	}
	name := p.Type
	if name == "" {
		name = p.OldType
	}
	switch name {
	case "", "default":
	case "linear":
		r.Scaling = &RopeScaling{Factor: p.Factor}
	case "llama3":
		if p.Original < 1 {
			return formatErrorf("original_max_position_embeddings of llama3 rope scaling is %d, want a positive number", p.Original)
		}
		r.Scaling = &RopeScaling{Factor: p.Factor, LowFreqFactor: p.Low, HighFreqFactor: p.High, OriginalContext: p.Original}
	default:
		return formatErrorf("rope scaling %q is not supported, want linear or llama3", name)
	}
	return nil
}
