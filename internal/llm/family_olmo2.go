package llm

var olmo2Family = family{
	read: func(k *keys, c *Config) {
		k.decoder(c)
		c.NormEps = k.number("rms_norm_eps", 1e-5)
		c.Norms = NormsAfter
		c.QueryKey = WideNorm
		k.attentionBias(c)
		c.Activation = k.activation("hidden_act", "silu")
		k.rope(c, ropeDefaults{theta: 10000})
	},
}
