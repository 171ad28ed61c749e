package group

import (
	"math"

	"github.com/bitmod-go/bitmod/internal/loops/coding"
)

// A fast selects codes for float32 weights with vector instructions, and to the same
// bits as Select.
//
// Zones are exact: for weights that are float32, r > t, where r is w/Δ rounded to
// float64, is the same as w > T, where T is the largest float32 whose ratio is not
// above t. So that a group needs as many divisions as it has thresholds, and not even
// these, for the sign of T − t·Δ is seen without.
//
// Errors are added up in float32. With u = 2^−24, n weights, A = Δ·max|value| and S the
// sum that comes out, the exact sum E of (w − Δ·q)² is near:
//
//	each difference is (w − Δ·q − d)·(1 ± u), where |d| ≤ u·A, since Δ is rounded to float32;
//	so that the square root of the sum of their squares is within u·A·√n of √E, apart
//	from the factor 1 ± u;
//	a sum of n/16 squares in each lane and of 16 lanes adds a factor of 1 ± (n/16 + 5)·u,
//	and underflow less than n·2^−148.
//
// With what the definition's own rounding of some n·2^−53 may add,
//
//	|S − E| ≤ (n/16 + 10)·u·S + 3·u·A·√(n·S) + 4·n·u²·A²
//
// for 2^−48 ≤ max|w| ≤ 2^50, where no square overflows, and n ≤ 2^20. A candidate
// whose S is less than that of all others by more than both bounds is the one with the
// least error. Otherwise the errors are added up as the definition does, from the
// zones. Two candidates that differ in no zone that the group has weights in have the
// same error, of which the first wins.
type fast struct {
	set     *coding.Set
	classes []fastClass
	max     []uint32 // by group of a row, the largest magnitude as bits of a float32

	// Groups of any kind, those whose errors were added up again, and those that were
	// left to Select.
	groups, recounts, rest int

	// The arguments of the loops, here so that they need not be allocated.
	maxArgs    coding.MaxArgs
	roundArgs  coding.RoundArgs
	rangeArgs  coding.RangeArgs
	lookupArgs coding.LookupArgs
	errors     []float64 // by candidate, S
	bounds     []float64 // and how near E is
	n          int       // of the weights that rootN is for
	rootN      float64
}

// A fastClass is a class in the form that the loops read.
type fastClass struct {
	coding.Class
	args     coding.ZonesArgs
	maxValue float64
	codes    [][64]uint8                            // by member and zone
	differ   [coding.Members][coding.Members]uint32 // the zones in which two members do
}

const (
	fastMin     = 0x1p-48
	fastMax     = 0x1p50
	fastMaxSize = 1 << 20
)

// newFast returns the fast form of s, or nil if there is none.
func newFast(s *Selector, set *coding.Set) *fast {
	if set == nil {
		return nil
	}
	f := &fast{set: set, classes: make([]fastClass, len(s.classes)), errors: make([]float64, len(s.trials)), bounds: make([]float64, len(s.trials))}
	for i := range f.classes {
		if !f.classes[i].build(&s.classes[i]) {
			return nil
		}
	}
	return f
}

// build reports whether there is a form of k that the loops can read.
func (c *fastClass) build(k *class) bool {
	if len(k.members) > coding.Members || len(k.cuts) >= coding.Cells || !c.grid(k.cuts) {
		return false
	}
	zone := 0
	for i := range coding.Cells {
		c.Base[i] = int32(zone)
		c.Thresholds[i] = math.Inf(1)
		if zone == len(k.cuts) || c.cell(k.cuts[zone].at) != i {
			continue
		}
		t := k.cuts[zone].at
		// Half a unit in the last place, where a quotient that is midway is rounded to
		// the even of two: t, which has few bits.
		if math.Float64bits(t)&1 != 0 {
			return false
		}
		c.Thresholds[i] = t
		switch {
		case k.cuts[zone].up && t == 0:
			return false
		case k.cuts[zone].up:
			c.Slack[i] = -(t - math.Nextafter(t, math.Inf(-1))) / 2 * (1 + 1./1024)
		case t != 0: // no quotient is rounded to 0
			c.Slack[i] = (math.Nextafter(t, math.Inf(1)) - t) / 2
		}
		zone++
	}
	c.codes = make([][64]uint8, len(k.members))
	for i := range k.members {
		m := &k.members[i]
		for z := range len(k.cuts) + 1 {
			c.Values[i][z] = float32(m.values[z])
			c.codes[i][z] = m.codes[z]
			c.maxValue = max(c.maxValue, math.Abs(m.values[z]))
			for j := range k.members {
				if m.values[z] != k.members[j].values[z] {
					c.differ[i][j] |= 1 << z
				}
			}
		}
	}
	c.args.Class = &c.Class
	return zone == len(k.cuts)
}

// cell returns the cell of a ratio.
func (c *fastClass) cell(r float64) int {
	return int(float64(r*float64(c.Inv)) + float64(c.Off))
}

