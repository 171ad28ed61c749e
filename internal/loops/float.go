package loops

// The ways in which Widen makes floats of bytes: see WidenArgs.
const (
	WidenSub = iota
	WidenTable16
	WidenTable64
	widens
)

// Float mode multiplies panels of float32. Float
//
//	col/4·4·Band + col%4·Band + row
//
// of a band is a weight. WidenArgs make them of panels of bytes.

const (
	// FloatLanes is the number of sums that a row has in float mode.
	FloatLanes = 32
	// FloatSums is the number of floats from the sums of one vector to those of the
	// next. There are a few more than FloatLanes·64, so that sums of the same lane
	// don't have the same place in a page, which a processor would take for the
	// same sums for a while.
	FloatSums = FloatLanes*PanelRows + 3*PanelRows
	// Widened is what is added to bytes before Sub is subtracted: a number next to
	// which floats are the integers.
	Widened = 1 << 23
)

// WidenArgs are columns of a band of a panel of bytes, and where they go as floats. The
// function of the name Sub computes
//
//	float32(Widened + byte) − Sub[row]
//
// which is exact, and those of the names Table16 and Table64 Table[byte%16] and
// Table[byte%64].
type WidenArgs struct {
	Panel *byte
	Dst   *float32
	Quads int      // columns/4, at least 1
	Sub   *float32 // one of each row
	Table *[64]float32
}

// A FloatSegment is some columns that have one scale and belong to one run of 64
// columns. Panel and later are offsets in bytes.
type FloatSegment struct {
	Quads int32 // columns/4; 0 ends a list
	Panel int32
	X     int32 // of the first column
	K     int32 // the 64 scales
	Lane  int32 // in Acc: of the first quad
	_     int32
}

// FloatArgs are a band of a panel of floats, and vectors to multiply it by. The four columns of
// quad i of a segment are at X[16·j + i], where j is column mod 4. With
//
//	t = fma(w₃, x₃, fma(w₂, x₂, fma(w₁, x₁, w₀·x₀)))
//
// the functions set, for each quad of a segment, the next sum of each row and vector to
// fma(t, K, sum).
type FloatArgs struct {
	Panel    *float32
	Segments *FloatSegment
	K        *float32
	Acc      *float32 // FloatSums of each vector
	X        [MaxVectors]*float32
}

// FloatFinishArgs are the sums of 64 rows, which are added in a tree: those of lanes l
// and l + 16, then l + 8, l + 4, l + 2 and l + 1. Dst is that times Outer.
type FloatFinishArgs struct {
	Dst   *float32
	Acc   *float32
	Outer *float32
}
