// Package calibrate quantizes the matrices of a model by their inputs while the model
// reads some text.
//
// An engine that reads texts layer by layer is a [Network]. [NewSequential] makes it a
// calibrator for a plan of package checkpoint. It quantizes one layer after the other,
// each by the inputs that the quantized layers before it give:
//
//	texts, err := calibrate.Sample(tokens, before, after, 32, 512, seed)
//	plan, err := checkpoint.NewPlan(source, checkpoint.Options{
//		Config:     quant.Config{Type: datatype.BitMoD3, Search: true},
//		Calibrator: calibrate.NewSequential(network(texts), calibrate.GPTQ()),
//	})
//	result, err := plan.Run(ctx, "RESULT", checkpoint.RunOptions{})
//
// [Statistics] gather the inputs of tensors, by name, from any other engine. They can be
// kept in a file. Importance matrices of llama.cpp can be read as Statistics. [NewStatic]
// quantizes all matrices by them, independently of one another.
package calibrate
