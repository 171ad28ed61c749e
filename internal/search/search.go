// Package search looks for the scale and the codebook with the least squared error for
// a group of weights, where [group.Selector] takes the scale from the largest weight.
// Its scales are stored scales, and codes are rounded against them. It is not part of
// the paper.
//
//	sample.go  a group, and the sums of its errors at some scales
//	book.go    a codebook as a table or as a way of rounding
//	search.go  the scales that are tried, and what is kept of them
package search

import (
	"fmt"
	"math"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/internal/errs"
	"github.com/bitmod-go/bitmod/internal/loops/coding"
	"github.com/bitmod-go/bitmod/internal/scale"
)

// A Searcher searches groups of one type. It is immutable and safe for concurrent use.
//
// The technique is that of ggml's k-quants (ggml-quants.c, make_qx_quants). For each
// candidate codebook, weights are rounded at a number of scales Δ. With the values q
// that this gives and the remainders d = w/Δ − q, the best scale is Δ·(1 + Σa·q·d /
// Σa·q²), and its error is Δ²·(Σa·d² − (Σa·q·d)²/Σa·q²). The scale with the least error
// is refined by rounding and fitting again. Sums are of float32, in an order that
// vector instructions can keep, so that every processor finds the same.
type Searcher struct {
	typ     datatype.Type
	books   []book
	factors []float64
	set     *coding.Set
}

// New returns a Searcher for t. factors are the scales that are tried first, at most 32
// of them, relative to the scale at which no weight is beyond the codebook. No factors
// stand for 1.12, 1.08 … 0.40. Refinement finds the scales between them. If t is not
// valid, the error wraps [datatype.ErrUnknown].
func New(t datatype.Type, factors ...float64) (*Searcher, error) {
	if !t.Valid() {
		return nil, fmt.Errorf("search: %w: %v", datatype.ErrUnknown, t)
	}
	if len(factors) == 0 {
		factors = usual
	}
	return &Searcher{typ: t, books: newBooks(t), factors: factors[:min(len(factors), maxScales)], set: coding.Best()}, nil
}

// With returns s with another set of loops, nil for portable code. Every set finds the
// same; tests compare them.
func (s *Searcher) With(set *coding.Set) *Searcher {
	c := *s
	c.set = set
	return &c
}

// Candidates holds the best scale of each candidate codebook for one group. The next
// [Searcher.Find] reuses its memory, some 8 bytes a weight. It is for one goroutine.
type Candidates struct {
	searcher *Searcher
	sample   sample
	found    []found // by codebook
	best     int     // codebook
	deltas   [maxScales]float64
}

// A found is the result for one codebook, in units of the sample.
type found struct {
	delta float64 // the scale that was found, 0 if the codebook wasn't tried
	err   float64 // Σ a·(w − Δ·q)²
}

var usual = func() []float64 {
	factors := make([]float64, 19)
	for i := range factors {
		factors[i] = 1.12 - float64(i)*.04
	}
	return factors
}()

const refinements = 3

// near is how many times the least error a codebook's error may be for refinement to be
// tried. Refinement gains some percent.
const near = 1.1

// Find looks for the scales of the group w and keeps them in c. An importance ≥ 0 for
// each weight multiplies its squared error; one that is nil or 0 throughout counts as 1
// throughout. Find allocates only for a group that is longer than any before.
//
// The error is a *[errs.Weight] for a weight that is not finite or beyond float32. An
// importance that is not nil must be as long as w. Importances that are NaN, negative,
// or so large that a·w² overflows are not checked for, and give poor scales.
func (s *Searcher) Find(c *Candidates, w, importance []float64) error {
	if len(c.found) != len(s.books) {
		c.found = make([]found, len(s.books))
	}
	c.searcher = s
	c.sample.set = s.set
	if !c.sample.load(w, importance) {
		for i, x := range w {
			if !(math.Abs(x) <= math.MaxFloat32) {
				return &errs.Weight{Index: i, Value: x}
			}
		}
	}
	if c.sample.total == 0 && importance != nil {
		// All weights of importance above 0 are 0. Fit the others as if all had the
		// same.
		c.sample.load(w, nil)
	}
	c.find()
	return nil
}

func (c *Candidates) find() {
	s := c.searcher
	for i := range c.found {
		c.found[i] = found{err: c.sample.total}
	}
	if s.typ.Asymmetric() {
		c.findZero()
	} else {
		for i := range s.books {
			c.scan(i)
		}
		c.choose()
		for i := range s.books {
			if c.found[i].err <= near*c.found[c.best].err {
				c.settle(i)
			}
		}
	}
	c.choose()
}

// choose sets the best codebook.
func (c *Candidates) choose() {
	c.best = 0
	for i, f := range c.found {
		if f.err < c.found[c.best].err {
			c.best = i
		}
	}
}

// scan tries codebook i at every third factor, and then at the factors between the best
// of them and its neighbours. Factors are relative to the scale at which no weight is
// beyond the codebook. That scale is the result if there is nothing to fit.
func (c *Candidates) scan(i int) {
	const stride = 3
	full := c.sample.full(&c.searcher.books[i])
	factors := c.searcher.factors
	deltas := c.deltas[:0]
	for j := stride / 2; j < len(factors); j += stride {
		deltas = append(deltas, full*factors[j])
	}
	best := c.try(i, deltas)
	if best < 0 {
		c.found[i].delta = full
		return
	}
	best = stride/2 + stride*best
	deltas = c.deltas[:0]
	for j := max(best-stride+1, 0); j < min(best+stride, len(factors)); j++ {
		if j != best {
			deltas = append(deltas, full*factors[j])
		}
	}
	c.try(i, deltas)
}

