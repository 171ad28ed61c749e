// Package llm runs language models in plain Go: decoders of the families that family.go
// lists, from Llama to gpt-oss, with a key-value cache. The example programs share it;
// it is not part of the library's API.
//
// One forward pass serves all families. A [Config] describes it: the places of norms,
// the rotations, and the layers with windows or experts. A family, in family_NAME.go,
// maps config.json to a Config and the engine's names of tensors to those of files. An
// unknown key of config.json or an unknown tensor is an error, as it may change the
// results of the model.
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
// A [Calibration] has statistics of a model that reads some text: the Hessians of the
// inputs of its matrices and, by [Gradients], the sensitivity of the loss to each of
// their outputs. With it a [Recipe] quantizes by importance, with error feedback, with
// scales of channels, and to rows of 3, 4 or 8 bits.
//
//	c := llm.NewCalibration(ctx, m, texts)
//	q, err := c.Quantize(llm.Recipe{Quantizer: llm.Quantizer{Config: config}, Feedback: calibrate.GPTQ().Feedback})
//
// # Rounding
//
// Every result is the same bits however many goroutines compute it, and however a text is
// cut into calls of [Runner.Forward]. A product with float32 weights is summed up from the
// first column to the last by fused multiply-adds, each rounded once to float32. A product
// with quantized weights is what package kernel defines.
package llm
