// Package tokenizer reads the tokenizer.json of a model and turns text into the
// numbers of tokens that Hugging Face's package tokenizers gives, and back.
//
// A text goes through these stages, each of which is a component that the file names:
//
//   - added tokens are taken out where they occur ([Tokenizer.Encode], added.go);
//   - the normalizers change what is between them (normalize*.go);
//   - the pre-tokenizers take it apart (pretokenize*.go);
//   - the model turns each part into tokens (model_*.go);
//   - the post-processor says what goes around the text (process.go).
//
// Decoders (decode*.go) make text of tokens. A component is a file of this package
// and a line in its table: normalizers, preTokenizers, models, processors or decoders.
//
// Files come from strangers. What a text costs is bounded by the text and the file:
// regular expressions take time linear in the text (package regex), merging n·log n,
// looking for pieces and added tokens the length of the longest for each byte, which
// is bounded; a text that normalizers blow up is an error.
package tokenizer
