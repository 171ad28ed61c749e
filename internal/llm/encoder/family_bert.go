package encoder

// bertNames are the names of BERT, and of most later models.
var bertNames = names{
	words: "embeddings.word_embeddings", positions: "embeddings.position_embeddings", types: "embeddings.token_type_embeddings",
	embedNorm: "embeddings.LayerNorm",
	layer:     "encoder.layer.%d.",
	query:     "attention.self.query", key: "attention.self.key", value: "attention.self.value", output: "attention.output.dense",
	attentionNorm: "attention.output.LayerNorm",
	up:            "intermediate.dense", down: "output.dense",
	feedForwardNorm: "output.LayerNorm",
}

var bertKeys = keys{
	dim: "hidden_size", hidden: "intermediate_size", layers: "num_hidden_layers", heads: "num_attention_heads", vocab: "vocab_size",
	positions: "max_position_embeddings", types: "type_vocab_size", eps: "layer_norm_eps", activation: "hidden_act",
}

var bert = family{
	models:   []string{"bert"},
	prefixes: []string{"bert."},
	names:    bertNames,
	keys:     bertKeys,
	eps:      1e-12,
	unused:   []string{"pooler.", "cls.", "classifier.", "qa_outputs."},
}
