// Package coding has the inner loops of packages group and pack that are assembly:
// from weights to zones between thresholds, from zones to codes, and from codes to
// packed bytes. It knows no data types: only thresholds, tables and fields of bits.
//
// The assembly is written by asmgen of package loops, one instruction to a line.
package coding

//go:generate go run ../asmgen ..

const (
	// Cells is the number of cells of a Class, and the most zones that it may have.
	Cells = 32
	// Members is the most codebooks that a Class may have.
	Members = 4
	// Lanes is the number of weights that are done at a time.
	Lanes = 16
)

// A Class is the line of ratios weight/Δ, cut at thresholds into zones, and what
// each of some codebooks has in a zone.
//
// A ratio r is in cell trunc(r·Inv + Off), or the nearest that there is. A cell has at
// most one threshold, so far from the cell's ends that no rounding of this sum in
// float32 takes a ratio past it.
type Class struct {
	// Thresholds are by cell, +Inf where a cell has none.
	Thresholds [Cells]float64
	// Slack is how far above its threshold t a quotient may be and still be rounded
	// to t in float64, half a unit in the last place. It is negative if ratios that
	// are t belong to the zone above: then so far below t a quotient must be not to
	// be rounded to t, and a little more.
	Slack [Cells]float64
	// Base is the zone below the cell's threshold.
	Base [Cells]int32
	// Values are by zone, of each codebook.
	Values [Members][Cells]float32
	// Inv cells are as wide as 1.
	Inv, Off float32
}

// ZonesArgs are a group of weights, none of which is NaN. With
//
//	T[c]    = the largest float32 x for which x − t·Δ ≤ Slack[c]·Δ, t = Thresholds[c]
//	c       = max(0, min(Cells−1, trunc(float32(W[i]·Scale + Off))))
//	z       = Base[c], or Base[c] + 1 if W[i] > T[c]
//	e[m][i] = float32(W[i] − float32(Delta)·Values[m][z]), rounded once
//
// the functions set Zones[i] = z, Used to the bits 1<<z, and Errors[m] to Σ e[m][i]²
// in float32: of each i modulo 16, from the first on, rounding once a weight, and then
// of all 16, half by half. The number in the name says for how many codebooks.
type ZonesArgs struct {
	W       *float32
	N       int // at least 1
	Zones   *uint8
	Class   *Class
	Delta   float64
	Delta32 float32
	Scale   float32 // Class.Inv/Delta
	Used    uint32
	Errors  [Members]float32
	_       uint32
}

// LookupArgs are bytes below 64: Dst[i] = Table[Src[i]].
type LookupArgs struct {
	Dst, Src *uint8
	N        int // at least 1
	Table    *[64]uint8
}

// MaxArgs are groups of Size weights, the last of which has only Last: Dst[g] is the
// largest magnitude in group g as the bits of a float32, beyond those of the largest
// float32 if the group has a NaN or an infinity.
type MaxArgs struct {
	W      *float32
	Size   int // at least 1
	Last   int // 1 to Size
	Groups int // at least 1
	Dst    *uint32
}

// RoundArgs are a group of weights and an integer codebook. With r = W[i]/Delta in
// float64 and n = r rounded to an integer, halves down,
//
//	Codes[i] = max(0, min(Top, n + Zero))
//
// where |r| is below 2^31.
type RoundArgs struct {
	W     *float32
	N     int // at least 1
	Codes *uint8
	Delta float64
	Zero  int
	Top   int
}

// RangeArgs are a group of weights, none of which is NaN: Low is the least of them and
// 0, High the greatest.
type RangeArgs struct {
	W         *float32
	N         int // at least 1
	Low, High float32
}

// WidenArgs are 16-bit floats: Dst[i] is the float32 that Src[i] is.
type WidenArgs struct {
	Dst *float32
	Src *uint16
	N   int // at least 1
}

// PackArgs are codes to be packed in chunks of the same height, as package pack does.
type PackArgs struct {
	Dst, Src *uint8
	Height   int // 1 to 64
	Chunks   int // at least 1
}
