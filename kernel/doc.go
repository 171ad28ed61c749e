// Package kernel multiplies a [quant.Matrix] by vectors, straight from its packed
// form: GEMV for one token, GEMM for many.
//
//	var a kernel.Activation
//	err := a.Load(x)             // once for x
//	err = kernel.GEMV(q, wq, &a) // q = wq·x, for every matrix that multiplies x
//	err = kernel.GEMV(k, wk, &a)
//
//	pool, err := kernel.NewPool(0)             // once for a model; 0: all processors
//	batch := make([]kernel.Activation, tokens) // xs has their vectors, one after the other
//	err = kernel.LoadBatch(batch, xs, (*kernel.Activation).Load)
//	err = pool.GEMM(qs, wq, batch)
//
// The inner loops are assembly where the processor has the instructions, and portable
// Go otherwise, or with the build tag purego; see [Implementation]. The result is the
// same to the last bit for all of them, for any number of threads and any division into
// rows.
//
// # What it costs
//
// Load takes some 0.15 µs per thousand columns with AVX2, Load16 0.45 µs, LoadFloat
// 0.05 µs. An Activation takes 1.5 bytes a column after Load, 7 after Load16, and 4
// after LoadFloat. It allocates only when a vector is longer than any before. Apart
// from that, only [NewPool] allocates.
//
// A product after Load16 multiplies two vectors. It takes twice as long as after Load if
// weights come from the cache, and less if they come from memory.
//
// GEMV reads the weights once, and at best that is its limit. docs/speed.md has tables
// of all implementations, types and groups. In short, for one thread and weights from
// the cache, from fast to slow:
//
//	3 and 4 bits, groups of 128·n columns
//	groups of 16, 32 and 64 columns; MX and NV types; 2 bits;
//	5 to 8 bits with AVX-512                                     half as fast
//	other types after Load, and other groups of 16·n columns;
//	other types after LoadFloat, and other groups of
//	4·n columns                                                  a quarter
//	int8_asym, fp5_e3m1 and fp6_e3m2 after Load                  an eighth
//	other groups                                                 a hundredth
//
// The portable loops look up the sums of the terms of two weights in tables. A call makes
// the tables for every 1024 rows, and they take 120 KiB of stack. That makes calls for few
// rows slower: 256 rows take 1.4 times as long each, and 64 rows 2.7 times. Codes of 3 and
// 4 bits go this way, in groups of a multiple of 128 columns, or of 16, 32 or 64 columns,
// which take twice as long. All other matrices are decoded weight by weight, which takes
// eight times as long.
//
// A matrix with rows of several types takes as long as its parts, and some nanoseconds
// more for each part and row.
//
// GEMM unpacks weights once for all activations of a batch, if they are in the same
// mode and if that is faster for their number: in integer mode for all types
// and groups of 16·n columns, in float mode for all types and groups of 4·n columns.
// Otherwise, and in portable code, it runs a GEMV for each. Each goroutine that
// multiplies takes half a megabyte for panels from a pool. In float mode it takes one
// and a half megabytes, and up to 96 activations of a batch are copied.
//
// # What may be shared
//
// A Matrix, a loaded Activation, and a [Pool] may be used by any number of goroutines at
// the same time. The workers of a Pool serve one call at a time: large calls wait for
// each other, and small calls run without workers instead of waiting.
//
// # What 8-bit activations lose
//
// The table has the root mean square of the error relative to the root mean square of the
// product, measured on 4096 columns of normal weights as bitmod4. For comparison, bitmod4
// itself loses 0.10 of the product of the original weights.
//
//	activations                           group 16   32     64     128    256
//	normal                                0.008      0.006  0.006  0.006  0.007
//	1 in 100 is ten times as large        0.016      0.017  0.017  0.016  0.018
//	4 columns are a hundred times so      0.025      0.023  0.023  0.022  0.022
//
// The group size hardly matters, as blocks of activations do not depend on it. An
// outlier costs precision only in its own block.
//
// With nf4, whose values are rounded to 127ths, 0.006 becomes 0.008.
//
// With 16 bits, each of these errors is less than a hundredth as large. With nf4 all
// three are 0.006, the cost of rounding its values.
//
// # What is computed
//
// The rest of this comment defines every bit of a result. Weights come from the left,
// once, and activations from the right, for each token. Both are cut into the same
// blocks of 128 columns.
//
//	w []float32                                   x []float32
//	     │ group     package group                     │ load
//	     │ pack      internal/pack                     │
//	quant.Matrix                                  Activation
//	     codes       ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒  a row           q  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒  int8
//	     selectors   │ 0 │ 2 │ 1 │ 0 │ a group         d  │ d │ d │ d │ d │  a block
//	     scales      │ k │ k │ k │ k │ a group         │
//	     row scales  s                 a row           │
//	     └───────────── tile ──────────────────────────┘
//	                     │ dot       Σ n·q of a block's groups, int32
//	                     │ rescale   · k, added; · d, into lane b mod 4
//	                     │ finish    the lanes added; · s · unit
//	                 dst []float32
//
// # Integer mode
//
// [Activation.Load] cuts x into blocks of 128 consecutive columns, the first of
// which starts at column 0, whatever the group size of the matrix is. A block
// with the largest magnitude amax has the scale d and the integers q, with
// float32(…) marking every rounding:
//
//	d = float32(amax / 127)
//	q = round half to even(float32(x · float32(127 / amax)))
//
// and d = q = 0 if amax is below 2^−120. A code of the matrix also stands for an
// integer n: its value is n · [datatype.Type.Unit]. The scale k of its group is an
// integer 0…255. The values of nf3, nf4, sf3 and sf4 have no unit: for them it is
// float32(1/127), and n is rounded half to even. The sum of a block
//
//	I = Σ k · Σ n·q    over the groups that have columns in the block
//	                   the inner sum over these columns
//
// is below 2^31 for every type and is exact. Blocks b = 0, 1, 2, … are added in
// four lanes, and these in a tree:
//
//	acc[b mod 4] += float32(float32(I) · d)
//	sum = float32(acc[0] + acc[2]) + float32(acc[1] + acc[3])
//	dst = float32(sum · float32(s · unit))
//
// where s is the scale of the row ([quant.Matrix.RowScale]). For types whose
// scales are not integers, MX and NV, float32(I) is instead the sum of
// float32(float32(Σ n·q) · k) over the groups from left to right, rounded at each
// step.
//
// # Integer mode with 16 bits
//
// [Activation.Load16] loads two vectors: x, as Load does, and its remainder after
// rounding,
//
//	r = fma(−d, q, x)
//
// where fma(a, b, c) = a·b + c is rounded once, and d and q belong to x. Let high and low
// be the products of the two vectors in integer mode. Then
//
//	dst = float32(high + low)
//
// # Float mode
//
// After [Activation.LoadFloat] a row has 32 lanes. Lane l has columns 4l … 4l+3 of
// every block of 128 columns. With fma as above, which processors with vector
// instructions compute directly, for blocks from left to right, and for groups with
// columns of a lane in a block, from left to right,
//
//	t = 0
//	t = fma(n, x, t)    for these columns, from left to right
//	acc[l] = fma(t, k, acc[l])
//
// and the 32 are added in a tree: acc[l] + acc[l+16] for l below 16, then l+8, l+4,
// l+2 and l+1. dst is the sum times float32(s · unit), rounded.
//
// For nf3, nf4, sf3 and sf4, n is the value itself and the unit 1.
//
// In integer mode no other product is fused with a sum. Only sums beyond the range of
// float32 give NaN, which may be any NaN.
//
// [Reference] computes all this with one term of the bit-serial representation, and one
// bit of a scale, at a time.
package kernel

