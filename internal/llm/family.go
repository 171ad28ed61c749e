package llm

import (
	"fmt"
)

// A family describes the models of one model_type: their config.json, and the names of
// their tensors.
type family struct {
	// read reads the keys of config.json that affect results.
	read func(k *keys, c *Config)
	// harmless are keys that change no result, besides those that all families have.
	harmless []string
	// tied is transformers' default of tie_word_embeddings.
	tied bool
	// locate returns the location of a tensor. If it is nil, [llamaLocation] does.
	locate func(c *Config, f tensorFiles, n tensorName) location
	// buffer reports whether a tensor holds values that the engine computes itself.
	buffer func(name string) bool
}

// families returns all families, by model_type.
func families() map[string]*family {
	return map[string]*family{
		"gemma2":      &gemma2Family,
		"gemma3_text": &gemma3Family,
		"gpt2":        &gpt2Family,
		"gpt_oss":     &gptOSSFamily,
		"llama":       &llamaFamily,
		"mistral":     &mistralFamily,
		"mixtral":     &mixtralFamily,
		"olmo2":       &olmo2Family,
		"phi3":        &phi3Family,
		"qwen2":       &qwen2Family,
		"qwen3":       &qwen3Family,
		"qwen3_moe":   &qwen3MoeFamily,
		"smollm3":     &smolLM3Family,
	}
}

func familyOf(modelType string) (*family, bool) {
	f, ok := families()[modelType]
	return f, ok
}

// tensorFiles reports whether the files of a model have a tensor.
type tensorFiles func(name string) bool

// A location is the place of a tensor, or of a part of one, in the files of a model.
type location struct {
	name string
	// shape is the shape of the whole tensor, outputs before inputs, with one dimension
	// for a vector. It is nil if the part is the whole tensor.
	shape []int
	// first is the row, over all dimensions but the last, at which the part begins, or
	// the element of a vector.
	first int
	// inOut tensors of floats have their last two dimensions exchanged. Packed tensors do
	// not.
	inOut bool
}

// place returns the location of a tensor of its own.
func (family *family) place(c *Config, f tensorFiles, n tensorName) location {
	if family.locate != nil {
		return family.locate(c, f, n)
	}
	return llamaLocation(n)
}

// llamaLocation returns the location of a tensor in most families, under Hugging Face's
// names.
func llamaLocation(n tensorName) location {
	name := n.String()
	if n.part != kindNames[Classifier] {
		name = "model." + name
	}
	if !n.bias {
		name += ".weight"
	}
	return location{name: name}
}

// inLayer returns the location of a tensor of a layer with another name in Hugging
// Face's files.
func inLayer(n tensorName, format string, args ...any) location {
	return location{name: fmt.Sprintf("model.layers.%d.", n.layer) + fmt.Sprintf(format, args...)}
}
