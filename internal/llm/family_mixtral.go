package llm

var mixtralFamily = family{
	read: func(k *keys, c *Config) {
		k.decoder(c)
		c.Context = k.integer("max_position_embeddings", 131072)
		c.NormEps = k.number("rms_norm_eps", 1e-5)
		c.Activation = k.activation("hidden_act", "silu")
		c.Experts = k.integer("num_local_experts", 8)
		c.TopK = k.integer("num_experts_per_tok", 2)
		c.ExpertHidden = c.Hidden
		c.NormTopK = true
		k.rope(c, ropeDefaults{theta: 1e6})
		k.windowEverywhere(c, 0)
	},
	locate: func(c *Config, has tensorFiles, n tensorName) location {
		if n.layer >= 0 && has(inLayer(n, "mlp.gate.weight").name) {
			return expertLocation(c, has, n)
		}
		parts := map[string]string{"gate_proj": "w1", "down_proj": "w2", "up_proj": "w3"}
		switch {
		case n.part == routerPart:
			return inLayer(n, "block_sparse_moe.gate.weight")
		case n.expert >= 0:
			return inLayer(n, "block_sparse_moe.experts.%d.%s.weight", n.expert, parts[n.part])
		}
		return llamaLocation(n)
	},
}

// expertLocation returns the location of experts and routers in most families. Each
// matrix of an expert is a tensor, or the matrices of all experts are one, with gate
// and up together.
func expertLocation(c *Config, has tensorFiles, n tensorName) location {
	const gateUp, down = "mlp.experts.gate_up_proj", "mlp.experts.down_proj"
	switch {
	case n.part == routerPart:
		return inLayer(n, "mlp.gate.weight")
	case n.expert < 0 || !has(inLayer(n, gateUp).name):
		return llamaLocation(n)
	case n.part == "down_proj":
		l := inLayer(n, down)
		l.shape, l.first = []int{c.Experts, c.Dim, c.ExpertHidden}, n.expert*c.Dim
		return l
	}
	l := inLayer(n, gateUp)
	l.shape, l.first = []int{c.Experts, 2 * c.ExpertHidden, c.Dim}, n.expert*2*c.ExpertHidden
	if n.part == "up_proj" {
		l.first += c.ExpertHidden
	}
	return l
}
