package group

import (
	"cmp"
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
)

// A class gathers the candidate codebooks that get the same scale, so that one
// search serves all. The real line of ratios w/Δ is cut at the decision
// thresholds of all of them into zones; within a zone each codebook has one
// code.
type class struct {
	max  float64 // the largest magnitude of the codebooks
	cuts []cut   // ascending

	// The zone of a ratio r is found with one look-up: cells[int(r·inv + off)]
	// has at most one threshold, well inside.
	inv, off float64
	cells    []cell

	members []member

	// The results of the last group measured.
	scale Choice
	zones []uint8
}

// A cut is where one zone ends and the next begins.
type cut struct {
	at float64
	up bool // whether a ratio that is at it belongs to the zone above
}

// threshold returns the last ratio of the zone below.
func (c cut) threshold() float64 {
	if c.up {
		return math.Nextafter(c.at, math.Inf(-1))
	}
	return c.at
}

type cell struct {
	threshold float64 // +Inf if none
	zone      uint8   // of ratios in the cell up to and including the threshold
}

// A member is a codebook, indexed by zone. The arrays have 256 elements, so that indexing
// them by a byte needs no bounds check.
type member struct {
	values [256]float64
	codes  [256]uint8
	err    float64 // of the last group measured
}

func newClasses(t datatype.Type, cbs []datatype.Codebook) ([]class, []trial) {
	var classes []class
	var books [][]datatype.Codebook // by class
	trials := make([]trial, len(cbs))
	for i, cb := range cbs {
		m := float64(cb.MaxAbs())
		j := slices.IndexFunc(classes, func(k class) bool {
			return k.max == m || t.Scale() == datatype.E8M0 // E8M0 scales do not depend on m
		})
		if j < 0 {
			j = len(classes)
			classes = append(classes, class{max: m})
			books = append(books, nil)
		}
		trials[i] = trial{class: j, member: len(books[j])}
		books[j] = append(books[j], cb)
	}
	for j := range classes {
		classes[j].build(books[j])
	}
	return classes, trials
}

func (k *class) build(cbs []datatype.Codebook) {
	for _, cb := range cbs {
		vs := cb.Values()
		slices.Sort(vs)
		vs = slices.Compact(vs)
		for i := range vs[1:] {
			at := (float64(vs[i]) + float64(vs[i+1])) / 2
			k.cuts = append(k.cuts, cut{at, cb.Value(cb.Encode(at)) == vs[i+1]})
		}
	}
	slices.SortFunc(k.cuts, func(a, b cut) int { return cmp.Compare(a.threshold(), b.threshold()) })
	k.cuts = slices.Compact(k.cuts)
	thresholds := make([]float64, len(k.cuts))
	for i, c := range k.cuts {
		thresholds[i] = c.threshold()
	}

	k.members = make([]member, len(cbs))
	for i, cb := range cbs {
		for z := range len(thresholds) + 1 {
			// A threshold belongs to the zone below it.
			r := math.Inf(1)
			if z < len(thresholds) {
				r = thresholds[z]
			}
			code := cb.Encode(r)
			k.members[i].codes[z] = code
			k.members[i].values[z] = float64(cb.Value(code))
		}
	}
	k.grid(thresholds)
}

// grid chooses the widest cells, and a shift of them, in which no two thresholds
// fall and none comes near an edge, where the rounding of r·inv + off decides.
func (k *class) grid(thresholds []float64) {
	const margin = 1. / 64 // of a cell
	lo, hi := thresholds[0], thresholds[len(thresholds)-1]
search:
	for k.inv = 1. / 16; ; k.inv *= 2 {
		for shift := range 16 {
			k.off = 1 + float64(shift)/16 - math.Floor(lo*k.inv)
			last := -1.
			fits := true
			for _, t := range thresholds {
				c, frac := math.Modf(t*k.inv + k.off)
				fits = fits && c > last && frac > margin && frac < 1-margin
				last = c
			}
			if fits {
				break search
			}
		}
	}
	k.cells = make([]cell, int(hi*k.inv+k.off)+2)
	z := 0
	for c := range k.cells {
		k.cells[c] = cell{threshold: math.Inf(1), zone: uint8(z)}
		if z < len(thresholds) && int(thresholds[z]*k.inv+k.off) == c {
			k.cells[c].threshold = thresholds[z]
			z++
		}
	}
}

