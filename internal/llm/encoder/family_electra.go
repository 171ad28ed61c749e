package encoder

// electra is BERT whose embeddings may have a width of their own.
var electra = family{
	models:   []string{"electra"},
	prefixes: []string{"electra."},
	names: func() names {
		n := bertNames
		n.project = "embeddings_project"
		return n
	}(),
	keys: func() keys {
		k := bertKeys
		k.embedding = "embedding_size"
		return k
	}(),
	eps:    1e-12,
	unused: []string{"discriminator_predictions.", "generator_predictions.", "generator_lm_head.", "classifier.", "qa_outputs."},
}
