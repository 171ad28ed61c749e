// Package bbs prunes INT8 weights to fewer bits and multiplies by them bit column by
// bit column: bidirectional bit sparsity (BBS, arXiv 2409.05227). The hardware of
// BitMoD can run it, too.
//
//	m, err := bbs.Compress(weights, cols, scales, bbs.Moderate())
//	stats, err := m.GEMV(dst, x)
//
// The bits of one significance in some weights are a column. At most half of its bits
// are ones, or at most half are zeros. As Σ over ones of x = Σ x − Σ over zeros of x, a
// processing element need only work on the rarer kind. Here it is the element of
// package serial, whose four lanes take a column of 8 weights in a cycle.
//
// # Storage
//
// 32 consecutive weights of a row are a group (the last of a row may be shorter).
// Some of its 8 bit columns are left out: first those that repeat the sign, then
// the lowest. With Columns = 4, and one that repeats the sign:
//
//	bit        7     6     5     4     3     2     1     0
//	weight 0   s     s     ▒     ▒     ▒     ·     ·     ·
//	weight 1   s     s     ▒     ▒     ▒     ·     ·     ·
//	 ⋮
//	weight 31  s     s     ▒     ▒     ▒     ·     ·     ·
//	           │     └───────kept──────┘     └────┬──────┘
//	           redundant                      a constant
//
//	┌────────────────────────┬────────┬────────┬────────┬────────┐
//	│ constant·4 + redundant │ bit 6  │ bit 5  │ bit 4  │ bit 3  │  weight i is bit i%8
//	│ 1 byte                 │ 4 bytes│ 4 bytes│ 4 bytes│ 4 bytes│  of byte i/8
//	└────────────────────────┴────────┴────────┴────────┴────────┘
//
// The constant replaces the lowest bits of all 32 weights. A pruned weight is
// kept·2^low + constant ([RoundedAveraging], constant 0…63) or kept·2^low − constant
// ([ZeroPointShifting], −32…31), with low = Columns − redundant. Sensitive rows keep
// all 8 columns and have no byte before them; one bit for each row marks them.
//
// # What it saves
//
// Of the bits of trained INT8 weights (a speech model, DTLN), 50.5 % are zeros. 64.6 % can
// be skipped in columns of 8 weights, and 58.1 % in columns of 32; half is guaranteed.
// [Conservative] and [Moderate] make these weights 1.29× and 1.63× smaller in bit columns.
// The paper has 1.29× and 1.66×, which are exactly the figures where 10 % and 20 % of
// the channels are multiples of 32. With the metadata, which the paper's figures leave
// out, they are 1.24× and 1.57× smaller.
package bbs
