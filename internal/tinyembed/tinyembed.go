// Package tinyembed holds a small trained BERT that makes embeddings of sentences, which
// examples/embed and tests quantize. README.md is its model card.
package tinyembed

import (
	"embed"
	"io/fs"
)

//go:embed model.safetensors *.json 1_Pooling/config.json
var files embed.FS

// FS returns the model as a directory of sentence-transformers: weights in bfloat16, a
// WordPiece tokenizer, the mean of all tokens, normalized.
func FS() fs.FS { return files }
