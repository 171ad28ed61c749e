package coding

// WideLanes is the number of partial sums of a float64 sum.
const WideLanes = 4

// SurveyArgs point at weights without NaN and their importances. The functions update
// the least and the greatest weight and the greatest importance for each i modulo
// WideLanes.
type SurveyArgs struct {
	W, A         *float64
	N            int // a multiple of WideLanes, at least 1
	Lo, Hi, Most [WideLanes]float64
}

// SampleArgs point at weights and their importances, which the functions convert to
// float32:
//
//	DstW[i] = W[i]·ScaleW
//	DstA[i] = A[i]·ScaleA, or 0 if that is below Least
//
// They add DstA[i]·(DstW[i]·DstW[i]) to Total for each i modulo WideLanes, in float64,
// rounding after every operation.
type SampleArgs struct {
	W, A                  *float64
	N                     int // a multiple of WideLanes, at least 1
	DstW, DstA            *float32
	ScaleW, ScaleA, Least float64
	Total                 [WideLanes]float64
}

// SquareArgs point at weights. The functions add W[i]² to Sum for each i modulo
// WideLanes, rounding after every operation.
type SquareArgs struct {
	W   *float64
	N   int // a multiple of WideLanes, at least 1
	Sum [WideLanes]float64
}

// EmphasizeArgs point at weights: Dst[i] = √(1 + (W[i]·W[i])·Inverse), rounding after
// every operation.
type EmphasizeArgs struct {
	Dst, W  *float64
	N       int // a multiple of WideLanes, at least 1
	Inverse float64
}

// NoiseArgs point at weights, their importances, and their codes, which are below 16.
// With v = Values[Codes[i]] and e = W[i] − v, the functions add
//
//	(A[i]·e)·e to Noise
//	(A[i]·v)·W[i] to Above
//	(A[i]·v)·v to Below
//
// for each i modulo WideLanes, in float64, rounding after every operation.
type NoiseArgs struct {
	W, A                *float64
	Codes               *uint8
	N                   int // a multiple of 2·WideLanes, at least 1
	Values              *[16]float32
	Noise, Above, Below [WideLanes]float64
}