// grid chooses cells in which no two cuts fall and none comes near an edge.
func (c *fastClass) grid(cuts []cut) bool {
	const margin = 1. / 64 // of a cell
	lo, hi := cuts[0].at, cuts[len(cuts)-1].at
	for cells := len(cuts) + 1; cells <= 4*coding.Cells-8; cells++ {
		c.Inv = float32(float64(cells) / 4 / (hi - lo))
		for shift := range 16 {
			c.Off = float32(1 + float64(shift)/16 - math.Floor(lo*float64(c.Inv)))
			last := -1.
			fits := true
			for _, t := range cuts {
				n, frac := math.Modf(t.at*float64(c.Inv) + float64(c.Off))
				fits = fits && n > last && frac > margin && frac < 1-margin
				last = n
			}
			if fits && last < coding.Cells {
				return true
			}
		}
	}
	return false
}

// maxima sets f.max for a row.
func (f *fast) maxima(w []float32, groupSize, groups int) {
	if len(f.max) < groups {
		f.max = make([]uint32, groups)
	}
	groupSize = min(groupSize, len(w))
	f.maxArgs = coding.MaxArgs{W: &w[0], Size: groupSize, Last: len(w) - (groups-1)*groupSize, Groups: groups, Dst: &f.max[0]}
	f.set.Max(&f.maxArgs)
}

// group selects for a group with the largest magnitude amax, as bits of a float32. It
// returns false, and may have written codes, if it leaves the group to Select.
func (f *fast) group(s *Selector, choice *Choice, codes []uint8, w []float32, bits uint32, importance []float64, tensorScale float32) bool {
	f.groups++
	amax := float64(math.Float32frombits(bits))
	if !(amax >= fastMin && amax <= fastMax) || len(w) > fastMaxSize {
		f.rest++
		return false
	}
	if s.top > 0 {
		f.integers(s, choice, codes, w, amax)
		return true
	}
	compare := len(s.trials) > 1
	if compare && importance != nil {
		importance, _ = checkImportance(importance, len(w))
	}
	for i := range f.classes {
		k, c := &s.classes[i], &f.classes[i]
		k.scale = candidateScale(s.typ, amax, k.max, tensorScale)
		delta := k.scale.Delta
		if !(amax/delta < 4*k.max) {
			f.rest++
			return false
		}
		members := 0
		if compare && importance == nil {
			members = len(k.members)
		}
		c.args.W, c.args.N = &w[0], len(w)
		c.args.Zones = k.zonesOf(len(w))
		c.args.Delta, c.args.Delta32, c.args.Scale = delta, float32(delta), float32(float64(c.Inv)/delta)
		f.set.Zones[members](&c.args)
	}
	best := trial{}
	switch {
	case !compare:
		*choice = s.classes[0].scale
	case importance != nil:
		wide := s.widen(w)
		for i := range s.classes {
			s.classes[i].errors(wide, importance)
		}
		*choice, best = s.best()
	default:
		*choice, best = f.best(s, w)
	}
	f.lookupArgs = coding.LookupArgs{Dst: &codes[0], Src: &s.classes[best.class].zones[0], N: len(w), Table: &f.classes[best.class].codes[best.member]}
	f.set.Lookup(&f.lookupArgs)
	return true
}

// best returns the candidate with the least error, from the sums that the loops left
// if they are far enough apart.
func (f *fast) best(s *Selector, w []float32) (Choice, trial) {
	const u = 0x1p-24
	n := float64(len(w))
	if f.n != len(w) {
		f.n, f.rootN = len(w), math.Sqrt(n)
	}
	first := 0
	for i, t := range s.trials {
		k, c := &s.classes[t.class], &f.classes[t.class]
		e := float64(c.args.Errors[t.member])
		a := u * k.scale.Delta * c.maxValue
		f.errors[i] = e
		f.bounds[i] = (n/16+10)*u*e + 3*a*f.rootN*math.Sqrt(e) + 4*n*a*a
		if e < f.errors[first] {
			first = i
		}
	}
	best := s.trials[first]
	for i, t := range s.trials {
		if f.errors[i]-f.errors[first] > f.bounds[i]+f.bounds[first] || i == first {
			continue
		}
		c := &f.classes[t.class]
		if i > first && t.class == best.class && c.args.Used&c.differ[t.member][best.member] == 0 {
			continue
		}
		f.recounts++
		wide := s.widen(w)
		for i := range s.classes {
			s.classes[i].errors(wide, nil)
		}
		return s.best()
	}
	choice := s.classes[best.class].scale
	choice.Codebook = first
	return choice, best
}

// integers is group for types whose values are code − zero-point.
func (f *fast) integers(s *Selector, choice *Choice, codes []uint8, w []float32, amax float64) {
	top := float64(s.top)
	zero := s.top / 2
	*choice = Choice{}
	if s.typ.Asymmetric() {
		f.rangeArgs = coding.RangeArgs{W: &w[0], N: len(w)}
		f.set.Range(&f.rangeArgs)
		lo, hi := float64(f.rangeArgs.Low), float64(f.rangeArgs.High)
		choice.Delta = (hi - lo) / top
		zero = int(min(math.RoundToEven(-lo/choice.Delta), top))
		choice.Codebook = zero
	} else {
		choice.Delta = amax / (top / 2)
	}
	f.roundArgs = coding.RoundArgs{W: &w[0], N: len(w), Codes: &codes[0], Delta: choice.Delta, Zero: zero, Top: s.top}
	f.set.Round(&f.roundArgs)
}
