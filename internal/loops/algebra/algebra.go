// Package algebra has inner loops on float64 matrices in assembly.
//
// The assembly is written by asmgen of package loops, one instruction to a line.
package algebra

//go:generate go run ../asmgen ..

// A Set is the loops for one kind of processor. The methods of a Set call functions by
// name, so that arguments stay on the stack. None has no loops, and its methods must not
// be called.
type Set uint8

// None is the Set of processors without loops.
const None Set = 0

// Best returns the loops for this processor, None if there are none.
func Best() Set {
	all := Sets()
	if len(all) == 0 {
		return None
	}
	return all[len(all)-1]
}

// The size of a tile of GramArgs and ReduceArgs.
const (
	TileRows = 8
	TileCols = 24
)

// GramArgs point at a tile of a sum of products of vectors, and at vectors whose
// products are added one after the other: for v from 0 to Vectors−1, r < TileRows and c
// < Cols,
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

// TakeArgs point at a vector, and at another whose multiple is subtracted from it: for
// each i < N,
//
//	T[i] -= R · M[i]
//
// rounding once.
type TakeArgs struct {
	T *float64
	N int // at least 1
	M *float64
	R float64
}

// ReduceArgs point at a tile, and at a matrix whose rows are subtracted from it in
// multiples: for each r < Rows, c < Cols and then k from 0 to N−1,
//
//	C[r][c] -= R[r][k·RStep] · M[k][c]
//
// rounding once for each k. M[k+1] is MStep − k·MLess numbers behind M[k]. Rows of C
// must not overlap M or R. Rows are processed four or eight at a time, so C and R must
// have memory for the next multiple of four rows, which may be written to.
type ReduceArgs struct {
	C     [TileRows]*float64
	R     [TileRows]*float64
	RStep int
	M     *float64
	MStep int
	MLess int
	N     int // at least 1
	Rows  int // 1 to TileRows
	Cols  int // 1 to TileCols
}
