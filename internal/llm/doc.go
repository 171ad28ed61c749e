// Package llm runs language models in plain Go: decoders of the families that
// family.go lists, from Llama to gpt-oss, with a key-value cache. It is what the example
// programs share, not part of the library's API.
//
// One forward pass serves all families. A [Config] describes what it does: where norms are,
// what rotates, which layers have windows or experts. A family, in family_NAME.go, maps
// config.json to a Config and the engine's names of tensors to those of files. What a
// family does not know, a key of config.json or a tensor, is an error: it may change what
// the model computes.
//
// A [File] is what [OpenFile] opens: a Hugging Face directory, a GGUF file or a result of
// quant/checkpoint, all through that package, or a file of llama2.c. A [Model] is read
// from it, or by [Load], and is immutable. Its matrices are [Linear]s:
// float32 as loaded, or whatever [Model.Replace] or [Options] puts in their place,
// such as a quant.Matrix. A [Runner] computes with a model; a [Sequence] is the
// state of one text, its key-value cache.
//
//	m, err := llm.Load("stories260K.bin", llm.Options{})
//	q, err := m.Replace(llm.Quantizer{Config: quant.Config{Type: datatype.BitMoD3}}.Make)
//	r := llm.NewRunner(q, 2)
//	s, err := q.NewSequence(llm.KV{})
//	err = r.Forward(llm.Chunk{s, tokens})    // any number of texts at once
//	err = r.Logits(logits, len(tokens)-1, len(tokens))
//
// A [Calibration] has what a model does with some text: the Hessians of the inputs of
// its matrices and, by [Gradients], how much the loss feels each of their outputs. With
// it a [Recipe] quantizes by more than the weights: importance, error feedback, scales
// of channels, and rows of 3, 4 or 8 bits.
//
//	c := llm.NewCalibration(ctx, m, texts)
//	q, err := c.Quantize(llm.Recipe{Quantizer: llm.Quantizer{Config: config}, Feedback: true})
//
// # Rounding
//
// Every result is the same bits however many goroutines compute it, and however
// a text is cut into calls of [Runner.Forward]: a dense product is summed up from
// the first column to the last, with every product and every sum rounded to
// float32, and a quantized one as package kernel defines it.
package llm
