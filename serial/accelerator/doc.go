// Package accelerator tells what a language model costs on an accelerator, in
// cycles and energy, layer by layer, before the accelerator is built. Its rules are
// those of the BitMoD paper's simulator (arXiv 2411.11745, section V), and it has the
// paper's five designs, six models and two tasks.
//
//	DRAM                    buffers                     array
//	DRAMBits a cycle        512 KiB each                Cols ▶
//	                                                  ┌──────────────┐
//	weights  ────────────▶  weight buffer  ────────▶  │ PE  PE  PE … │  a PE takes Lanes
//	inputs   ────────────▶  input buffer   ────────▶  │ PE  PE  PE   │  weights and inputs
//	outputs  ◀────────────  input buffer   ◀────────  │ …     ▼ Rows │  at a time
//	                                                  └──────────────┘
//
// A row of the array works on an output channel, a column on a token. In attention
// keys and values, or queries, take the place of weights. A [Design] is the array, a
// [System] what is around it, a [Model] and a [Task] are what runs, of the paper or
// your own. [Simulate] gives their [Report]: for each kind of [Layer] the cycles of the
// array and those of the memory, of which the larger counts. [Evaluate] compares
// the paper's designs.
//
// # What the paper has
//
// The cycles are those of the paper's simulator, to the cycle, for all six models
// on all five designs. BitMoD's speedups, lossless over FP16 and lossy over the
// others:
//
//	             discriminative   generative      overall
//	over FP16    1.989 (1.99)     2.408 (2.41)    2.198
//	over ANT     1.723 (1.72)     1.660 (1.66)    1.691 (1.69)
//	over OliVe   1.560 (1.56)     1.388 (1.39)    1.474 (1.48)
//
// in parentheses the paper's. Its 1.48 is the mean of the rounded 1.56 and 1.39.
// In its energy figures, 2.31, 1.48 and 1.31, rounded numbers are divided by
// each other; with all digits they are 2.31, 1.48 and 1.32.
//
// With attention counted head by head ([System.PerHeadAttention]) instead of by
// the simulator's convention, the overall speedups are 2.26, 1.73 and 1.49.
package accelerator
