package encoder

// distilbert is BERT without types of tokens, under other names.
var distilbert = family{
	models:   []string{"distilbert"},
	prefixes: []string{"distilbert."},
	names: names{
		words: "embeddings.word_embeddings", positions: "embeddings.position_embeddings", embedNorm: "embeddings.LayerNorm",
		layer: "transformer.layer.%d.",
		query: "attention.q_lin", key: "attention.k_lin", value: "attention.v_lin", output: "attention.out_lin",
		attentionNorm: "sa_layer_norm",
		up:            "ffn.lin1", down: "ffn.lin2",
		feedForwardNorm: "output_layer_norm",
	},
	keys: keys{
		dim: "dim", hidden: "hidden_dim", layers: "n_layers", heads: "n_heads", vocab: "vocab_size",
		positions: "max_position_embeddings", activation: "activation",
	},
	eps: 1e-12,
	// Sinusoidal positions are in the file, too.
	ignored: []string{"dropout", "attention_dropout", "qa_dropout", "seq_classif_dropout", "sinusoidal_pos_embds", "tie_weights_"},
	unused:  []string{"vocab_transform.", "vocab_layer_norm.", "vocab_projector.", "pre_classifier.", "classifier.", "qa_outputs."},
}
