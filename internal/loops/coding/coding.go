// Package coding has the inner loops of packages group and pack that are assembly:
// from weights to steps between thresholds, from steps to codes, and from codes to
// packed bytes. It knows no data types: only thresholds, tables and fields of bits.
//
// Bytes that are written one for each weight need room for Slack more behind the last.
//
// The assembly is written by asmgen of package loops, one instruction to a line.
package coding

//go:generate go run ../asmgen ..

const (
	// Cells is the number of cells of a Class.
	Cells = 32
	// Members is the most codebooks that a Class may have.
	Members = 4
	// Lanes is the number of weights that are done at a time.
	Lanes = 16
	// Slack is what may be written behind bytes of which there is one for each weight.
	Slack = 16
)

// A Class is the line of ratios weight/Δ, cut at thresholds into steps, and what
// each of some codebooks has in a step.
//
// A ratio r is in cell trunc(r·Inv + Off), where the sum is above −1 and below Cells. A
// cell has at most one threshold, so far from the cell's ends that no rounding of this
// sum in float32 takes a ratio past it; the last has none. A ratio's step is its cell, or
// the one after it if the ratio is above the cell's threshold: a codebook has the same
// value in the step of a cell without a threshold and in the next.
type Class struct {
	// Thresholds are by cell, +Inf where a cell has none.
	Thresholds [Cells]float64
	// Slack is how far above its threshold t a quotient may be and still be rounded
	// to t in float64, half a unit in the last place. It is negative if ratios that
	// are t belong to the zone above: then so far below t a quotient must be not to
	// be rounded to t, and a little more.
	Slack [Cells]float64
	// Values are by step, of each codebook.
	Values [Members][Cells]float32
	// Inv cells are as wide as 1.
	Inv, Off float32
}

// Groups are consecutive groups of Size weights, the last of which has only Last.
type Groups struct {
	W      *float32
	Size   int // at least 1
	Last   int // 1 to Size
	Groups int // at least 1
}

// StepsArgs are groups of weights, none of which is NaN. With the group's Δ from Deltas,
//
//	T[c]    = the largest float32 x for which x − t·Δ ≤ Slack[c]·Δ, t = Thresholds[c]
//	c       = trunc(float32(W[i]·float32(Inv/Δ) + Off)) modulo Cells
//	s       = c, or c + 1 if W[i] > T[c]
//	e[m][i] = float32(W[i] − float32(Δ)·Values[m][s]), rounded once
//
// the functions set Steps[i] = s, and of a group's errors, the m-th to Σ e[m][i]² in
// float32: of each i modulo 16, or 8, in the group, from the first on, rounding once a
// weight, and then of all of these, half by half. The number in the name says for how
// many codebooks; with none there are no Errors.
//
// Those called Powers are for Δ that are powers of two within 2^±100. They do the same
// with W[i]/Δ for the weights and 1 for Δ, so that errors are in units of Δ. The one
// called Clamped is for ratios that may be beyond all cells, of which it takes the nearest;
// it has no errors.
type StepsArgs struct {
	Groups
	Steps  *uint8
	Class  *Class
	Deltas *float64 // by group
	Errors *float32 // those of each group beside each other
	Stride int      // bytes from one group's to the next one's

	_ [Cells]float32 // T, which the functions set
}

// LookupArgs are bytes below 64: Dst[i] = Table[Src[i]].
type LookupArgs struct {
	Dst, Src *uint8
	N        int // at least 1
	Table    *[64]uint8
}

// AnyArgs are bytes below 64: Any is whether Table[Src[i]] is not 0 for some i.
type AnyArgs struct {
	Src   *uint8
	N     int // at least 1
	Table *[64]uint8
	Any   bool
}

// MaxArgs are groups of weights: Dst[g] is the largest magnitude in group g as the bits
// of a float32, beyond those of the largest float32 if the group has a NaN or an
// infinity.
type MaxArgs struct {
	Groups
	Dst *uint32
}

// RoundArgs are groups of weights and integer codebooks. With r = W[i]/Deltas[g] in
// float64 and n = r rounded to an integer, halves down,
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

// RangeArgs are groups of weights, none of which is NaN: Dst[g] is the least of them
// and 0, and the greatest.
type RangeArgs struct {
	Groups
	Dst *[2]float32
}

// WidenArgs are 16-bit floats: Dst[i] is the float32 that Src[i] is.
type WidenArgs struct {
	Dst *float32
	Src *uint16
	N   int // at least 1
}

// NarrowArgs are float64: Dst[i] is Src[i] rounded to float32, and Exact is whether all
// are the same numbers.
type NarrowArgs struct {
	Dst   *float32
	Src   *float64
	N     int // at least 1
	Exact bool
}

// PackArgs are codes to be packed in chunks of the same height, as package pack does.
type PackArgs struct {
	Dst, Src *uint8
	Height   int // 1 to 64
	Chunks   int // at least 1
}
