package search

import (
	"math"
	"slices"
)

// A profile is a group of weights prepared for search: in ascending order, with
// running sums, from which the sums over any interval of weights are differences.
// Weights that are equal stay in their order.
type profile struct {
	w     []float64 // ascending
	sums  []sum     // of the first i weights
	total float64   // Σ a·w²

	// The weights in an interval of the line: at start[c] begin those whose cell is c
	// or above. Cells are of equal width.
	start   []int32
	inv     float64
	crowded bool    // some cell has many
	order   []int32 // where in the group w comes from
}

// A sum is of importances a and products a·w.
type sum struct{ a, aw float64 }

// load prepares the group w, which it doesn't keep. A nil importance is 1
// throughout.
func (p *profile) load(w, importance []float64) {
	n := len(w)
	if cap(p.w) < n || p.sums == nil {
		p.w, p.order = make([]float64, n), make([]int32, n)
		p.sums = make([]sum, n+1)
		p.start = make([]int32, 2*n+2)
	}
	p.w, p.order, p.sums = p.w[:n], p.order[:n], p.sums[:n+1]
	p.start = p.start[:2*n+2]
	p.sort(w)
	s := sum{}
	p.total = 0
	p.sums[0] = s
	for i, x := range p.w {
		a := 1.
		if importance != nil {
			a = importance[p.order[i]]
		}
		aw := float64(a * x)
		s.a += a
		s.aw += aw
		p.total += float64(aw * x)
		p.sums[i+1] = s
	}
}

// sort sets w, order and the cells: a counting sort by cells, of which there are two
// a weight, and an insertion sort within them, or a general one where weights are so
// uneven that some cell has many.
func (p *profile) sort(w []float64) {
	clear(p.start)
	if len(w) == 0 {
		return
	}
	lo, hi := w[0], w[0]
	for _, x := range w {
		lo, hi = min(lo, x), max(hi, x)
	}
	cells := len(p.start) - 2
	// The last weight's cell number is cells−1, or one more after rounding. A range
	// that is 0 or overflows gets one cell for all, which is slow and right.
	if p.inv = float64(cells-1) / (hi - lo); math.IsInf(p.inv, 0) || math.IsNaN(p.inv) {
		p.inv = 0
	}
	for _, x := range w {
		p.start[int((x-lo)*p.inv)+1]++
	}
	p.crowded = false
	for c := 1; c < len(p.start); c++ {
		p.crowded = p.crowded || p.start[c] > 16
		p.start[c] += p.start[c-1]
	}
	if p.crowded {
		p.sortGeneral(w)
		return
	}
	// start[c] is where cell c begins; while placing, where its next weight goes.
	for i, x := range w {
		c := int((x - lo) * p.inv)
		at := p.start[c]
		p.start[c]++
		p.w[at], p.order[at] = x, int32(i)
	}
	copy(p.start[1:], p.start)
	p.start[0] = 0
	for i := 1; i < len(p.w); i++ {
		x, o := p.w[i], p.order[i]
		j := i
		for ; j > 0 && p.w[j-1] > x; j-- {
			p.w[j], p.order[j] = p.w[j-1], p.order[j-1]
		}
		p.w[j], p.order[j] = x, o
	}
}

func (p *profile) sortGeneral(w []float64) {
	for i := range p.order {
		p.order[i] = int32(i)
	}
	slices.SortStableFunc(p.order, func(a, b int32) int {
		switch {
		case w[a] < w[b]:
			return -1
		case w[a] > w[b]:
			return 1
		}
		return 0
	})
	for i, o := range p.order {
		p.w[i] = w[o]
	}
}

// below returns how many weights are at most x.
func (p *profile) below(x float64) int {
	w := p.w
	if len(w) == 0 || x < w[0] {
		return 0
	}
	if x >= w[len(w)-1] {
		return len(w)
	}
	// Rounding is monotonic: weights in cells below x's are at most x, and those in
	// cells above it are greater.
	c := int((x - w[0]) * p.inv)
	lo, hi := int(p.start[c]), int(p.start[c+1])
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if w[mid] <= x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// fit rounds the group to the codebook at scale delta > 0. If all weights had the
// greatest value q, the sums would be q·Σaw and q²·Σa; each step takes its part from
// those that are not above its threshold.
func (p *profile) fit(b *book, delta float64) fit {
	n := len(p.w)
	all := p.sums[n]
	f := fit{float64(b.high * all.aw), float64(b.highSquared * all.a)}
	if n == 0 {
		return f
	}
	first, last, inv := p.w[0], p.w[n-1], p.inv
	for i := range b.steps {
		s := &b.steps[i]
		x := float64(s.threshold * delta)
		at := n
		switch {
		case p.crowded:
			at = p.below(x)
		case x < first:
			at = 0
		case x < last: // as below, but one by one: there is about one in a cell
			at = int(p.start[int((x-first)*inv)])
			for p.w[at] <= x {
				at++
			}
		}
		sum := &p.sums[at]
		f.awq -= float64(s.up * sum.aw)
		f.aqq -= float64(s.upSquared * sum.a)
	}
	return f
}

// full returns the scale at which no weight is beyond the ends of the codebook, or
// as near to that as a codebook with one sign allows.
func (p *profile) full(b *book) float64 {
	var delta float64
	if n := len(p.w); n > 0 {
		if b.high > 0 {
			delta = max(delta, p.w[n-1]/b.high)
		}
		if b.low < 0 {
			delta = max(delta, p.w[0]/b.low)
		}
	}
	return delta
}
