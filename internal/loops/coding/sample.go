package coding

// WideLanes is the number of sums that those of float64 are made of.
const WideLanes = 4

// SurveyArgs are weights, none of which is NaN, and their importances. The functions take the
// least weights, the greatest and the greatest importances, of each i modulo WideLanes, into
// what is there already.
type SurveyArgs struct {
	W, A         *float64
	N            int // a multiple of WideLanes, at least 1
	Lo, Hi, Most [WideLanes]float64
}

// SampleArgs are weights and their importances, of which the functions make float32:
//
//	DstW[i] = W[i]·ScaleW
//	DstA[i] = A[i]·ScaleA, or 0 if that is below Least
//
// To Total they add DstA[i]·(DstW[i]·DstW[i]) of each i modulo WideLanes, in float64,
// rounding after every operation.
type SampleArgs struct {
	W, A                  *float64
	N                     int // a multiple of WideLanes, at least 1
	DstW, DstA            *float32
	ScaleW, ScaleA, Least float64
	Total                 [WideLanes]float64
}

// SquareArgs are weights: to Sum the functions add W[i]² of each i modulo WideLanes,
// rounding after every operation.
type SquareArgs struct {
	W   *float64
	N   int // a multiple of WideLanes, at least 1
	Sum [WideLanes]float64
}

// EmphasizeArgs are weights: Dst[i] = √(1 + (W[i]·W[i])·Inverse), rounding after every
// operation.
type EmphasizeArgs struct {
	Dst, W  *float64
	N       int // a multiple of WideLanes, at least 1
	Inverse float64
}

// NoiseArgs are weights, importances, and codes below 16 for them. With v = Values[Codes[i]] and e =
// W[i] − v, the functions add
//
//	(A[i]·e)·e to Noise
//	(A[i]·v)·W[i] to Above
//	(A[i]·v)·v to Below
//
// of each i modulo WideLanes, in float64, rounding after every operation.
type NoiseArgs struct {
	W, A                *float64
	Codes               *uint8
	N                   int // a multiple of 2·WideLanes, at least 1
	Values              *[16]float32
	Noise, Above, Below [WideLanes]float64
}