// For those who change the package, these are the steps of the diagram above, each with
// the file to read, in this order:
//
//	group    choose codebook and scale, round      group/selector.go, scale.go
//	pack     a row of codes into strips            quant/group.go, internal/pack/pack.go
//	load     int8 or float32, in blocks            activation.go
//	         two vectors of int8 for 16 bits       activation_16.go
//	tile     check; a matrix as a plan of tables   gemv.go, check.go, tables.go
//	         a few rows at a time: integerRows,    gemv_amd64.go, gemv_arm64.go,
//	         floatRows                             pairs_rows.go
//	dot      codes → values → products → sums      gemv_generic.go: integerRow, floatRow;
//	rescale  times k and d, into lanes               the same in avx2_steps_amd64.s, …
//	finish   lanes in a tree, times s · unit       gemv_generic.go: finish, finishFloat
//
// gemv_generic.go multiplies any type and group size, and the last columns of rows that
// other loops leave. The other files are for some matrices, and faster:
//
//	loop.go                the table that assigns one of the following to a matrix
//	fours_amd64.go         with AVX-512: four rows and four blocks at a time, of any
//	                       width, from internal/loops. Scales for 16, 32, 64 or 128
//	                       columns, 128 times a power of two, or a row, and
//	                       scales of MX and NV types
//	tails_amd64.go         the columns of their rows after a multiple of 512
//	*_steps_*              without AVX-512: scales for 128 columns or a multiple, codes of up
//	                       to 4 bits, and of int8: four blocks at a time
//	*_groups_*, *_mx_*     groups of 16, 32 or 64 columns, and MX and NV types;
//	                       grouprows_amd64.go multiplies the columns after a multiple of 512
//	panel.go, heads_*      all other types, groups and widths, the columns after a
//	                       multiple of 512, and batches: 64 rows at a time, from
//	                       package internal/loops
//	panel_wide.go          the same for integers beyond a byte, in two panels
//	panel_float.go         the same for float mode
//	runs*.go, *_decode_*,  float mode: codes to values
//	*_runs_*
//	*_float*               float mode
//	parts.go               a matrix with rows of several types: one part at a time
//	*_load_*               Activation's methods
//	*_asm.go               what architectures have in common that have assembly
//	pairs*.go              portable: sums of pairs of columns, looked up
//
// pool.go divides rows among goroutines, reference.go is the definition term by term,
// and implementation.go has the contract for the code of a processor.
