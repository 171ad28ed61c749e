// Package calibrate quantizes the matrices of a model by what they are multiplied by
// while the model reads some text.
//
// An engine that reads texts layer by layer is a [Network]. [NewSequential] makes of it
// what a plan of package checkpoint quantizes with, one layer after the other, each by
// what it gets from those before as they were quantized:
//
//	texts, err := calibrate.Sample(tokens, before, after, 32, 512, seed)
//	plan, err := checkpoint.NewPlan(source, checkpoint.Options{
//		Config:     quant.Config{Type: datatype.BitMoD3, Search: true},
//		Calibrator: calibrate.NewSequential(network(texts), calibrate.GPTQ()),
//	})
//	result, err := plan.Run(ctx, "RESULT", checkpoint.RunOptions{})
//
// [Statistics] gather what any other engine shows, by the names of tensors, and keep it in
// a file; those of llama.cpp's importance matrices are read, too. [NewStatic] has all
// matrices quantized by them, whatever became of the others.
package calibrate
