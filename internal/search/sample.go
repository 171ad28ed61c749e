package search

import (
	"math"

	"github.com/bitmod-go/bitmod/internal/loops/coding"
)

// A sample is a group of weights prepared for search: divided by a power of two, so
// that none is above 1, in float32, and followed by zeros without importance to a
// multiple of coding.FitLanes.
type sample struct {
	w, a   []float32 // weights and importances
	unit   float64   // the power of two
	lo, hi float64   // the least and the greatest of w
	total  float64   // Σ a·w²

	set *coding.Set // nil for portable code
	inv [maxScales]float32
	out [maxScales]coding.FitSums
	arg coding.FitArgs
}

// maxScales is the most scales that fit takes.
const maxScales = 32

// leastImportance is where importances are taken for 0, relative to the largest.
const leastImportance = 0x1p-60

// load prepares the group w, which it doesn't keep. A nil importance is 1 throughout.
func (p *sample) load(w, importance []float64) {
	n := (len(w) + coding.FitLanes - 1) / coding.FitLanes * coding.FitLanes
	if cap(p.w) < n {
		p.w, p.a = make([]float32, n), make([]float32, n)
	}
	p.w, p.a = p.w[:n], p.a[:n]
	var lo, hi float64
	if len(w) > 0 {
		lo, hi = w[0], w[0]
	}
	for _, x := range w {
		if x < lo {
			lo = x
		}
		if x > hi {
			hi = x
		}
	}
	p.unit = ceilPower(max(-lo, hi))
	inv := 1 / p.unit
	p.lo, p.hi = lo*inv, hi*inv
	for i, x := range w {
		p.w[i] = float32(x * inv)
	}
	if importance == nil {
		for i := range w {
			p.a[i] = 1
		}
	}
	if importance != nil {
		var most float64
		for _, a := range importance {
			most = max(most, a)
		}
		inv := 1 / ceilPower(most)
		for i, a := range importance {
			p.a[i] = 0
			if a *= inv; a >= leastImportance {
				p.a[i] = float32(a)
			}
		}
	}
	clear(p.w[len(w):])
	clear(p.a[len(w):])
	var s0, s1, s2, s3 float64 // whose additions the processor overlaps
	for i := 0; i < n; i += 4 {
		w, a := (*[4]float32)(p.w[i:]), (*[4]float32)(p.a[i:])
		x0, x1, x2, x3 := float64(w[0]), float64(w[1]), float64(w[2]), float64(w[3])
		s0 += float64(float64(a[0]) * float64(x0*x0))
		s1 += float64(float64(a[1]) * float64(x1*x1))
		s2 += float64(float64(a[2]) * float64(x2*x2))
		s3 += float64(float64(a[3]) * float64(x3*x3))
	}
	p.total = (s0 + s1) + (s2 + s3)
}

// ceilPower returns a power of two that is not below x and, apart from the ends of the
// range, not above 2x.
func ceilPower(x float64) float64 {
	const exponents = 0x7ff << 52
	x = max(0x1p-1000, min(x, 0x1p1000))
	return 2 * math.Float64frombits(math.Float64bits(x)&exponents)
}

// fit rounds the sample to a codebook at scales, which are positive and not more than
// maxScales. The result lasts until the next call.
func (p *sample) fit(b *book, deltas []float64) []coding.FitSums {
	for i, d := range deltas {
		p.inv[i] = float32(1 / d)
	}
	if len(p.w) == 0 || len(deltas) == 0 {
		clear(p.out[:])
		return p.out[:len(deltas)]
	}
	if p.set == nil {
		for i, inv := range p.inv[:len(deltas)] {
			p.out[i] = p.sums(b, inv)
		}
		return p.out[:len(deltas)]
	}
	p.arg = coding.FitArgs{W: &p.w[0], A: &p.a[0], N: len(p.w), Inv: &p.inv[0], Sums: &p.out[0], Scales: len(deltas), Book: &b.Book}
	if b.rounds {
		p.set.FitRound(&p.arg)
	} else {
		p.set.FitCells(&p.arg)
	}
	return p.out[:len(deltas)]
}

// sums is fit for one scale in portable code, as coding.FitArgs has it.
func (p *sample) sums(b *book, inv float32) coding.FitSums {
	const lanes = coding.FitLanes
	var dd, dq, qq [lanes]float32
	for i := 0; i < len(p.w); i += lanes {
		w, a := (*[lanes]float32)(p.w[i:]), (*[lanes]float32)(p.a[i:])
		for j := range lanes {
			r := float32(w[j] * inv)
			q := b.value(r)
			d := r - q
			aq, ad := float32(a[j]*q), float32(a[j]*d)
			dd[j] += float32(ad * d)
			dq[j] += float32(aq * d)
			qq[j] += float32(aq * q)
		}
	}
	for n := lanes / 2; n > 0; n /= 2 {
		for i := range n {
			dd[i] += dd[i+n]
			dq[i] += dq[i+n]
			qq[i] += qq[i+n]
		}
	}
	return coding.FitSums{DD: dd[0], DQ: dq[0], QQ: qq[0]}
}

// full returns the scale at which no weight is beyond the ends of the codebook, or
// as near to that as a codebook with one sign allows.
func (p *sample) full(b *book) float64 {
	var delta float64
	if b.high > 0 {
		delta = max(delta, p.hi/b.high)
	}
	if b.low < 0 {
		delta = max(delta, p.lo/b.low)
	}
	return delta
}
