package loops

// RowArgs point at packed codes of rows (see package pack) and a vector to multiply
// them by. The functions take four rows at a time, and four blocks of 128 columns of
// each: a step. The columns after the last whole step of a row are its tail. For a row
// and the columns of a block the functions compute
//
//	S = Σ (value − Offset)·q    over the columns of a group
//	I = Σ scale·S               over the groups of the block
//	lane[b%4] += float32(I)·D   for each block b, in order
//	Dst = ((lane[0] + lane[2]) + (lane[1] + lane[3])) · (RowScales·Unit)
//
// where every operation on floats is rounded. Scales that are not integers are
// multiplied by float32(S), and these products are added one after the other.
//
// A value of 7 or 8 bits is the code itself. Other values are bytes of Table:
//
//   - If groups have 128 columns or more, or 64 columns and selectors of 2 bits, or if
//     codes of 3 bits have no selectors, Table has 64 bytes for each of up to 16 selectors,
//     indexed by the code and repeated. For codes of 3 bits, as many bytes follow, indexed
//     by six bits of which the higher three are the code.
//   - If groups have 32 columns and selectors of 2 bits, Table has 64 bytes for each two
//     selectors: 16 of the first twice, then 16 of the second twice.
//   - Otherwise Table has 64 bytes, indexed by the code and the selector above it, and
//     repeated.
//
// For groups of 16, 32 or 64 columns, selectors of 4 bits are zero-points: the value is
// the code less the selector.
type RowArgs struct {
	Dst       *float32 // 4·Fours
	Codes     *byte
	Scales    *byte
	Selectors *byte // anything, if there are none
	RowScales *float32
	Fours     int // four rows at a time, at least 1

	// The distances from row to row. RowScaleStride is in bytes, from four rows to the
	// next four.
	CodeStride, ScaleStride, SelectorStride, RowScaleStride int
	// The distances from the end of the fourth row of a step to the first row of the next
	// step: the bytes of a step less four strides. With groups of 128 columns or more,
	// scales do not move, and selectors move only in functions for 2 bits a block.
	CodeBack, ScaleBack, SelectorBack int

	Table  *byte
	Unit   float32
	Offset int32

	Q     *int8
	Sums  *byte    // 16·Σ q: int16 for every 16 columns, or int32 for every block if groups are that large
	D     *float32 // by block; all three as long as whole steps, with zeros after the last column
	Steps int      // whole ones, may be 0
	Ahead int      // how far ahead of the loads codes are prefetched to the second-level cache

	// For groups of 128 columns or more, BlockShift is the binary logarithm of the
	// blocks in a group, and large for a whole row. With selectors of 2 bits it is −1
	// for groups of 64 columns and −2 for groups of 32.
	BlockShift   int
	SelectorBits int
	SelectorMask int    // of a selector, times 16
	SelectorAt   [4]int // the place of a block's selector among the selectors of a step

	Spread *RowSpread
	// Ones for the bytes of scales and selectors of a step, and of the tail.
	StepScales, TailScales       int
	StepSelectors, TailSelectors int

	// The tail has these chunks: with 3 bits, TailWide of height 32 and TailWhole of
	// height 16; with 4 and 6 bits, TailWhole of height 64; with 3 and 4 bits, TailLast
	// of 64 columns. The rest goes by parts, one for each field of a code for every 64
	// columns.
	TailHalves int // 64 columns each, of all of the tail
	TailWide   int
	TailWhole  int
	TailLast   int
	TailParts  *RowPart
}

// A RowSpread has the places of selectors and scales for the columns of a step.
type RowSpread struct {
	// For each of 64 consecutive columns, the distance in bits from the code to the
	// selector, modulo 64, which moves the selector above the code. If selectors are
	// zero-points, the first 32 bytes have the bit at which the selector of each group
	// begins in its half of the step's selectors.
	Selectors [8][64]byte
	// The lowest byte of each word has the index of a scale, and the others 63: by
	// quarters of halves of blocks, and in these by block. Halves follow one another;
	// for groups of 32 columns with powers of two, the first has groups instead of
	// quarters. For larger groups, each quarter has the indices for VPSHUFB, by block.
	Scales [2][64]byte
}

// A RowPart has the places of one field of the codes of 64 columns in 64 bytes of a
// row: its byte, its first bit within the 8 bytes around its place, and its bits.
type RowPart struct {
	Mask               uint64 // ones for the bytes that are there
	Offset             int    // of the first, from the tail on
	Index, Shift, Keep [64]byte
}

// The kinds of scales: RowsCoarse are integers for 128 columns or more, RowsFine
// integers for 16, 32 or 64, RowsE8M0 powers of two for 32, and RowsE4M3 small floats
// for 16.
const (
	RowsCoarse = iota
	RowsFine
	RowsE8M0
	RowsE4M3
)

// HasRows reports whether there is a function for codes and selectors of these numbers
// of bits. Selectors of 4 bits of fine groups are subtracted from codes.
func HasRows(bits, scale, selectorBits int) bool {
	switch {
	case scale >= RowsE8M0:
		return bits == 4 && selectorBits <= 2
	case scale == RowsFine && selectorBits > 2:
		return bits <= 4 && selectorBits == 4
	case selectorBits > 0:
		return bits == 3 || bits == 4
	}
	return bits >= 3 && bits <= 8
}
