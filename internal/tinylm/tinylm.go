// Package tinylm holds a small trained language model, whose weights the
// examples and tests quantize. README.md is its model card.
package tinylm

import (
	_ "embed"
	"strings"

	"github.com/bitmod-go/bitmod/internal/safetensors"
)

var (
	//go:embed model.safetensors
	model string
	//go:embed config.json
	config string
)

// Open returns the model's weights: bfloat16, under the names of Hugging Face's
// LlamaForCausalLM.
func Open() (*safetensors.File, error) {
	return safetensors.New(strings.NewReader(model), int64(len(model)))
}

// Config returns the model's config.json, in the form of Hugging Face's
// LlamaConfig. Tokens are bytes; byte 0 begins a document.
func Config() string { return config }
