package search

import (
	"math"

	"github.com/bitmod-go/bitmod/internal/loops/coding"
)

// A sample is a group of weights prepared for search: float32s divided by a power of
// two, so that none is above 1, and padded to a multiple of coding.FitLanes with zeros
// of importance 0.
type sample struct {
	w, a   []float32 // weights and importances
	ones   []float64 // importances of none
	unit   float64   // the power of two
	lo, hi float64   // the least and the greatest of w
	total  float64   // Σ a·w²

	set *coding.Set // nil for portable code
	inv [maxScales]float32
	out [maxScales]coding.FitSums
	arg coding.FitArgs

	surveyArgs coding.SurveyArgs
	sampleArgs coding.SampleArgs
}

// maxScales is the most scales that fit takes.
const maxScales = 32

// leastImportance is the importance, relative to the largest, below which importances
// count as 0.
const leastImportance = 0x1p-60

// load prepares the group w, which it does not keep. An importance that is nil or 0
// throughout counts as 1 throughout. load reports whether all weights and the sum of
// their weighted squares are finite.
func (p *sample) load(w, importance []float64) (finite bool) {
	n := (len(w) + coding.FitLanes - 1) / coding.FitLanes * coding.FitLanes
	if cap(p.w) < n {
		p.w, p.a = make([]float32, n), make([]float32, n)
	}
	p.w, p.a = p.w[:n], p.a[:n]
	if n > 0 {
		p.arg.W, p.arg.A, p.arg.N = &p.w[0], &p.a[0], n
	}
	var most float64
	if importance != nil {
		most = p.survey(w, importance)
	}
	if most == 0 {
		for len(p.ones) < len(w) {
			p.ones = append(p.ones, 1)
		}
		importance = p.ones[:len(w)]
		most = p.survey(w, importance)
	}
	p.unit = ceilPower(max(-p.lo, p.hi))
	inv := 1 / p.unit
	p.scale(w, importance, inv, 1/ceilPower(most))
	finite = p.lo >= -math.MaxFloat32 && p.hi <= math.MaxFloat32 && p.total == p.total
	p.lo, p.hi = p.lo*inv, p.hi*inv
	return finite
}

// survey sets p.lo and p.hi to the least and the greatest weights, and returns the greatest
// importance or 0.
func (p *sample) survey(w, importance []float64) (most float64) {
	p.lo, p.hi = 0, 0
	if len(w) == 0 {
		return 0
	}
	a := &p.surveyArgs
	for i := range coding.WideLanes {
		a.Lo[i], a.Hi[i], a.Most[i] = w[0], w[0], 0
	}
	whole := 0
	if p.set != nil && p.set.Survey != nil && len(w) >= coding.WideLanes {
		whole = len(w) &^ (coding.WideLanes - 1)
		a.W, a.A, a.N = &w[0], &importance[0], whole
		p.set.Survey(a)
	}
	importance = importance[:len(w)]
	for i := whole; i < len(w); i++ {
		lane := i % coding.WideLanes
		a.Lo[lane] = lesser(w[i], a.Lo[lane])
		a.Hi[lane] = -lesser(-w[i], -a.Hi[lane])
		a.Most[lane] = -lesser(-importance[i], -a.Most[lane])
	}
	lo, hi, most := a.Lo[0], a.Hi[0], a.Most[0]
	for i := 1; i < coding.WideLanes; i++ {
		lo, hi, most = lesser(a.Lo[i], lo), -lesser(-a.Hi[i], -hi), -lesser(-a.Most[i], -most)
	}
	p.lo, p.hi = lo, hi
	return most
}

// lesser is min without the care that min takes of NaN.
func lesser(a, b float64) float64 {
	if a < b {
		return a
	}
	return b
}

// scale sets p.w, p.a and p.total.
func (p *sample) scale(w, importance []float64, scaleW, scaleA float64) {
	a := &p.sampleArgs
	a.Total = [coding.WideLanes]float64{}
	whole := 0
	if p.set != nil && p.set.Sample != nil && len(w) >= coding.WideLanes {
		whole = len(w) &^ (coding.WideLanes - 1)
		a.W, a.A, a.N, a.DstW, a.DstA = &w[0], &importance[0], whole, &p.w[0], &p.a[0]
		a.ScaleW, a.ScaleA, a.Least = scaleW, scaleA, leastImportance
		p.set.Sample(a)
	}
	for i := whole; i < len(w); i++ {
		p.w[i], p.a[i] = float32(w[i]*scaleW), 0
		if x := importance[i] * scaleA; x >= leastImportance {
			p.a[i] = float32(x)
		}
		x := float64(p.w[i])
		a.Total[i%coding.WideLanes] += float64(float64(p.a[i]) * float64(x*x))
	}
	p.total = (a.Total[0] + a.Total[1]) + (a.Total[2] + a.Total[3])
	clear(p.w[len(w):])
	clear(p.a[len(w):])
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
	p.arg.Inv, p.arg.Sums, p.arg.Scales, p.arg.Book = &p.inv[0], &p.out[0], len(deltas), &b.Book
	switch {
	case b.rounds:
		p.set.FitRound(&p.arg)
	case b.PerUnit > 0 && p.set.FitEdges != nil:
		p.set.FitEdges(&p.arg)
	default:
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

// full returns the least scale at which no weight is beyond the ends of the codebook. A
// codebook with values of one sign gives the nearest scale to that.
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
