// Package search looks for the scale and the codebook of a group of weights with the
// least squared error, where [group.Selector] takes the scale from the largest weight.
// It gives scales as they are stored, against which codes are then rounded. It is not
// part of the paper.
//
//	profile.go  a group, sorted, with sums over any interval of weights
//	book.go     a codebook as thresholds and steps
//	search.go   the scales that are tried, and what is kept of them
package search

import (
	"fmt"
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
)

// A Searcher searches groups of one type. It is immutable and safe for concurrent use.
//
// The technique is that of ggml's k-quants (ggml-quants.c, make_qx_quants): for each
// candidate codebook, weights are rounded at a number of scales, and for the codes
// that they get there, the best scale is Σa·w·q / Σa·q², which leaves an error of
// Σa·w² − (Σa·w·q)²/Σa·q². The scale with the least error is refined by rounding and
// fitting again. A group is sorted once; its sums for a codebook and a scale then
// take one look-up for each pair of neighbouring values, not for each weight.
type Searcher struct {
	typ   datatype.Type
	books []book
}

// New returns a Searcher for t. The error wraps [datatype.ErrUnknown] and is
// for a t that is not valid.
func New(t datatype.Type) (*Searcher, error) {
	if !t.Valid() {
		return nil, fmt.Errorf("search: %w: %v", datatype.ErrUnknown, t)
	}
	return &Searcher{typ: t, books: newBooks(t)}, nil
}

// Candidates is what the candidate codebooks of a type can do for one group. Its
// memory, some 60 bytes a weight, is used again by the next [Searcher.Find]. It is for one
// goroutine.
type Candidates struct {
	searcher *Searcher
	profile  profile
	found    []found // by codebook
	best     int     // codebook
}

type found struct {
	delta float64 // the scale that was found, 0 if the codebook wasn't tried
	gain  float64 // by how much the error is below Σ a·w²
}

// ratios are the scales that are tried first, relative to that at which no weight is
// beyond the codebook. What lies between is for refinement to find.
var ratios = func() (r [19]float64) {
	for i := range r {
		r[i] = 1.12 - float64(i)*.04
	}
	return r
}()

const refinements = 3

// Find looks for the scales of the group w and keeps them in c, with an importance
// ≥ 0 for each weight by which squared errors are multiplied. A nil importance, and
// one that is 0 throughout, count as 1 throughout. It allocates only for a group
// that is longer than any before.
//
// The error is a *[group.WeightError] for a weight that is not finite or beyond
// float32. An importance that is not nil must be as long as w; that one is NaN,
// negative, or so large that a·w² overflows is not checked, and scales are then poor
// ones.
func (s *Searcher) Find(c *Candidates, w, importance []float64) error {
	for i, x := range w {
		if !(math.Abs(x) <= math.MaxFloat32) {
			return &group.WeightError{Index: i, Value: x}
		}
	}
	if !slices.ContainsFunc(importance, func(a float64) bool { return a != 0 }) {
		importance = nil
	}
	if len(c.found) != len(s.books) {
		c.found = make([]found, len(s.books))
	}
	c.searcher = s
	c.profile.load(w, importance)
	c.find()
	if c.found[c.best].gain == 0 && importance != nil {
		// Only zeros matter. Whatever the rest becomes, let it be near.
		c.profile.load(w, nil)
		c.find()
	}
	return nil
}

func (c *Candidates) find() {
	s := c.searcher
	clear(c.found)
	if s.typ.Asymmetric() {
		c.findZero()
	} else {
		for i := range s.books {
			full := c.profile.full(&s.books[i])
			for _, r := range ratios {
				c.try(i, float64(full*r))
			}
			c.settle(i, full)
		}
	}
	c.best = 0
	for i, f := range c.found {
		if f.gain > c.found[c.best].gain {
			c.best = i
		}
	}
}

// try fits codebook i to the codes of one scale.
func (c *Candidates) try(i int, delta float64) (better bool) {
	if !(delta > 0) {
		return false
	}
	f := c.profile.fit(&c.searcher.books[i], delta)
	if !(f.awq > 0 && f.aqq > 0) {
		return false
	}
	scale := f.awq / f.aqq
	if gain := f.awq * scale; gain > c.found[i].gain && scale <= math.MaxFloat32 {
		c.found[i] = found{scale, gain}
		return true
	}
	return false
}

// settle refines the scale of codebook i, which is full if there was nothing to fit.
func (c *Candidates) settle(i int, full float64) {
	if c.found[i].delta == 0 {
		c.found[i].delta = full
	}
	for range refinements {
		if !c.try(i, c.found[i].delta) {
			break
		}
	}
}

// findZero is the search for asymmetric integers. For each scale it tries the
// zero-points that let the group's lower or upper end, or its middle, fall on the
// integers' own.
func (c *Candidates) findZero() {
	p := &c.profile
	if len(p.w) == 0 {
		return
	}
	top := float64(len(c.searcher.books) - 1)
	lo, hi := min(p.w[0], 0), max(p.w[len(p.w)-1], 0)
	full := (hi - lo) / top
	if !(full > 0) {
		return
	}
	least, most := int(top), 0
	for _, r := range ratios {
		delta := full * r
		if delta == 0 {
			continue
		}
		last := -1
		for _, z := range [...]float64{-lo / delta, (top - (hi+lo)/delta) / 2, top - hi/delta} {
			z := int(max(0, min(top, math.RoundToEven(z))))
			if z != last {
				c.try(z, delta)
			}
			least, most, last = min(least, z), max(most, z), z
		}
	}
	for z := least; z <= most; z++ {
		if c.found[z].gain > 0 {
			c.settle(z, full)
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
	return group.Choice{Codebook: c.best, Delta: c.found[c.best].delta}
}

// Stored returns the best codebook with a scale that can be stored, Scale, and
// Delta, what it stands for, with codes rounded against it ([group.Selector.Encode]).
// outer is the step of the row or, for types with E4M3 scales, the scale of the
// tensor. 8-bit scales to both sides of the fitted one are tried for every codebook,
// those at a distance of two for E8M0 and E4M3; for asymmetric integers for the
// zero-points next to the best.
func (c *Candidates) Stored(outer float32) group.Choice {
	if len(c.found) == 0 || c.profile.full(&c.searcher.books[0]) == 0 && !c.searcher.typ.Asymmetric() {
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
	least := c.profile.total
	if f == datatype.E8M0 {
		least = math.Inf(1) // there is no 0
	}
	if !(step > 0) {
		return best
	}
	for i := lo; i < hi; i++ {
		d := c.found[i].delta
		if d == 0 {
			continue
		}
		first := int(f.Floor(d / step))
		last := first + 1
		if f != datatype.RowStep {
			first, last = max(first-1, 0), last+1
		}
		for b := first; b <= last && b < 256 && f.Valid(uint8(b)); b++ {
			delta := float64(f.Value(uint8(b))) * step
			if delta == 0 {
				continue
			}
			e := c.profile.fit(&c.searcher.books[i], delta).error(c.profile.total, delta)
			if e < least {
				best, least = group.Choice{Codebook: i, Delta: delta, Scale: uint8(b)}, e
			}
		}
	}
	return best
}

// A fit is what a codebook makes of a group at one scale: with q the value nearest
// to each weight, the squared error at scale Δ is total − 2Δ·awq + Δ²·aqq.
type fit struct{ awq, aqq float64 } // Σ a·w·q, Σ a·q²

func (f fit) error(total, delta float64) float64 {
	return total - float64(float64(2*delta)*f.awq) + float64(float64(delta*delta)*f.aqq)
}