// tiny is a lower bound of the scales that are tried, relative to the largest weight.
// It is far below what any codebook needs, and large enough that no squares overflow.
const tiny = 0x1p-40

// try fits codebook i to the codes of some scales. It returns the index of the last
// scale that was better than all before it, including those of earlier calls, or −1.
func (c *Candidates) try(i int, deltas []float64) (best int) {
	best = -1
	for _, d := range deltas {
		if !(d > tiny) {
			return best
		}
	}
	f := &c.found[i]
	for j, s := range c.sample.fit(&c.searcher.books[i], deltas) {
		dd, dq, qq := float64(s.DD), float64(s.DQ), float64(s.QQ)
		if !(qq > 0 && dq > -qq) {
			continue
		}
		delta, move := deltas[j], dq/qq
		scale := delta * (1 + move)
		err := float64(delta*delta) * max(0, dd-float64(dq*move))
		if err < f.err && scale*c.sample.unit <= math.MaxFloat32 {
			*f = found{scale, err}
			best = j
		}
	}
	return best
}

// settle refines the scale of codebook i.
func (c *Candidates) settle(i int) {
	for range refinements {
		c.deltas[0] = c.found[i].delta
		if c.try(i, c.deltas[:1]) < 0 {
			break
		}
	}
}

// findZero is the search for asymmetric integers. For each scale it tries the
// zero-points that let the group's lower or upper end, or its middle, fall on the
// integers' own.
func (c *Candidates) findZero() {
	top := float64(len(c.searcher.books) - 1)
	lo, hi := min(c.sample.lo, 0), max(c.sample.hi, 0)
	full := (hi - lo) / top
	if !(full > tiny) {
		return
	}
	first, last := int(top), 0
	var zeros [maxScales][3]int // by factor
	for j, r := range c.searcher.factors {
		delta := full * r
		for i, z := range [...]float64{-lo / delta, (top - (hi+lo)/delta) / 2, top - hi/delta} {
			z := int(max(0, min(top, math.RoundToEven(z))))
			zeros[j][i] = z
			first, last = min(first, z), max(last, z)
		}
	}
	// Neighbours among the factors often have the same zero-point.
	for i := range 3 {
		deltas, of := c.deltas[:0], 0
		for j, r := range c.searcher.factors {
			z := zeros[j][i]
			if i > 0 && z == zeros[j][i-1] {
				continue
			}
			if z != of && len(deltas) > 0 {
				c.try(of, deltas)
				deltas = c.deltas[:0]
			}
			deltas, of = append(deltas, full*r), z
		}
		if len(deltas) > 0 {
			c.try(of, deltas)
		}
	}
	for z := first; z <= last; z++ {
		if c.found[z].delta > 0 {
			c.settle(z)
		}
	}
	if z := int(min(math.RoundToEven(-lo/full), top)); c.found[z].delta == 0 {
		c.found[z].delta = full
	}
}

// Free returns the best codebook with the scale that fits best, before it is rounded
// to 8 bits. Scale is not set.
func (c *Candidates) Free() group.Choice {
	if len(c.found) == 0 {
		return group.Choice{}
	}
	return group.Choice{Codebook: c.best, Delta: c.found[c.best].delta * c.sample.unit}
}

// Stored returns the best codebook with a scale that can be stored: Scale is the stored
// byte and Delta is its value, against which [group.Selector.Encode] rounds codes.
// outer is the step of the row or, for types with E4M3 scales, the scale of the tensor.
// Stored tries the 8-bit scales next to the fitted one for every codebook: one on each
// side, or two for E8M0 and E4M3. For asymmetric integers it tries the zero-points next
// to the best.
func (c *Candidates) Stored(outer float32) group.Choice {
	if len(c.found) == 0 || c.sample.full(&c.searcher.books[0]) == 0 && !c.searcher.typ.Asymmetric() {
		return group.Choice{}
	}
	lo, hi := 0, len(c.found)
	if c.searcher.typ.Asymmetric() {
		lo, hi = max(c.best-1, 0), min(c.best+2, hi)
	}
	f := c.searcher.typ.Scale()
	step := float64(outer)
	if f == datatype.E8M0 {
		step = 1
	}
	// With a scale of 0 the error is Σ a·w².
	best := group.Choice{Codebook: c.best}
	least := c.sample.total
	if f == datatype.E8M0 {
		least = math.Inf(1) // there is no 0
	}
	if !(step > 0) {
		return best
	}
	for i := lo; i < hi; i++ {
		d := c.found[i].delta * c.sample.unit
		if d == 0 || c.found[i].err > near*c.found[c.best].err && d > 32*step {
			continue // rounding the scale adds less than to be the best takes
		}
		first := int(scale.Floor(f, d/step))
		last := first + 1
		if f != datatype.RowStep {
			first, last = max(first-1, 0), last+1
		}
		deltas := c.deltas[:0]
		for b := first; b <= last && b < 256 && f.Value(uint8(b)) >= 0; b++ {
			// A scale of 0 has no ratios, and its error is known.
			delta := float64(f.Value(uint8(b))) * step / c.sample.unit
			if !(delta > tiny) {
				first = b + 1
				continue
			}
			deltas = append(deltas, delta)
		}
		for j, s := range c.sample.fit(&c.searcher.books[i], deltas) {
			e := float64(deltas[j]*deltas[j]) * float64(s.DD)
			if e < least {
				b := uint8(first + j)
				best, least = group.Choice{Codebook: i, Delta: float64(f.Value(b)) * step, Scale: b}, e
			}
		}
	}
	return best
}
