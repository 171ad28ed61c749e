package loops

const (
	// FloatLanes is the number of sums that a row has in float mode.
	FloatLanes = 32
	// Widened is a number near which consecutive float32s are consecutive integers.
	Widened = 1 << 23
	// MaxFloatRows is the largest number of rows that Floats take at a time.
	MaxFloatRows = 32
	// MaxFloats is the largest number of vectors that Floats take at a time.
	MaxFloats = 6
	// MaxFew is the largest number of vectors that Few take at a time.
	MaxFew = 4
)

// The ways in which Widen makes floats of the bytes of a panel: see WidenArgs.
const (
	FloatsSub = iota
	FloatsTable16
	FloatsTable64
	floats
)

// A FloatQuad is four columns with one scale. Its fields are offsets in bytes.
type FloatQuad struct {
	Panel int32
	K     int32 // also in Zeros
}

// WidenArgs point at a panel, of which Set.FloatRows rows are converted to floats. Row
// r has its four bytes of a quad at Panel[4·r]. For each of N quads, one after the
// other, Dst gets the floats of column 0 of all rows, then of columns 1, 2 and 3:
//
//	Sub      float32(Widened + byte) − Zeros[r], which is exact
//	Table16  Table[byte%16]
//	Table64  Table[byte%64]
type WidenArgs struct {
	Dst   *float32
	Panel *byte
	Quads *FloatQuad
	N     int
	Zeros *float32
	Table *[64]float32
}

// FloatArgs point at weights, the w of rows r, and n vectors x to multiply them by. The
// functions of Floats read the weights that Widen has written, at W. The functions of
// Few convert Panel, Zeros and Table themselves, which is faster for few vectors. Lane
// l of N lanes has Lanes[l] quads; the quads of one lane precede those of the next in
// W, X and Quads. X has four floats of vector 0 for a quad, then four of vector 1, and
// so on. With
//
//	t = fma(w₃, x₃, fma(w₂, x₂, fma(w₁, x₁, w₀·x₀)))
//
// the sum Acc[(l·n + v)·FloatRows + r] becomes fma(t, K[r], sum), for quad after quad.
// It begins with 0 if Fresh is not 0. The product w₀·x₀ differs from fma(w₀, x₀, 0)
// only if all products of a quad are −0 or below the least float32.
type FloatArgs struct {
	W     *float32
	X     *float32
	K     *float32
	Quads *FloatQuad
	Lanes *int32
	N     int
	Acc   *float32
	Fresh int

	// For Few, as in WidenArgs.
	Panel *byte
	Zeros *float32
	Table *[64]float32
}

// QuadsArgs point at blocks of 128 columns of a vector. Column c of the quad of lane
// 16·h + l is at 64·h + 16·c + l. The quad of a lane in block b goes to Dst + At[lane]
// + b·Step, in bytes.
type QuadsArgs struct {
	Dst    *float32
	X      *float32
	At     *[FloatLanes]int32
	Blocks int // at least 1
	Step   int
}

// FloatFinishArgs point at sums as in FloatArgs, for N vectors. The sums of a row and a
// vector are added in a tree: l and l + 16, then l + 8, l + 4, l + 2 and l + 1. Dst is
// the result times Outer, for all rows of vector 0, then of vector 1, and so on.
type FloatFinishArgs struct {
	Dst   *float32
	Acc   *float32
	Outer *float32
	N     int
}
