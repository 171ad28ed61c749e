// Package encoder runs BERT and similar models. They turn a text into a vector for each
// of its tokens, and one for the whole text.
//
// A [File] is a model that is open, through quant/checkpoint: a Hugging Face directory,
// a GGUF file, or a result whose matrices are packed and used as they are. A [Model] is
// read from it and is immutable; a [Runner] computes with a model. There is one forward
// pass. The differences between models are in families, a file for each.
//
//	f, err := encoder.OpenFile("all-MiniLM-L6-v2")
//	m, err := f.Load(encoder.Options{Quantize: &quant.Config{}, Activations: llm.Int8})
//	p, err := f.Pipeline()
//	r := encoder.NewRunner(m, 2)
//	err = r.Forward(texts...)           // tokens of any number of texts
//	err = p.Pool(vector, r.Hidden(0))   // the vector of the first
//
// Texts of all lengths go side by side, without padding, through each matrix, and every
// text on its own through attention. The result for a text depends only on that text,
// bit for bit, whatever other texts and however many goroutines there are.
package encoder
