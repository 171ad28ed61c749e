package coding

// A Book is a codebook for FitArgs, by cells as in a Class, by rounding, or by edges.
type Book struct {
	// A ratio r is in cell trunc(r·Inv + Off), or in the nearest cell. Its step is its
	// cell, or the next one if r is above the cell's threshold. The last cell has no
	// threshold. Values are by step.
	Thresholds, Values [Cells]float32
	Inv, Off           float32

	// A ratio is clamped to Low … High and then rounded to a multiple of a power of
	// two, a half going to the even multiple. Let p be the largest power of two that is
	// not above the ratio's magnitude or Floor, whichever is larger. The ratio is
	// rounded to a multiple of p·Unit/(1.5·2^23).
	Low, High, Floor, Unit float32

	// If all thresholds are multiples of a power of two 1/PerUnit, a ratio r within
	// ±Limit has the value Edges[⌈r·PerUnit⌉ modulo Cells], and a ratio beyond has the
	// value of the nearer limit. PerUnit·Limit is at most Cells/2 − 1. PerUnit is 0 for
	// other codebooks.
	Edges          [Cells]float32
	PerUnit, Limit float32
}

// FitLanes is the number of partial sums of each sum of FitArgs.
const FitLanes = 16

// FitArgs point at weights and importances. The functions round the weights to a
// codebook at some scales. With r = W[i]·Inv[s], q the value of the codebook for r, d =
// r − q and p = A[i]·q, they set
//
//	Sums[s].DD = Σ (A[i]·d)·d
//	Sums[s].DQ = Σ p·d
//	Sums[s].QQ = Σ p·q
//
// in float32, rounding after every operation. There is a sum for each i modulo
// FitLanes, from the first on; these sums are then added in halves. Functions named
// Cells, Round and Edges differ in how they find q.
type FitArgs struct {
	W, A   *float32
	N      int      // a multiple of FitLanes, at least 1
	Inv    *float32 // by scale
	Sums   *FitSums // by scale
	Scales int      // at least 1
	Book   *Book
}

// FitSums are the sums of FitArgs at one scale.
type FitSums struct{ DD, DQ, QQ float32 }
