package llm

var smolLM3Family = family{
	tied: true,
	read: func(k *keys, c *Config) {
		k.decoder(c)
		k.attentionBias(c)
		k.mlpBias(c)
		c.Activation = k.activation("hidden_act", "silu")
		k.rope(c, ropeDefaults{theta: 2e6})
		// Only layers without positions may have a window.
		var rotates []int
		interval := k.integer("no_rope_layer_interval", 4)
		if !k.get("no_rope_layers", &rotates) || rotates == nil {
			for i := range min(max(c.Layers, 0), maxLayers) {
				rotates = append(rotates, 1)
				if interval > 0 && (i+1)%interval == 0 {
					rotates[i] = 0
				}
			}
		}
		if len(rotates) != c.Layers {
			k.fail("%s has %d numbers for %d layers", k.name("no_rope_layers"), len(rotates), c.Layers)
			return
		}
		window := k.window(0)
		if !k.boolean("use_sliding_window", false) {
			window = 0
		}
		c.perLayer(k, func(i int, l *LayerConfig) {
			if rotates[i] == 0 {
				l.Rotation = Unrotated
			}
		})
		k.layerTypes(c, window, func(i int) bool { return rotates[i] == 0 })
	},
	harmless: []string{"max_window_layers"},
}
