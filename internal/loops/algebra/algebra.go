// Package algebra has the inner loops on float64 matrices that are assembly.
//
// The assembly is written by asmgen of package loops, one instruction to a line. Its
// functions are called by name, so that arguments stay on the stack.
package algebra

//go:generate go run ../asmgen ..

// The size of a tile of GramArgs.
const (
	TileRows = 4
	TileCols = 24
)

// GramArgs are a tile of a sum of products of vectors, to which some are added, one
// after the other: for v from 0 to Vectors−1, r < TileRows and c < Cols,
//
//	Sums[r][c] += X[v·Stride + r] · Y[v·Stride + c]
//
// rounding once. TileRows numbers of X are read, and TileCols of Y, whatever Cols is.
type GramArgs struct {
	Sums    [TileRows]*float64
	X, Y    *float64
	Stride  int // in numbers
	Vectors int // at least 1
	Cols    int // 1 to TileCols
}

// TakeArgs are a vector, from which multiples of others are taken: for each i < N and
// then k from 0 on,
//
//	T[i] -= R[k] · M[k][i]
//
// rounding the product and the difference. There are functions for 1 and 4 of them.
type TakeArgs struct {
	T *float64
	N int // at least 1
	M [4]*float64
	R [4]float64
}
