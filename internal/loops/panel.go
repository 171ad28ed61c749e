// Package loops has the inner loops of package kernel in assembly. It knows bits,
// tables, scales and vectors, and no data types.
//
// # Panels
//
// A panel is some columns of 64 rows, ready to be multiplied by any number of vectors.
// Rows are lanes of vector registers, [Set.Lanes] of them in a register. [Set.Band]
// rows are a band of the panel. Byte
//
//	col/4·4·Band + row·4 + col%4
//
// of a band is a weight plus an offset, [Set.Offset], which makes it unsigned for
// processors that need that. A product then takes four columns of a vector, the same
// for all rows, from memory, and sums are never added across lanes.
//
// The assembly is written by asmgen, one instruction to a line.
package loops

//go:generate go run -tags purego ./asmgen

const (
	// PanelRows is the number of rows of a panel.
	PanelRows = 64
	// MaxLanes is the largest number of rows that functions take at a time.
	MaxLanes = 16
	// SumLanes is the number of sums that a row has.
	SumLanes = 4
	// ScratchBytes is the size of the scratch memory of PanelArgs and MetaArgs.
	ScratchBytes = 8 << 10
	// MaxMeta is the largest number of bytes of a row in MetaArgs.
	MaxMeta = 128
)

// PanelArgs point at packed codes of one row a lane, and at their place in a panel. For
// chunk c, row r, strip s, position p of a strip (see package pack) and i = (c·strips +
// s)·Height + p, the function of Set.Table computes
//
//	Dst[i/4·Stride + 4·r + i%4] = Table[code | sel[4·r]]
//
// and the function of Set.Sum computes code + sel[4·r], where sel is Sel[SelAt[…]:].
type PanelArgs struct {
	Rows   [MaxLanes]int // where rows are, in bytes from From
	Dst    *byte
	Height int // bytes of a plane, a multiple of 4 up to 64
	Chunks int // at least 1
	Table  *[64]byte
	Sel    *byte
	// SelAt has the offset in Sel of the vector for every four columns, in the order of
	// work: by chunk, then the position in the strip, then the strip.
	SelAt   *uint16
	Scratch *[ScratchBytes]byte
	Stride  int   // 4·Set.Band
	Ahead   int   // in bytes, to the codes that are wanted next
	From    *byte // the first chunk
	// Even reports whether Height is a multiple of 16 and SelAt is the same within
	// every 16 columns.
	Even bool
}

// MetaArgs point at numbers of Bits bits each, of one row a lane. Number g of row r
// begins at bit Bit + g·Bits of the row, and is written to the four bytes at
// Dst[g·Stride + 4·r]:
//
//	Table  number << Shift, in each of the four
//	Sum    Add − number, likewise
//	Int    as an int32
//	Float  as a float32
//	E8M0   as the float32 that it stands for in that format
//	E4M3   likewise
type MetaArgs struct {
	Rows    [MaxLanes]int // where rows are, in bytes from From
	Bytes   int           // of each row that are read: a multiple of 4, up to MaxMeta
	Bit     int
	Bits    int // divides 32
	Groups  int // at least 1
	Dst     *byte
	Stride  int
	Shift   int
	Add     int
	Scratch *[ScratchBytes]byte
	From    *byte
}

// A Segment is a range of columns with one scale in one block of 128 columns. Begin and
// the fields after it are offsets in bytes.
type Segment struct {
	Quads      int32 // columns/4, a multiple of 4; 0 ends a list
	Begin, End int32 // in Prefix: of the sum of all columns before the range, and of all columns up to its end
	K          int32 // in K: the 64 scales
	D          int32 // in D: the scale of the activations
	Lane       int32 // in Acc: the sums that the block is added to, 4·Set.Band for each
	Last       int32 // 1 if it is the last of the block
	First      int32 // 1 if the sums begin with this segment, whatever is in their memory
}

// MaxVectors is the largest number of vectors in DotArgs.
const MaxVectors = 6

// DotArgs point at a band of a panel and vectors to multiply it by. With
//
//	S = Σ weight·q over the columns of a segment
//	  = Σ panel·q + (Prefix[End] − Prefix[Begin]) << Shift
//
// or without Prefix if offsets are 0, the functions add to the sums of each row and
// vector, rounding every operation,
//
//	One    float32(S)·K·D                             after each segment
//	Int    float32(Block + S·K)·D, K of type int32    after the last of a block
//	Float  (Block + float32(S)·K)·D                   likewise
//
// where Block sums up the segments before the last.
type DotArgs struct {
	Panel    *byte
	Segments *Segment
	K        *float32
	Acc      *float32 // SumLanes·Set.Band of each vector
	Block    *float32 // 64 of each vector: 0 before and after
	Shift    int
	Q        [MaxVectors]*int8
	Prefix   [MaxVectors]*int32
	D        [MaxVectors]*float32

	// If Outer is not nil, the sums are complete after this call, and for each row of
	// the band and each vector
	//
	//	Dst = ((sum 0 + sum 2) + (sum 1 + sum 3))·Outer
	Outer *float32
	Dst   *float32 // 64 of each vector

	Col int // in Q: where the first segment begins
}
