package encoder

// roberta is BERT whose positions begin after the padding token.
var roberta = family{
	models:       []string{"roberta", "xlm-roberta", "camembert"},
	prefixes:     []string{"roberta."},
	names:        bertNames,
	keys:         bertKeys,
	afterPadding: true,
	eps:          1e-12,
	padding:      1,
	unused:       []string{"pooler.", "lm_head.", "classifier.", "qa_outputs."},
}

// robertaPreNorm normalizes before it multiplies.
var robertaPreNorm = family{
	models:   []string{"roberta-prelayernorm"},
	prefixes: []string{"roberta_prelayernorm."},
	names: func() names {
		n := bertNames
		n.attentionNorm, n.feedForwardNorm, n.lastNorm = "attention.LayerNorm", "intermediate.LayerNorm", "LayerNorm"
		return n
	}(),
	keys:         bertKeys,
	afterPadding: true,
	preNorm:      true,
	eps:          1e-12,
	padding:      1,
	unused:       roberta.unused,
}
