package floats

// MultiplyArgs are some rows of a, some columns of b, of which there are 16 of a vector,
// and where their products go. Strides are in bytes.
type MultiplyArgs struct {
	C, A, B                   *float32
	StrideC, StrideA, StrideB int
	K                         int // at least 1
}

// RowArgs are X, which gets Y added to it and what a function makes of the sum. N is at
// least 1.
type RowArgs struct {
	X, Y *float32
	N    int
}

// NormArgs are a row of Norm.Layer. N is at least 1, and Count is N.
type NormArgs struct {
	Dst, X, Weight, Bias *float32
	N                    int
	Count, Eps           float32
}

// RotateArgs are heads of a vector, of which each begins Stride bytes behind the one
// before and has Half elements, at least 1, to turn with as many behind them.
type RotateArgs struct {
	X, Cos, Sin *float32
	Half, Heads int // at least 1
	Stride      int
}
