package llm

import "math"

var gemma2Family = family{
	tied: true,
	read: func(k *keys, c *Config) {
		k.gemma(c)
		c.Context = k.integer("max_position_embeddings", 8192)
		c.AttentionCap = k.orNone("attn_logit_softcapping", 50)
		c.LogitCap = k.orNone("final_logit_softcapping", 30)
		k.rope(c, ropeDefaults{theta: 10000})
		k.layerTypes(c, k.window(4096), func(i int) bool { return i%2 == 0 })
	},
	harmless: []string{"hidden_act"}, // hidden_activation counts
}

// gemma reads the keys that all versions of Gemma have.
func (k *keys) gemma(c *Config) {
	k.decoder(c)
	c.HeadDim = k.integer("head_dim", 256)
	c.Norms = NormsAround
	c.NormPlusOne = true
	k.attentionBias(c)
	c.Activation = k.activation("hidden_activation", "gelu_pytorch_tanh")
	c.EmbeddingScale = math.Sqrt(float64(c.Dim))
	c.QueryScale = k.number("query_pre_attn_scalar", 256)
	if c.QueryScale <= 0 {
		k.fail("%s is %v, want a positive number", k.name("query_pre_attn_scalar"), c.QueryScale)
	}
	must(k, "use_bidirectional_attention", false)
}

// orNone reads a number that is 0 if the key is null, and def if it is not there.
func (k *keys) orNone(key string, def float64) float64 {
	if v, ok := k.values[key]; ok && isNothing(v) {
		def = 0
	}
	return k.number(key, def)
}
