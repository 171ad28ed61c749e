// Package quant quantizes weights to 2…8 bits and holds them packed.
//
//	m, err := quant.Group(weights, cols, quant.Config{}) // bitmod4, groups of 128
//
// weights is a row-major rows × cols matrix: a row is an output channel, a
// column an input channel. Each row is cut into groups of consecutive columns
// that share a scale and a codebook; see package group for how they are chosen.
// The [Matrix] is what package kernel multiplies by, without another copy.
//
//	            ┌──── group 0 ────┬──── group 1 ────┬─ … ─┐
//	row 0       │ codes           │ codes           │     │  one float32 step
//	            │ scale, selector │ scale, selector │     │
//	row 1       │ …               │                 │     │  one float32 step
//
// # Beyond the paper
//
// The zero [Config] chooses as the BitMoD paper does. Three options choose better, at
// the same size and in the same format, so that readers of a matrix need not know of
// them:
//
//	Search      codes rounded against the stored scale, and scales searched for as
//	            ggml's k-quants do, with errors of large weights counting more
//	Importance  squared errors weighted by column, in selection and in search
//	Feedback    GPTQ (arXiv 2210.17323): the columns that follow compensate each
//	            column's error; then, if asked, sweeps improve all codes again
//
// Importance and Feedback need calibration: a [Hessian] of the layer's inputs while the
// model reads some text. Search and Feedback together are best for the outputs of a
// layer. The plain error of weights, which [Measure] returns, says little about
// outputs: feedback raises it.
//
// # A weight from a Matrix
//
// The weight at (row, col) is, with g = col / GroupSize,
//
//	float32(q·k) · s
//
// rounded to float32 at the marked places and nowhere else, where
//
//	q  is the value of the code in the group's codebook:
//	   Type().Codebooks()[selector].Value(code)
//	k  is Type().Scale().Value(scale byte): 0…255 for most types
//	s  is the row's float32 step; for NVFP4 types one float32 for the tensor,
//	   and 1 for MX types
//
// # Storage
//
// [Matrix.Storage] gives the parts. Nothing is shared between rows, so that the
// parts of a block of rows are consecutive bytes.
//
//	RowScales   float32 per row (RowStep), one (E4M3) or none (E8M0)
//	Scales      a byte per group:  row 0: g0 g1 g2 …   row 1: g0 g1 g2 …
//	Selectors   Type().SelectorBits() = b bits per group, 0, 1, 2, 4 or 8; a
//	            row takes ceil(groups·b/8) bytes, group g bits (g·b)%8 … +b−1 of
//	            byte g·b/8 of its row; bits left over are 0
//	Codes       RowBytes per row, as follows
//
// # Codes of a row
//
// Codes are stored so that whole vectors of consecutive columns come out of a
// vector load with shifts alone. S strips of columns are laid over one another,
// where S is the least number of codes that fill whole bytes, N:
//
//	bits  2  3  4  5  6  7  8
//	S     4  8  2  8  4  8  1
//	N     1  3  1  5  3  7  1
//
// A row is a sequence of chunks. While n columns are left, the next chunk has
// height h = 64 if n ≥ 64·S, else 32 if n ≥ 32·S, else 16 if n ≥ 16·S, else
// ceil(n/S), and takes the next min(n, S·h) columns. A chunk is N·h bytes. Strip
// s of the chunk holds its columns s·h … s·h+h−1, one at each position p in 0…h−1
// (columns beyond the last are code 0), and the S codes at position p,
// c0 … c(S−1), are in the N bytes at p, h+p, 2h+p, …, called B0, B1, …:
//
//	         bit  7   6   5   4   3   2   1   0
//	2 bits   B0  [  c3  ][  c2  ][  c1  ][  c0  ]
//
//	4 bits   B0  [      c1      ][      c0      ]
//
//	8 bits   B0  [              c0              ]
//
//	3 bits   B0  [c6 1,0][    c1    ][    c0    ]   c6 1,0: bits 1 and 0 of c6
//	         B1  [c7 1,0][    c3    ][    c2    ]
//	         B2  [c7][c6][    c5    ][    c4    ]   c7, c6: bit 2 of each
//
//	5 bits   B0  [  c1 3…0      ][  c0 3…0      ]   B1: c3 c2, B2: c5 c4, B3: c7 c6
//	         B4  [c7][c6][c5][c4][c3][c2][c1][c0]   bit 4 of each
//
//	6 bits   B0  [  c1 3…0      ][  c0 3…0      ]   B1: c3 c2
//	         B2  [c3 5,4][c2 5,4][c1 5,4][c0 5,4]
//
//	7 bits   B0  [  c1 3…0      ][  c0 3…0      ]   B1: c3 c2, B2: c5 c4, B3: c7 c6
//	         B4  [c3 5,4][c2 5,4][c1 5,4][c0 5,4]   B5: c7 … c4
//	         B6  [c7][c6][c5][c4][c3][c2][c1][c0]   bit 6 of each
//
// The layout of codes does not depend on the group size.
//
// On Linux, codes of 4 MiB and more are in memory for which large pages are requested
// (MADV_HUGEPAGE): where the system grants them, reading is up to twice as fast. Matrices
// can also use the memory of a caller, such as a mapped file ([Storage]).
//
// # Rows of several types
//
// [GroupMixed] and [NewMixed] make a Matrix in which each row has a type and a group
// size of its own, so that the rows that matter most may have more bits than the others
// ([Allot] chooses them). It consists of parts, each a Matrix of one type with the
// storage above, in the order of their first rows:
//
//	        order                    part 0, bitmod3      part 1, int8
//	row 0   0  ─────────────────────▶ row 0 …
//	row 1   1  ───────────────────────────────────────────▶ row 0 …
//	row 2   0  ─────────────────────▶ row 1 …
//	row 3   0  ─────────────────────▶ row 2 …
//
// [Matrix.Order] is a byte per row, and [Matrix.RowPart] finds a row in its part. No
// two parts have the same type, group size and (NV types) tensor scale.
//
// # Binary form
//
// [Matrix.AppendBinary] writes, all little-endian:
//
//	offset  size
//	0       8     "BITMOD\r\n"
//	8       4     version, 1
//	12      4     group size
//	16      16    name of the type, padded with zero bytes
//	32      8     rows
//	40      8     columns
//	48            RowScales, Scales, Selectors, Codes, with no padding
//	end−4   4     CRC-32C (Castagnoli) of all bytes before it
//
// and if there are several parts, n of them
//
//	0       8     "BITMOD\r\n"
//	8       4     version, 2
//	12      4     n, 2 to 256
//	16      8     rows
//	24      8     columns
//	32      20·n  for each part its group size (4) and the name of its type (16)
//	        rows  the part of each row
//	              for each part RowScales, Scales, Selectors, Codes
//	end−4   4     CRC-32C of all bytes before it
//
// The encoding is canonical: equal matrices have equal bytes, and nothing else decodes.
package quant
