package floats

// MultiplyArgs point at some rows of a, some vectors of 16 columns of b, and the place
// of their products. Strides are in bytes.
type MultiplyArgs struct {
	C, A, B                   *float32
	StrideC, StrideA, StrideB int
	K                         int // at least 1
}

// RowArgs point at X and Y: a function adds Y to X, and sets X to its value for the
// sum. N is at least 1.
type RowArgs struct {
	X, Y *float32
	N    int
}

// NormArgs point at a row for Norm.Layer. N is at least 1, and Count is N.
type NormArgs struct {
	Dst, X, Weight, Bias *float32
	N                    int
	Count, Eps           float32
}

// RotateArgs point at heads of a vector. Each begins Stride bytes after the one
// before. Its first Half elements, at least 1, are rotated with the next Half.
type RotateArgs struct {
	X, Cos, Sin *float32
	Half, Heads int // at least 1
	Stride      int
}
