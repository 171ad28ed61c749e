package loops

// RowArgs are packed codes of rows (see package pack) and a vector to multiply them by.
// The functions take four rows at a time, of each four blocks of 128 columns: a step. What
// is behind the last whole step of a row is its tail. For a row and the columns of a
// block they compute
//
//	S = Σ (value − Offset)·q    over the columns of a group
//	I = Σ scale·S               over the groups of the block
//	lane[b%4] += float32(I)·D   for each block b, in order
//	Dst = ((lane[0] + lane[2]) + (lane[1] + lane[3])) · (RowScales·Unit)
//
// where every operation on floats is rounded. Scales that are no integers are multiplied
// by float32(S), and these products are added up one after the other.
//
// A value of 7 or 8 bits is the code itself. Others are bytes of Table, which has
//
//   - if groups have 128 columns or more, or 64 and selectors of 2 bits, 64 bytes for each of
//     up to 16 selectors, by the code, repeated, and of 3 bits behind them as many by six bits
//     of which the higher three are the code; the same of 3 bits without selectors;
//   - if groups have 32 columns and selectors of 2 bits, 64 bytes for each two of them: 16
//     of the first twice, then 16 of the second twice;
//   - otherwise 64 bytes, by the code and the selector above it, repeated.
//
// Selectors of 4 bits of groups of 16, 32 or 64 columns are zero-points: there the code
// less the selector is the value.
type RowArgs struct {
	Dst       *float32 // 4·Fours
	Codes     *byte
	Scales    *byte
	Selectors *byte // anything, if there are none
	RowScales *float32
	Fours     int // four rows at a time, at least 1

	// From row to row; RowScaleStride is in bytes and from four rows to the next.
	CodeStride, ScaleStride, SelectorStride, RowScaleStride int
	// From behind the fourth row of a step to the first of the next: the bytes of a step
	// less four strides. With groups of 128 columns or more scales don't move, and
	// selectors do so in functions for 2 bits a block alone.
	CodeBack, ScaleBack, SelectorBack int

	Table  *byte
	Unit   float32
	Offset int32

	Q     *int8
	Sums  *byte    // 16·Σ q: int16 for every 16 columns, or int32 for every block if groups are that large
	D     *float32 // by block; all three as long as whole steps, with zeros behind the last column
	Steps int      // whole ones, may be 0
	Ahead int      // how far ahead of the loads codes are prefetched to the second-level cache

	// Groups of 128 columns or more. BlockShift is the binary logarithm of the blocks in a
	// group, and large for a whole row; with selectors of 2 bits it is −1 for groups of 64
	// columns and −2 for those of 32.
	BlockShift   int
	SelectorBits int
	SelectorMask int    // of a selector, times 16
	SelectorAt   [4]int // where that of a block is among those of a step

	Spread *RowSpread
	// Ones for the bytes of scales and selectors of a step, and of the tail.
	StepScales, TailScales       int
	StepSelectors, TailSelectors int

	// The tail: with 3 bits, TailWide chunks 32 high and TailWhole 16 high; with 4 and 6
	// bits, TailWhole 64 high; with 3 and 4, TailLast chunks of 64 columns; and what is
	// behind them by parts, for every 64 columns as many as a code has fields.
	TailHalves int // 64 columns each, of all of the tail
	TailWide   int
	TailWhole  int
	TailLast   int
	TailParts  *RowPart
}

// A RowSpread says where the columns of a step find their selectors and scales.
type RowSpread struct {
	// For 64 columns in a row how many bits later than the code the selector begins, modulo
	// 64, so that it comes to lie above the code. If selectors are zero-points, the first
	// 32 bytes say where that of each group begins in its half of those of a step.
	Selectors [8][64]byte
	// In the lowest byte of each word, by quarters of halves of blocks, and in these by
	// block, which scale is theirs, with 63 in the others: halves one after the other or,
	// of groups of 32 columns with powers of two, groups instead of quarters in the first.
	// If groups are larger, what VPSHUFB takes, in each quarter by block.
	Scales [2][64]byte
}

// A RowPart says how one field of the codes of 64 columns is found among 64 bytes of a
// row: which byte it is in, how many bits later than the beginning of the 8 bytes around
// its place it begins, and which bits it has.
type RowPart struct {
	Mask               uint64 // ones for the bytes that are there
	Offset             int    // of the first, from the tail on
	Index, Shift, Keep [64]byte
}

// How the scales of rows are written, and for how many columns: those of RowsCoarse are
// integers for 128 columns or more, of RowsFine for 16, 32 or 64, of RowsE8M0 powers of
// two for 32, and of RowsE4M3 small floats for 16.
const (
	RowsCoarse = iota
	RowsFine
	RowsE8M0
	RowsE4M3
)

// HasRows reports whether there is a function for codes and selectors of so many bits.
// Selectors of 4 bits of fine groups are what is subtracted from codes.
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
