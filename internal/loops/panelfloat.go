package loops

const (
	// FloatLanes is the number of sums that a row has in float mode.
	FloatLanes = 32
	// Widened is a number next to which floats are the integers.
	Widened = 1 << 23
	// FloatPad is the number of floats that are left free behind the sums of a vector,
	// so that those of the next don't have the same place in a page, which processors
	// take for the same sums for a while.
	FloatPad = 48
	// MaxFloats is the greatest number of vectors that Floats take at a time.
	MaxFloats = 12
)

// The ways in which Floats make floats of the bytes of a panel: see FloatArgs.
const (
	FloatsSub = iota
	FloatsTable16
	FloatsTable64
	floats
)

// A FloatQuad is four columns, which have one scale. Its fields are offsets in bytes.
type FloatQuad struct {
	Panel int32
	X     int32
	K     int32 // in K and Zeros
}

// A FloatLane is some quads that are added to one sum of a row.
type FloatLane struct {
	Quads int32 // 0 ends a list
	Acc   int32 // an offset in bytes
}

// FloatArgs are a panel, of which as many rows as there are lanes of vectors are
// multiplied by n vectors. Row r has its four bytes of a quad at Panel[4·r], and vector
// v its four floats at X[64·v], X[64·v+16], X[64·v+32] and X[64·v+48]. With w, a float
// for each of these bytes:
//
//	Sub      float32(Widened + byte) − Zeros[r], which is exact
//	Table16  Table[byte%16]
//	Table64  Table[byte%64]
//
// and
//
//	t = fma(w₃, x₃, fma(w₂, x₂, fma(w₁, x₁, w₀·x₀)))
//
// the sum Acc[v·(FloatLanes·Lanes+FloatPad) + r] becomes fma(t, K[r], sum), for quad
// after quad. The product w₀·x₀ instead of fma(w₀, x₀, 0) makes a difference only where
// all products of a quad are −0, or less than the least float32.
type FloatArgs struct {
	Panel *byte
	Lanes *FloatLane
	Quads *FloatQuad // of all lanes
	K     *float32
	Zeros *float32
	Table *[64]float32
	Acc   *float32
	X     *float32
}

// FloatFinishArgs are the sums of as many rows as there are lanes of vectors. They are
// added in a tree: l and l + 16, then l + 8, l + 4, l + 2 and l + 1. Dst is that times
// Outer.
type FloatFinishArgs struct {
	Dst   *float32
	Acc   *float32
	Outer *float32
}
