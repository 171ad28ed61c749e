// Package hf turns what GGUF files of a known family hold into the model that
// Hugging Face has of it: tensors under its names and in its order, config.json,
// tokenizer.json and what else belongs to it.
//
// A family is a value of type family: a table of names, a list of keys, and what
// its configuration says always. [Convert] matches the files against it. All
// that a family does not account for makes the model unknown, with the reason:
// it is better not to know a model than to know a wrong one.
package hf
