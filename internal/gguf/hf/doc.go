// Package hf converts GGUF files of known families to Hugging Face models: tensors
// under their original names and in their original order, config.json, tokenizer.json
// and other files.
//
// A family is a value of type family: a table of names, a list of keys, and constants
// of its configuration. [Convert] matches the files against it. Anything that a family
// does not account for makes the model unknown, with the reason, because a wrong model
// is worse than none.
package hf
