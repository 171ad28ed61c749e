package coding

// A Book is a codebook for FitArgs, by cells as a Class is or by rounding.
type Book struct {
	// A ratio r is in cell trunc(r·Inv + Off), or the nearest that there is, and its
	// step is its cell, or the one after it if r is above the cell's threshold. The
	// last cell has none. Values are by step.
	Thresholds, Values [Cells]float32
	Inv, Off           float32

	// A ratio is clamped to Low … High and then rounded to a multiple of a power of
	// two, a half going to the even multiple. The power of two that is not above the
	// ratio's magnitude, or above Floor where that is larger, times Unit is 1.5·2^23
	// times as large as the one whose multiples are taken.
	Low, High, Floor, Unit float32
}

// FitLanes is the number of sums that those of FitArgs are made of.
const FitLanes = 16

// FitArgs are weights, with an importance for each, that are rounded to a codebook at
// some scales. With r = W[i]·Inv[s], q the value that the codebook has for r, d = r − q
// and p = A[i]·q, the functions set
//
//	Sums[s].DD = Σ (A[i]·d)·d
//	Sums[s].DQ = Σ p·d
//	Sums[s].QQ = Σ p·q
//
// in float32, rounding after every operation: first each i modulo FitLanes by itself,
// from the first on, and then all of these, half by half. Functions called Cells find q
// by cells and those called Round by rounding.
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
