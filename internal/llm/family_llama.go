package llm

var llamaFamily = family{
	read: func(k *keys, c *Config) {
		k.decoder(c)
		k.attentionBias(c)
		k.mlpBias(c)
		c.Activation = k.activation("hidden_act", "silu")
		k.rope(c, ropeDefaults{theta: 10000})
	},
}
