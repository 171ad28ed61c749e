package llm

import "slices"

var qwen3MoeFamily = family{
	read: func(k *keys, c *Config) {
		k.decoder(c)
		c.QueryKey = HeadNorm
		k.attentionBias(c)
		c.Activation = k.activation("hidden_act", "silu")
		k.rope(c, ropeDefaults{theta: 10000})
		if k.boolean("use_sliding_window", false) {
			k.windowEverywhere(c, 4096)
		} else {
			k.window(0)
		}
		c.Experts = k.integer("num_experts", k.integer("num_local_experts", 128))
		c.TopK = k.integer("num_experts_per_tok", 8)
		c.ExpertHidden = k.integer("moe_intermediate_size", 768)
		c.NormTopK = k.boolean("norm_topk_prob", false)
		step := k.integer("decoder_sparse_step", 1)
		var dense []int
		k.get("mlp_only_layers", &dense)
		if step < 1 {
			k.fail("%s is %d, want a positive number", k.name("decoder_sparse_step"), step)
			return
		}
		if step > 1 || len(dense) > 0 {
			c.perLayer(k, func(i int, l *LayerConfig) { l.Dense = (i+1)%step != 0 || slices.Contains(dense, i) })
		}
	},
	harmless: []string{"max_window_layers", "shared_expert_intermediate_size"},
	locate:   expertLocation,
}
