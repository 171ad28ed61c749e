package encoder

// mpnet is RoBERTa without types of tokens, and with a bias of attention by distance.
var mpnet = family{
	models:   []string{"mpnet"},
	prefixes: []string{"mpnet."},
	names: names{
		words: "embeddings.word_embeddings", positions: "embeddings.position_embeddings", embedNorm: "embeddings.LayerNorm",
		relative: "encoder.relative_attention_bias",
		layer:    "encoder.layer.%d.",
		query:    "attention.attn.q", key: "attention.attn.k", value: "attention.attn.v", output: "attention.attn.o",
		attentionNorm: "attention.LayerNorm",
		up:            "intermediate.dense", down: "output.dense",
		feedForwardNorm: "output.LayerNorm",
	},
	keys: func() keys {
		k := bertKeys
		k.types, k.buckets = "", "relative_attention_num_buckets"
		return k
	}(),
	afterPadding: true,
	eps:          1e-12,
	padding:      1,
	unused:       roberta.unused,
}
