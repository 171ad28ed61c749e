package llm

var gptOSSFamily = family{
	read: func(k *keys, c *Config) {
		k.decoder(c)
		c.HeadDim = k.integer("head_dim", 64)
		c.Context = k.integer("max_position_embeddings", 131072)
		c.NormEps = k.number("rms_norm_eps", 1e-5)
		bias := k.boolean("attention_bias", true)
		c.Bias[Query], c.Bias[Key], c.Bias[Value], c.Bias[Output] = bias, bias, bias, bias
		c.Sinks = true
		must(k, "hidden_act", "silu") // bounded as follows
		must(k, "swiglu_alpha", clampAlpha)
		must(k, "swiglu_limit", float64(clampLimit))
		c.Activation = ClampedSwiGLU
		c.Experts = k.integer("num_local_experts", k.integer("num_experts", 128))
		c.TopK = k.integer("num_experts_per_tok", k.integer("experts_per_token", 4))
		c.ExpertHidden = c.Hidden
		c.NormTopK, c.ExpertBias, c.Interleaved = true, true, true
		k.rope(c, ropeDefaults{theta: 150000})
		if k.values["rope_parameters"] == nil && k.values["rope_scaling"] == nil {
			c.Rope.Scaling = &RopeScaling{Kind: ScaleYaRN, Factor: 32, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1, Magnitude: yarnMagnitude(32, 1)}
		}
		k.layerTypes(c, k.window(128), func(i int) bool { return i%2 == 0 })
	},
	harmless: []string{"initial_context_length"}, // rope_scaling says it, too
	locate: func(c *Config, _ tensorFiles, n tensorName) location {
		switch {
		case n.part == sinksPart:
			return inLayer(n, "%s", sinksPart)
		case n.expert < 0:
			return llamaLocation(n)
		}
		// Experts are [experts, in, out], and their names end in no "weight".
		l, in, out := inLayer(n, "mlp.experts.gate_up_proj"), c.Dim, 2*c.ExpertHidden
		if n.part == "down_proj" {
			l, in, out = inLayer(n, "mlp.experts.down_proj"), c.ExpertHidden, c.Dim
		}
		if n.bias {
			l.name += "_bias"
			l.shape, l.first = []int{c.Experts, out}, n.expert
			return l
		}
		l.shape, l.first, l.inOut = []int{c.Experts, out, in}, n.expert*out, true
		return l
	},
}
