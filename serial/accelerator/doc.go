// Package accelerator estimates the cycles and the energy of a language model on an
// accelerator, layer by layer. It follows the simulator of the BitMoD paper (arXiv
// 2411.11745, section V), and has the paper's five designs, six models and two tasks.
//
//	DRAM                    buffers                     array
//	DRAMBits a cycle        512 KiB each                Cols ▶
//	                                                  ┌──────────────┐
//	weights  ────────────▶  weight buffer  ────────▶  │ PE  PE  PE … │  a PE takes Lanes
//	inputs   ────────────▶  input buffer   ────────▶  │ PE  PE  PE   │  weights and inputs
//	outputs  ◀────────────  input buffer   ◀────────  │ …     ▼ Rows │  at a time
//	                                                  └──────────────┘
//
// A row of the array works on an output channel, a column on a token. In attention,
// keys and values, or queries, take the place of weights. A [Design] is the array, a
// [System] has the buffers and the memory, and a [Model] does a [Task], those of the
// paper or your own. [Simulate] returns a [Report]: for each kind of [Layer] the cycles
// of the array and of the memory, of which the larger counts. [Evaluate] compares the
// paper's designs.
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
// The paper's figures are in parentheses. Its 1.48 is the mean of the rounded 1.56 and
// 1.39. Its energy figures, 2.31, 1.48 and 1.31, are quotients of rounded numbers; with
// all digits they are 2.31, 1.48 and 1.32.
//
// With attention counted head by head ([System.PerHeadAttention]) instead of by
// the simulator's convention, the overall speedups are 2.26, 1.73 and 1.49.
package accelerator
