package llm

import (
	"fmt"
)

// A family is what models of one model_type have in common: how config.json describes
// them, and what their files call the tensors.
type family struct {
	// read reads the keys of config.json that say what a model computes.
	read func(k *keys, c *Config)
	// harmless are keys that change no result, besides those that all families have.
	harmless []string
	// tied is transformers' default of tie_word_embeddings.
	tied bool
	// locate says where a tensor is, nil if all are where [llamaLocation] says.
	locate func(c *Config, f tensorFiles, n tensorName) location
	// buffer reports whether a tensor holds what the engine computes itself.
	buffer func(name string) bool
}

// families are all of them, by model_type.
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

// A location says where in the files of a model a tensor, or a part of one, is.
type location struct {
	name string
	// shape is that of the whole tensor, outputs before inputs; nil if the part is all
	// of it, and has one dimension if it is a vector.
	shape []int
	// first is the row, over all dimensions but the last, at which the part begins, or
	// the element of a vector.
	first int
	// inOut tensors have their last two dimensions exchanged, as floats; packed ones are
	// like any other.
	inOut bool
}

// place returns the location of a tensor of its own.
func (family *family) place(c *Config, f tensorFiles, n tensorName) location {
	if family.locate != nil {
		return family.locate(c, f, n)
	}
	return llamaLocation(n)
}

// llamaLocation is where most families have a tensor, under Hugging Face's names.
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

// inLayer returns the location of a tensor of a layer that Hugging Face calls something
// else.
func inLayer(n tensorName, format string, args ...any) location {
	return location{name: fmt.Sprintf("model.layers.%d.", n.layer) + fmt.Sprintf(format, args...)}
}