// measure finds the scale and the zones of the group w and, if compare is set,
// the squared error of every member, weighted by importance if that is not nil.
func (k *class) measure(t datatype.Type, w, importance []float64, amax float64, tensorScale float32, compare bool) {
	k.scale = candidateScale(t, amax, k.max, tensorScale)
	if len(k.zones) < len(w) {
		k.zones = make([]uint8, len(w))
	}
	zones := k.zones[:len(w)]
	k.classify(zones, w, amax, k.scale.Delta)
	if compare {
		k.errors(zones, w, importance)
	}
}

// errors sets the errors of the members for the group w. The zones and the scale must
// be set.
func (k *class) errors(zones []uint8, w, importance []float64) {
	delta := k.scale.Delta
	ms := k.members
	if importance != nil {
		for ; len(ms) >= 2; ms = ms[2:] {
			weightedErrors(&ms[0], &ms[1], zones, w, importance, delta)
		}
		if len(ms) == 1 {
			weightedErrors(&ms[0], &ms[0], zones, w, importance, delta)
		}
		return
	}
	for ; len(ms) >= 2; ms = ms[2:] {
		squaredErrors(&ms[0], &ms[1], zones, w, delta)
	}
	if len(ms) == 1 {
		squaredErrors(&ms[0], &ms[0], zones, w, delta)
	}
}

// classify sets zones to the zones of the ratios w/delta.
func (k *class) classify(zones []uint8, w []float64, amax, delta float64) {
	zones = zones[:len(w)]
	// Only a saturated E4M3 scale leaves ratios far outside the codebook. The number of
	// their cell may overflow an int.
	if limit := 4 * k.max; !(amax/delta < limit) {
		for i, x := range w {
			zones[i] = k.zone(within(ratio(x, delta), limit))
		}
		return
	}
	cells, inv, off := k.cells, k.inv, k.off
	for i, x := range w {
		r := x / delta
		c := int(float64(r*inv) + off)
		if uint(c) >= uint(len(cells)) {
			c = min(max(c, 0), len(cells)-1)
		}
		cell := &cells[c]
		zones[i] = cell.zone + uint8(one(r > cell.threshold))
	}
}

// zone returns the zone of the ratio r.
func (k *class) zone(r float64) uint8 {
	c := min(max(int(float64(r*k.inv)+k.off), 0), len(k.cells)-1)
	return k.cells[c].zone + uint8(one(r > k.cells[c].threshold))
}

// squaredErrors sets the errors of two members at once, so that the processor overlaps
// their two chains of additions.
func squaredErrors(a, b *member, zones []uint8, w []float64, delta float64) {
	zones = zones[:len(w)]
	var sa, sb float64
	for i, x := range w {
		z := zones[i]
		ea := x - float64(delta*a.values[z])
		eb := x - float64(delta*b.values[z])
		sa += float64(ea * ea)
		sb += float64(eb * eb)
	}
	a.err, b.err = sa, sb
}

// weightedErrors is squaredErrors with a factor for each weight.
func weightedErrors(a, b *member, zones []uint8, w, importance []float64, delta float64) {
	zones, importance = zones[:len(w)], importance[:len(w)]
	var sa, sb float64
	for i, x := range w {
		z := zones[i]
		ea := x - float64(delta*a.values[z])
		eb := x - float64(delta*b.values[z])
		sa += float64(float64(importance[i]*ea) * ea)
		sb += float64(float64(importance[i]*eb) * eb)
	}
	a.err, b.err = sa, sb
}
