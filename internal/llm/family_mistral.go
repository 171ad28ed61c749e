package llm

var mistralFamily = family{
	read: func(k *keys, c *Config) {
		k.decoder(c)
		c.Activation = k.activation("hidden_act", "silu")
		k.rope(c, ropeDefaults{theta: 10000})
		k.windowEverywhere(c, 4096)
	},
}
