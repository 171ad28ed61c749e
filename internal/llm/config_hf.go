package llm

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
)

// An hfModel has the members of Hugging Face's config.json that are not in Config.
type hfModel struct {
	Tied   bool // the classifier is the embedding
	Untied bool // config.json says that it is not
	family *family
}

// parseHF reads a config.json. It ignores quantization, as package checkpoint reads the
// weights as floats or packed matrices, or refuses them.
func parseHF(data []byte) (Config, *hfModel, error) {
	fail := func(format string, args ...any) (Config, *hfModel, error) {
		return Config{}, nil, formatErrorf("config.json: "+format, args...)
	}
	k, err := parseKeys(data)
	if err != nil {
		return fail("%v", err)
	}
	kind := k.word("model_type", "")
	f, ok := familyOf(kind)
	if !ok {
		return fail("model_type is %q, want one of %q", kind, familyNames())
	}
	c := Config{BOS: 1} // transformers' default
	k.get("bos_token_id", &c.BOS)
	k.get("eos_token_id", (*ints)(&c.EOS))
	f.read(k, &c)
	h := &hfModel{Tied: k.boolean("tie_word_embeddings", f.tied), family: f}
	h.Untied = !h.Tied && k.values["tie_word_embeddings"] != nil
	if err := k.checkRead(harmless, f.harmless); err != nil {
		return fail("%v", err)
	}
	if err := c.check(); err != nil {
		return fail("%v", err)
	}
	return c, h, nil
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

// decoder reads the keys that nearly all families have, with the defaults that they
// share.
func (k *keys) decoder(c *Config) {
	c.Dim = k.integer("hidden_size", 0)
	c.Hidden = k.integer("intermediate_size", 0)
	c.Layers = k.integer("num_hidden_layers", 0)
	c.Heads = k.integer("num_attention_heads", 0)
	c.KVHeads = k.integer("num_key_value_heads", c.Heads)
	c.Vocab = k.integer("vocab_size", 0)
	c.Context = k.integer("max_position_embeddings", 2048)
	c.NormEps = k.number("rms_norm_eps", 1e-6)
	if !k.get("head_dim", &c.HeadDim) && c.Heads > 0 {
		if c.Dim%c.Heads != 0 {
			k.fail("hidden_size %d is not a multiple of %d heads, and there is no head_dim", c.Dim, c.Heads)
		}
		c.HeadDim = c.Dim / c.Heads
	}
}

// activation reads the name of the function in feed-forward networks.
func (k *keys) activation(key, def string) Activation {
	switch name := k.word(key, def); name {
	case "silu", "swish":
		return SiLU
	case "gelu_pytorch_tanh", "gelu_new":
		return GELUTanh
	default:
		k.fail("%s is %q, want silu, gelu_pytorch_tanh or gelu_new", k.name(key), name)
		return 0
	}
}

// attentionBias and mlpBias read whether matrices of attention, and of the feed-forward
// network, have biases.
func (k *keys) attentionBias(c *Config) {
	b := k.boolean("attention_bias", false)
	c.Bias[Query], c.Bias[Key], c.Bias[Value], c.Bias[Output] = b, b, b, b
}

func (k *keys) mlpBias(c *Config) {
	b := k.boolean("mlp_bias", false)
	c.Bias[Gate], c.Bias[Up], c.Bias[Down] = b, b, b
}

// windowEverywhere reads a sliding_window that all layers have; def is 0 for none.
func (k *keys) windowEverywhere(c *Config, def int) {
	w := k.window(def)
	if _, ok := k.values["sliding_window"]; ok && isNothing(k.values["sliding_window"]) {
		w = 0
	}
	if w > 0 && w < c.Context {
		c.perLayer(k, func(int, *LayerConfig) {})
		for i := range c.PerLayer {
			c.PerLayer[i].Window = w
		}
	}
}

// window reads sliding_window.
func (k *keys) window(def int) int {
	w := k.integer("sliding_window", def)
	if w < 0 || w > maxContext {
		k.fail("%s is %d, want 0 to %d", k.name("sliding_window"), w, maxContext)
		return 0
	}
	return w
}

// perLayer calls f to set what differs in each layer.
func (c *Config) perLayer(k *keys, f func(i int, l *LayerConfig)) {
	if c.PerLayer == nil {
		if c.Layers < 1 || c.Layers > maxLayers {
			k.fail("number of layers is %d, want 1 to %d", c.Layers, maxLayers)
			return
		}
		c.PerLayer = make([]LayerConfig, c.Layers)
	}
	for i := range c.PerLayer {
		f(i, &c.PerLayer[i])
	}
}

// layerTypes reads layer_types, which says for each layer whether it has a window. If
// it is absent, sliding decides.
func (k *keys) layerTypes(c *Config, window int, sliding func(i int) bool) {
	var types []string
	listed := k.get("layer_types", &types)
	if listed && len(types) != c.Layers {
		k.fail("%s has %d names for %d layers", k.name("layer_types"), len(types), c.Layers)
		return
	}
	c.perLayer(k, func(i int, l *LayerConfig) {
		slides := false
		switch {
		case !listed:
			slides = sliding(i)
		case types[i] == "sliding_attention":
			slides = true
		case types[i] != "full_attention":
			k.fail("%s has %q, want full_attention or sliding_attention", k.name("layer_types"), types[i])
		}
		if slides && window > 0 {
			l.Window = window
		}
	})
	if !slices.ContainsFunc(c.PerLayer, func(l LayerConfig) bool { return l != (LayerConfig{}) }) {
		c.PerLayer = nil
	}
}

// ropeDefaults are a family's defaults for config.json.
type ropeDefaults struct {
	theta    float64
	partial  bool // partial_rotary_factor is read
	longRoPE bool // all scaling is LongRoPE, whatever old files call it
	context  int  // original_max_position_embeddings beside the object, 0 for none
}

// rope reads the rotations of all layers.
func (k *keys) rope(c *Config, d ropeDefaults) {
	// Since version 5 of transformers all is in rope_parameters.
	o := k.object("rope_parameters")
	old := k.object("rope_scaling")
	if o == nil {
		o = old
	}
	r := Rope{Theta: k.number("rope_theta", d.theta)}
	share := 1.0
	if d.partial {
		share = k.number("partial_rotary_factor", 1)
		if o != nil {
			share = o.number("partial_rotary_factor", share)
		}
	}
	if o != nil {
		o.scaling(&r, c, d)
	}
	k.partial(&r, c, share)
	c.Rope = r
}

// partial sets the share of a head that rotates.
func (k *keys) partial(r *Rope, c *Config, share float64) {
	switch {
	case !(share > 0 && share <= 1):
		k.fail("%s is %v, want more than 0 and at most 1", k.name("partial_rotary_factor"), share)
	case share < 1:
		if r.Dim = int(float64(c.HeadDim) * share); r.Dim == 0 {
			k.fail("%s is %v, which leaves nothing of a head of %d", k.name("partial_rotary_factor"), share, c.HeadDim)
		}
	}
}

// scaling reads an object of rotations into r.
func (o *keys) scaling(r *Rope, c *Config, d ropeDefaults) {
	r.Theta = o.number("rope_theta", r.Theta)
	kind := o.word("rope_type", o.word("type", "default"))
	o.read["type"] = true
	if d.longRoPE && (kind == "su" || kind == "yarn") {
		kind = "longrope"
	}
	original := func() int {
		n := o.integer("original_max_position_embeddings", c.Context)
		if d.context != 0 {
			n = d.context
		}
		return n
	}
	s := &RopeScaling{}
	switch kind {
	case "default":
		return
	case "linear":
		s.Factor = o.number("factor", 0)
	case "dynamic":
		*s = RopeScaling{Kind: ScaleDynamic, Factor: o.number("factor", 0), OriginalContext: c.Context}
		if f := float64(c.Context) * s.Factor; f > float64(c.Context) && f <= maxContext {
			c.Context = int(f)
		}
	case "llama3":
		*s = RopeScaling{
			Kind: ScaleLlama3, Factor: o.number("factor", 0), OriginalContext: o.integer("original_max_position_embeddings", c.Context),
			LowFreqFactor: o.number("low_freq_factor", 0), HighFreqFactor: o.number("high_freq_factor", 0),
		}
	case "yarn":
		*s = RopeScaling{
			Kind: ScaleYaRN, OriginalContext: original(),
			BetaFast: o.number("beta_fast", 32), BetaSlow: o.number("beta_slow", 1), Rounded: o.boolean("truncate", true),
		}
		s.Factor = o.number("factor", float64(c.Context)/float64(max(s.OriginalContext, 1)))
		// Models that are stretched by hand often leave max_position_embeddings as it was.
		if f := float64(s.OriginalContext) * s.Factor; f > float64(c.Context) && f <= maxContext {
			c.Context = int(f)
		}
		m, all := o.number("mscale", 0), o.number("mscale_all_dim", 0)
		s.Magnitude = yarnMagnitude(s.Factor, 1)
		if m != 0 && all != 0 {
			s.Magnitude = yarnMagnitude(s.Factor, m) / yarnMagnitude(s.Factor, all)
		}
		s.Magnitude = o.number("attention_factor", s.Magnitude)
	case "longrope":
		*s = RopeScaling{Kind: ScaleLongRoPE, OriginalContext: original()}
		o.get("short_factor", &s.Short)
		o.get("long_factor", &s.Long)
		factor := o.number("factor", float64(c.Context)/float64(max(s.OriginalContext, 1)))
		s.Magnitude = 1
		if factor > 1 {
			s.Magnitude = math.Sqrt(1 + math.Log(factor)/math.Log(float64(s.OriginalContext)))
		}
		s.Magnitude = o.number("attention_factor", s.Magnitude)
	default:
		o.fail("rope scaling %q is not supported, want linear, dynamic, llama3, yarn or longrope", kind)
	}
	r.Scaling = s
}

func yarnMagnitude(factor, scale float64) float64 {
	if factor <= 1 {
		return 1
	}
	return 0.1*scale*math.Log(factor) + 1
}

// familyNames returns the values of model_type that are known.
func familyNames() []string { return slices.Sorted(maps.Keys(families())) }
