package search

import (
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/loops/coding"
)

// A book is a codebook for search.
type book struct {
	low, high float64 // the least and the greatest value
	rounds    bool    // whether ratios are rounded, not looked up
	coding.Book
}

// newBook returns the book of a codebook. The values of some codebooks, such as integers
// and minifloats, are all numbers of some bits; rounding finds them without a table. For
// other codebooks, edges are fastest if thresholds are multiples of a power of two.
func newBook(values []float32) book {
	vs := slices.Clone(values)
	slices.Sort(vs)
	vs = slices.Compact(vs)
	b := book{low: float64(vs[0]), high: float64(vs[len(vs)-1])}
	b.Low, b.High = vs[0], vs[len(vs)-1]
	if b.rounds = b.round(vs); b.rounds {
		return b
	}
	if !b.cells(vs) {
		panic("search: no cells for the values of a type") // tests try all
	}
	b.edges(vs)
	return b
}

// round reports whether rounding to some number of bits gives exactly the values vs,
// and sets how to round.
func (b *book) round(vs []float32) bool {
	for _, floor := range [...]float32{1 << 10, 8, 4, 2, 1, .5, .25} {
		for bits := range 11 {
			// Numbers from the floor to twice the floor become multiples of
			// floor/2^bits.
			b.Floor, b.Unit = floor, float32(math.Ldexp(1.5, 23-bits))
			if slices.Equal(b.rounded(vs), vs) {
				return true
			}
		}
	}
	return false
}

// rounded returns the values that rounding gives within the range of vs, or nil if vs
// are not all among them.
func (b *book) rounded(vs []float32) []float32 {
	all := slices.Clone(vs)
	for i, v := range vs {
		if b.nearest(v) != v {
			return nil
		}
		if i > 0 {
			all = append(all, b.nearest((vs[i-1]+v)/2))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// nearest returns the value that a ratio is rounded to.
func (b *book) nearest(r float32) float32 {
	r = max(b.Low, min(b.High, r))
	magnitude := max(math.Float32frombits(math.Float32bits(r)&^(1<<31)), b.Floor)
	unit := float32(math.Float32frombits(math.Float32bits(magnitude)&0x7f800000) * b.Unit)
	return float32(r+unit) - unit
}

// cells chooses cells for the thresholds between vs, so that no two fall into one cell
// and none is near an edge, and sets the tables. It returns false if there are no such
// cells.
func (b *book) cells(vs []float32) bool {
	const margin = 1. / 64 // of a cell
	thresholds := make([]float64, len(vs)-1)
	for i := range thresholds {
		thresholds[i] = (float64(vs[i]) + float64(vs[i+1])) / 2
	}
	lo, hi := thresholds[0], thresholds[len(thresholds)-1]
	for cells := coding.Cells - 1.5; cells >= float64(len(thresholds)); cells -= .25 {
		for off := margin; off < 1.5; off += 1. / 16 {
			b.Inv = float32((cells - 1) / (hi - lo))
			b.Off = float32(off - lo*float64(b.Inv))
			last := -1.
			fits := true
			for _, t := range thresholds {
				n, frac := math.Modf(t*float64(b.Inv) + float64(b.Off))
				fits = fits && n > last && n < coding.Cells-1 && frac > margin && frac < 1-margin
				last = n
			}
			if fits {
				b.fill(vs, thresholds)
				return true
			}
		}
	}
	return false
}

// fill sets the tables.
func (b *book) fill(vs []float32, thresholds []float64) {
	zone := 0
	for i := range coding.Cells {
		b.Values[i] = vs[zone]
		b.Thresholds[i] = float32(math.Inf(1))
		if zone < len(thresholds) && int(thresholds[zone]*float64(b.Inv)+float64(b.Off)) == i {
			b.Thresholds[i] = float32(thresholds[zone])
			zone++
		}
	}
}

// edges sets the table by edges, if thresholds between vs allow it.
func (b *book) edges(vs []float32) {
	const half = coding.Cells/2 - 1
	for b.PerUnit = .25; b.PerUnit <= 4; b.PerUnit *= 2 {
		b.Limit = half / b.PerUnit
		fits := true
		for i, v := range vs[1:] {
			t := (vs[i] + v) / 2 * b.PerUnit
			fits = fits && t == float32(int(t)) && t >= -half && t < half
		}
		if !fits {
			continue
		}
		for n := -half; n <= half; n++ {
			zone := 0
			for zone < len(vs)-1 && float32(n) > (vs[zone]+vs[zone+1])/2*b.PerUnit {
				zone++
			}
			b.Edges[n&(coding.Cells-1)] = vs[zone]
		}
		return
	}
	b.PerUnit, b.Limit = 0, 0
}

// find returns the value for a ratio, by cells.
func (b *book) find(r float32) float32 {
	c := int32(max(0, min(coding.Cells-1, float32(r*b.Inv)+b.Off)))
	if r > b.Thresholds[c] {
		c++
	}
	return b.Values[c]
}

// value returns the value of the codebook for a ratio.
func (b *book) value(r float32) float32 {
	if b.rounds {
		return b.nearest(r)
	}
	return b.find(r)
}

// newBooks returns the candidates of t.
func newBooks(t datatype.Type) []book {
	cbs := t.Codebooks()
	books := make([]book, len(cbs))
	for i, cb := range cbs {
		if t.Asymmetric() && i > 0 { // the first one's integers, moved
			books[i] = books[0]
			b := &books[i]
			b.low, b.high = -float64(i), float64(len(cbs)-1-i)
			b.Low, b.High = float32(b.low), float32(b.high)
			continue
		}
		books[i] = newBook(cb.Values())
	}
	return books
}
