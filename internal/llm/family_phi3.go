package llm

var phi3Family = family{
	read: func(k *keys, c *Config) {
		k.decoder(c)
		c.Context = k.integer("max_position_embeddings", 4096)
		c.NormEps = k.number("rms_norm_eps", 1e-5)
		c.Activation = k.activation("hidden_act", "silu")
		d := ropeDefaults{theta: 10000, partial: true, longRoPE: true}
		d.context = k.integer("original_max_position_embeddings", 4096)
		k.rope(c, d)
		k.windowEverywhere(c, 0)
		must(k, "full_attn_mod", 1)
		must(k, "interpolate_factor", 1)
	},
	locate: func(c *Config, _ tensorFiles, n tensorName) location {
		// The matrices of one input are one below the other.
		q, kv := c.qDim(), c.kvDim()
		qkv, gateUp := []int{q + 2*kv, c.Dim}, []int{2 * c.Hidden, c.Dim}
		first := map[string]int{kindNames[Query]: 0, kindNames[Key]: q, kindNames[Value]: q + kv, kindNames[Gate]: 0, kindNames[Up]: c.Hidden}
		l := llamaLocation(n)
		switch n.part {
		case kindNames[Query], kindNames[Key], kindNames[Value]:
			l = inLayer(n, "self_attn.qkv_proj.weight")
			l.shape = qkv
		case kindNames[Gate], kindNames[Up]:
			l = inLayer(n, "mlp.gate_up_proj.weight")
			l.shape = gateUp
		}
		l.first = first[n.part]
		return l
	},
}
