package llm

var qwen3Family = family{
	read: func(k *keys, c *Config) {
		k.decoder(c)
		c.HeadDim = k.integer("head_dim", 128)
		c.QueryKey = HeadNorm
		k.attentionBias(c)
		c.Activation = k.activation("hidden_act", "silu")
		k.rope(c, ropeDefaults{theta: 10000})
		k.windowFromLayer(c)
	},
}
