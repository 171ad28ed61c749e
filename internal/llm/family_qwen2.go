package llm

var qwen2Family = family{
	read: func(k *keys, c *Config) {
		k.decoder(c)
		c.Bias[Query], c.Bias[Key], c.Bias[Value] = true, true, true
		c.Activation = k.activation("hidden_act", "silu")
		k.rope(c, ropeDefaults{theta: 10000})
		k.windowFromLayer(c)
	},
}

// windowFromLayer reads the windows of Qwen, which layers from max_window_layers on have if
// use_sliding_window says so.
func (k *keys) windowFromLayer(c *Config) {
	from := k.integer("max_window_layers", 28)
	window := k.window(4096)
	if !k.boolean("use_sliding_window", false) {
		window = 0
	}
	k.layerTypes(c, window, func(i int) bool { return i >= from })
}
