package llm

var gemma3Family = family{
	tied: true,
	read: func(k *keys, c *Config) {
		k.gemma(c)
		c.Context = k.integer("max_position_embeddings", 131072)
		c.QueryKey = HeadNorm
		c.LogitCap = k.orNone("final_logit_softcapping", 0)
		pattern := k.integer("sliding_window_pattern", 6)
		if pattern < 1 {
			k.fail("%s is %d, want a positive number", k.name("sliding_window_pattern"), pattern)
			return
		}
		k.gemmaRopes(c)
		k.layerTypes(c, k.window(4096), func(i int) bool { return (i+1)%pattern != 0 })
		// Layers with a window have rotations of their own.
		for i := range c.PerLayer {
			if c.PerLayer[i].Window > 0 {
				c.PerLayer[i].Rotation = Local
			}
		}
	},
	harmless: []string{"hidden_act", "_sliding_window_pattern"}, // layer_types says it, too
}

// gemmaRopes reads the rotations of both kinds of layers.
func (k *keys) gemmaRopes(c *Config) {
	global, local := Rope{Theta: k.number("rope_theta", 1e6)}, Rope{Theta: k.number("rope_local_base_freq", 10000)}
	if o := k.object("rope_scaling"); o != nil {
		o.scaling(&global, c, ropeDefaults{})
	}
	if both := k.object("rope_parameters"); both != nil {
		if o := both.object("full_attention"); o != nil {
			o.scaling(&global, c, ropeDefaults{})
		}
		if o := both.object("sliding_attention"); o != nil {
			o.scaling(&local, c, ropeDefaults{})
		}
	}
	c.Rope, c.LocalRope = global, &local
}
