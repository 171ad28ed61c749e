// Package coding has the inner loops of packages group and pack in assembly: from
// weights to steps between thresholds, from steps to codes, and from codes to packed
// bytes. It knows thresholds, tables and fields of bits, and no data types.
//
// Memory with one byte for each weight needs room for Slack more bytes behind the last.
//
// The assembly is written by asmgen of package loops, one instruction to a line.
package coding

//go:generate go run ../asmgen ..

const (
	// Cells is the number of cells of a Class.
	Cells = 32
	// Members is the largest number of codebooks of a Class.
	Members = 4
	// Lanes is the number of weights that loops take at a time.
	Lanes = 16
	// Slack is the number of bytes that may be written behind one byte for each weight.
	Slack = 16
)

// A Class is the line of ratios weight/Δ, cut at thresholds into steps, with the value
// of each of some codebooks in every step.
//
// A ratio r is in cell trunc(r·Inv + Off), where the sum is above −1 and below Cells. A
// cell has at most one threshold, so far from the cell's ends that rounding this sum to
// float32 never moves a ratio past the threshold. The last cell has none. A ratio's
// step is its cell, or the one after it if the ratio is above the cell's threshold: a
// codebook has the same value in the step of a cell without a threshold and in the
// next.
type Class struct {
	// Thresholds are by cell, +Inf where a cell has none.
	Thresholds [Cells]float64
	// Slack is the largest distance above the threshold t at which a quotient is still
	// rounded to t in float64, half a unit in the last place. If ratios equal to t
	// belong to the zone above, it is negative: a little more than the distance below t
	// at which a quotient is no longer rounded to t.
	Slack [Cells]float64
	// Values has the value of each codebook by step.
	Values [Members][Cells]float32
	// Inv is the number of cells in a unit of the ratio.
	Inv, Off float32
}

// Groups are consecutive groups of Size weights. The last group has Last weights.
type Groups struct {
	W      *float32
	Size   int // at least 1
	Last   int // 1 to Size
	Groups int // at least 1
}

// StepsArgs point at groups of weights without NaN. With the group's Δ from Deltas,
//
//	T[c]    = the largest float32 x for which x − t·Δ ≤ Slack[c]·Δ, t = Thresholds[c]
//	c       = trunc(float32(W[i]·float32(Inv/Δ) + Off)) modulo Cells
//	s       = c, or c + 1 if W[i] > T[c]
//	e[m][i] = float32(W[i] − float32(Δ)·Values[m][s]), rounded once
//
// the functions set Steps[i] = s, and the m-th error of a group to Σ e[m][i]² in
// float32. There is a sum for each i modulo 16, or 8, in the group, from the first on,
// rounding once a weight; these sums are then added in halves. The number in the name
// is the number of codebooks; functions without one set no Errors.
//
// Functions named Powers are for Δ that are powers of two within 2^±100. They take
// W[i]/Δ for the weights and 1 for Δ, so that errors are in units of Δ. Functions named
// Weighted add up (Importance[i]·e[m][i])·e[m][i] instead of e[m][i]², rounding after
// the first product and once for the rest. The function named Clamped is for ratios that
// may be beyond all cells: it takes the nearest cell, and sets no errors.
type StepsArgs struct {
	Groups
	Steps  *uint8
	Class  *Class
	Deltas *float64 // by group
	Errors *float32 // the errors of a group are side by side
	Stride int      // in bytes, from the errors of a group to those of the next

	Importance *float32 // of each weight, for functions named Weighted

	_ [Cells]float32 // T, which the functions set
}

// LookupArgs point at bytes below 64: Dst[i] = Table[Src[i]].
type LookupArgs struct {
	Dst, Src *uint8
	N        int // at least 1
	Table    *[64]uint8
}

// AnyArgs point at bytes below 64: Any reports whether Table[Src[i]] is not 0 for some
// i.
type AnyArgs struct {
	Src   *uint8
	N     int // at least 1
	Table *[64]uint8
	Any   bool
}

// MaxArgs point at groups of weights: Dst[g] is the largest magnitude in group g as the
// bits of a float32. They exceed the bits of the largest float32 if the group has a NaN
// or an infinity.
type MaxArgs struct {
	Groups
	Dst *uint32
}

// RoundArgs point at groups of weights for integer codebooks. With r = W[i]/Deltas[g]
// in float64 and n = r rounded to an integer, halves down,
//
//	Codes[i] = max(0, min(Top, n + Zeros[g]))
//
// where |r| is at most 2^30 and 1/Deltas[g] is a normal float32.
type RoundArgs struct {
	Groups
	Codes  *uint8
	Deltas *float64
	Zeros  *int32
	Top    int
}

// RangeArgs point at groups of weights without NaN: Dst[g] is the least and the greatest
// of 0 and the weights of group g.
type RangeArgs struct {
	Groups
	Dst *[2]float32
}

// WidenArgs point at 16-bit floats: Dst[i] is Src[i] as a float32.
type WidenArgs struct {
	Dst *float32
	Src *uint16
	N   int // at least 1
}

// NarrowArgs point at float64s: Dst[i] is Src[i] rounded to float32, and Exact reports
// whether all are equal to their originals.
type NarrowArgs struct {
	Dst   *float32
	Src   *float64
	N     int // at least 1
	Exact bool
}

// PackArgs point at codes to pack in chunks of the same height, as package pack does.
type PackArgs struct {
	Dst, Src *uint8
	Height   int // 1 to 64
	Chunks   int // at least 1
}
