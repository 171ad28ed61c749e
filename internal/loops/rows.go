package loops

// RowArgs are packed codes of rows with one scale for every 128 columns, or for some
// multiple, and a vector to multiply them by. The functions take four rows at a
// time: a block of 128 columns is four vectors of sums, one of each row, that are
// added up together. For
//
//	block b of row r is of group g = b / blocks in a group
//	table = Table[16·selector g of the row:]
//	I     = scale g · (Σ table[code]·q − Corr[b]) over the columns of the block
//
// they compute, rounding every operation,
//
//	lane[b%4] += float32(I)·D[b]    for each block, in order
//	Dst[r] = ((lane[0] + lane[2]) + (lane[1] + lane[3])) · (RowScales[r]·Unit)
//
// Steps are 512 columns, which are 64 columns a strip (see package pack); what is
// behind the last of them is the tail. Functions for fine groups, of 16, 32 or 64 columns,
// do the same with I the sum over the groups of a block, Table the 64 values by selector
// and code, repeated, and no tail for codes of 3 bits. The tail's last block may have fewer columns: the
// activations at TailQ are then in the order of the bytes of its codes, strip by strip,
// where each strip has 64 of them for 4-bit codes and 16 for those of 3 bits, and
// 0 where there is no code.
type RowArgs struct {
	Dst       *float32 // 4·Fours
	Codes     *byte
	Scales    *byte
	Selectors *byte // of Bits bits each; if there are none, Codes
	RowScales *float32
	Fours     int // four rows at a time, at least 1

	// From row to row.
	CodeStride, ScaleStride, SelectorStride int
	// From the fourth row of a step to the first of the next: the bytes of a step less
	// three strides. Only with one group to a block scales and selectors move on.
	CodeBack, ScaleBack, SelectorBack int

	Table *byte
	Unit  float32
	_     float32

	Q     *int8
	Corr  *int32
	D     *float32 // a multiple of 4; behind the last block 0
	Steps int      // may be 0
	Ahead int      // how far ahead of the loads codes are prefetched to the second-level cache

	SelectorBits int
	SelectorMask int // of a selector, times 16
	StepShift    int // functions for groups of 512: binary logarithm of steps in a group
	StepScales   int // ones for the scales of a step

	// The tail.
	TailQ      *int8 // 4 bits: all of the tail, in steps of 128 a block
	TailScales int   // ones for its scales
	TailBlocks int   // 4 bits: 0 to 4
	TailMask   int   // 4 bits: ones for the bytes of its last block
	// 3 bits: whether there is a chunk of 256 columns, and how many after it with up to
	// 128, with the height and a mask of so many ones, and activations, 16 a strip.
	TailWide     int
	TailNarrow   int // 0 to 2
	NarrowHeight [2]int
	NarrowMask   [2]int
	NarrowQ      [2]*int8

	// Functions for fine groups: several to a block.
	Corr4, TailCorr4             *int32  // minus the correction of every 4 columns
	Spread, TailSpread           *Spread // of a step; of the last block of the tail, in its place
	StepSelectors, TailSelectors int     // ones for their bytes
}

// A Spread says, for halves of the blocks of a step, in the order of the bytes of their
// codes, how many bits later than the code, below which it is to be, each selector of
// the step begins, modulo 64; and in the lowest byte of every 4 columns, which scale of
// the step is theirs, with 63 in the others, where there is a zero.
type Spread struct{ Selectors, Scales [8][64]byte }
