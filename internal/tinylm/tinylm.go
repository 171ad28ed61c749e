// Package tinylm holds a small trained language model, whose weights the
// examples and tests quantize. README.md is its model card.
package tinylm

import (
	"embed"
	"io/fs"
)

//go:embed model.safetensors config.json
var files embed.FS

// FS returns the model as a Hugging Face directory: weights in bfloat16, under the
// names of LlamaForCausalLM, and config.json. Tokens are bytes; byte 0 begins a
// document.
func FS() fs.FS { return files }
