package group

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/loops/coding"
)

// A fast selects codes for float32 weights with vector instructions. It gives the same
// bits as Select.
//
// A step is an interval of ratios, finer than a zone. Steps are exact: let w be a
// float32, r the ratio w/Δ rounded to float64, t a threshold, and T the largest float32
// whose ratio is not above t. Then r > t is the same as w > T. A group therefore needs at
// most one division for each threshold, to find T. It needs not even that, because the
// sign of T − t·Δ can be computed without division.
//
// Errors are added up in float32. With u = 2^−24, n weights, A = Δ·max|value| and S the
// sum that comes out, the exact sum E of (w − Δ·q)² is near:
//
//	each difference is (w − Δ·q − d)·(1 ± u), where |d| ≤ u·A, since Δ is rounded to float32;
//	so that the square root of the sum of their squares is within u·A·√n of √E, apart
//	from the factor 1 ± u;
//	a sum of n/8 squares in each of 8 lanes adds a factor of 1 ± (n/8 + 4)·u,
//	and underflow less than n·2^−148.
//
// Together with the rounding of the definition itself, some n·2^−53,
//
//	|S − E| ≤ (n/8 + 10)·u·S + 3·u·A·√(n·S) + 4·n·u²·A²
//
// for 2^−48 ≤ max|w| ≤ 2^50, where no square overflows, and n ≤ 2^20. A candidate has the
// least error if its S is less than every other S by more than both bounds. Otherwise the
// errors are added up as the definition does, from the steps. Two candidates that agree
// in all steps of a group's weights have the same error; the first wins.
//
// With importances, file weighted.go says what changes.
type fast struct {
	set     *coding.Set
	classes []fastClass
	parts   []fastClass          // of the only class, if it has too many steps for one table
	powers  bool                 // whether scales are powers of two
	max     []uint32             // by group of a row, the largest magnitude as bits of a float32
	left    []bool               // by group, whether it is left to Select
	errors  [][maxTrials]float32 // by group and candidate, S
	weights weighting

	// For integers, by group.
	deltas []float64
	zeros  []int32
	ranges [][2]float32
	codes  []uint8
	zones  []uint8

	// The number of groups, of groups whose errors were added up again, and of groups
	// that were left to Select.
	groups, recounts, rest int

	// The arguments of the loops are here so that they need not be allocated.
	maxArgs    coding.MaxArgs
	stepsArgs  coding.StepsArgs
	lookupArgs coding.LookupArgs
	anyArgs    coding.AnyArgs
	roundArgs  coding.RoundArgs
	rangeArgs  coding.RangeArgs
}

// A fastClass is a class in the form that the loops read.
type fastClass struct {
	coding.Class
	first    int                                       // the candidate of the first member
	zones    [64]uint8                                 // by step
	codes    [][64]uint8                               // by member and step
	differ   [coding.Members][coding.Members][64]uint8 // by two members and step: 1 if their values differ
	maxValue float64
	limit    float64 // of ratios

	// Of a row.
	steps  []uint8
	deltas []float64 // by group
	scales []uint8
}

const (
	maxTrials   = 4
	fastMin     = 0x1p-48
	fastMax     = 0x1p50
	fastMaxSize = 1 << 20
)

// newFast returns the fast form of s, or nil if there is none.
func newFast(s *Selector, set *coding.Set) *fast {
	if set == nil {
		return nil
	}
	f := &fast{set: set, classes: make([]fastClass, len(s.classes))}
	if len(s.trials) > maxTrials {
		return nil
	}
	f.powers = s.typ.Scale() == datatype.E8M0 && set.Powers[0] != nil
	n := 0
	for i := range f.classes {
		k := &s.classes[i]
		// The largest ratio in a group that is not left to Select.
		limit := k.max * (1 + 0x1p-20)
		switch s.typ.Scale() {
		case datatype.E8M0: // as candidateScale computes it
			limit = 8
		case datatype.E4M3: // half a unit in the last place of a normal scale
			limit *= 16. / 15
		}
		if !f.classes[i].build(k, limit) && !f.divide(s) {
			return nil
		}
		f.classes[i].limit = limit
		f.classes[i].first = n
		for m := range k.members {
			if s.trials[n] != (trial{i, m}) {
				return nil
			}
			n++
		}
	}
	return f
}

// build sets c to the form of k for ratios up to limit, and reports whether k has a
// form that the loops can read.
func (c *fastClass) build(k *class, limit float64) bool {
	if len(k.members) > coding.Members || !c.grid(k.cuts, limit) {
		return false
	}
	zone := 0
	c.codes = make([][64]uint8, len(k.members))
	for i := range coding.Cells {
		c.zones[i] = uint8(zone)
		for m := range k.members {
			c.Values[m][i] = float32(k.members[m].values[zone])
			c.codes[m][i] = k.members[m].codes[zone]
			c.maxValue = max(c.maxValue, math.Abs(k.members[m].values[zone]))
			for j := range k.members {
				c.differ[m][j][i] = uint8(one(k.members[m].values[zone] != k.members[j].values[zone]))
			}
		}
		c.Thresholds[i] = math.Inf(1)
		if zone == len(k.cuts) || c.cell(k.cuts[zone].at) != i {
			continue
		}
		if !c.cut(i, k.cuts[zone]) {
			return false
		}
		zone++
	}
	return zone == len(k.cuts)
}

// cut sets the threshold of a cell, and reports whether the cell can have it.
func (c *fastClass) cut(cell int, at cut) bool {
	t := at.at
	// A quotient half a unit in the last place above t is rounded to the even one of
	// its neighbours. That is t, which has few bits.
	if math.Float64bits(t)&1 != 0 || at.up && t == 0 {
		return false
	}
	c.Thresholds[cell] = t
	switch {
	case at.up:
		c.Slack[cell] = -(t - math.Nextafter(t, math.Inf(-1))) / 2 * (1 + 1./1024)
	case t != 0: // no quotient is rounded to 0
		c.Slack[cell] = (math.Nextafter(t, math.Inf(1)) - t) / 2
	}
	return true
}

// divide sets parts for a type with one codebook. It divides the cuts among the parts,
// from the outermost on: each part has as many cuts as its cells can tell apart. The zone
// of a ratio is the sum of its zones in all parts.
func (f *fast) divide(s *Selector) bool {
	if len(s.trials) > 1 {
		return false
	}
	outermost := func(a, b cut) int { return cmp.Compare(math.Abs(b.at), math.Abs(a.at)) }
	ascending := func(a, b cut) int { return cmp.Compare(a.at, b.at) }
	rest := slices.SortedStableFunc(slices.Values(s.classes[0].cuts), outermost)
	for len(rest) > 0 {
		n := min(len(rest), coding.Cells-1)
		var c fastClass
		for ; n > 0 && !c.part(slices.SortedFunc(slices.Values(rest[:n]), ascending)); n-- {
		}
		if n == 0 {
			return false
		}
		f.parts = append(f.parts, c)
		rest = rest[n:]
	}
	return true
}

// part sets c to cells that tell cuts apart, for ratios that may be far beyond them,
// and reports whether there are such cells.
func (c *fastClass) part(cuts []cut) bool {
	const margin = 1. / 64 // of a cell
	lo, hi := cuts[0].at, cuts[len(cuts)-1].at
	width := math.Inf(1)
	for i := range cuts[1:] {
		width = min(width, cuts[i+1].at-cuts[i].at)
	}
	if len(cuts) == 1 {
		width = 1
	}
	// A cell is as wide as the least distance of two cuts. The first cut is in the middle
	// of a cell.
	c.Inv = float32(1 / width)
	c.Off = float32(.5 - lo*float64(c.Inv))
	if hi*float64(c.Inv)+float64(c.Off) >= coding.Cells-1 {
		return false
	}
	last := -1.
	for _, t := range cuts {
		n, frac := math.Modf(t.at*float64(c.Inv) + float64(c.Off))
		if n <= last || frac < margin || frac > 1-margin {
			return false
		}
		last = n
	}
	zone := 0
	for i := range coding.Cells {
		c.zones[i] = uint8(zone)
		c.Thresholds[i], c.Slack[i] = math.Inf(1), 0
		if zone < len(cuts) && c.cell(cuts[zone].at) == i {
			if !c.cut(i, cuts[zone]) {
				return false
			}
			zone++
		}
	}
	return zone == len(cuts)
}

// byParts sets codes for the groups of a row with the scales given.
func (f *fast) byParts(s *Selector, codes []uint8, groups coding.Groups, deltas []float64) {
	grow(&f.codes, len(codes)+coding.Slack)
	grow(&f.zones, len(codes))
	zones := f.zones[:len(codes)]
	for i := range f.parts {
		c := &f.parts[i]
		f.stepsArgs = coding.StepsArgs{Groups: groups, Steps: &f.codes[0], Class: &c.Class, Deltas: &deltas[0]}
		f.set.Clamped(&f.stepsArgs)
		if i == 0 {
			f.lookup(zones, f.codes, &c.zones)
			continue
		}
		f.lookup(codes, f.codes, &c.zones)
		j := 0
		for ; j+8 <= len(codes); j += 8 {
			sum := binary.LittleEndian.Uint64(zones[j:]) + binary.LittleEndian.Uint64(codes[j:])
			binary.LittleEndian.PutUint64(zones[j:], sum)
		}
		for ; j < len(codes); j++ {
			zones[j] += codes[j]
		}
	}
	table := &s.classes[0].members[0].codes
	for i, z := range zones {
		codes[i] = table[z]
	}
}

// cell returns the cell of a ratio.
func (c *fastClass) cell(r float64) int {
	return int(float64(r*float64(c.Inv)) + float64(c.Off))
}

// grid chooses cells in which no two cuts fall and none comes near an edge, for ratios
// up to limit.
func (c *fastClass) grid(cuts []cut, limit float64) bool {
	const margin = 1. / 64 // of a cell
	for cells := coding.Cells + .75; cells >= float64(len(cuts)); cells -= .25 {
		inv := cells / (2 * limit)
		for off := inv*limit - 1 + margin; off+inv*limit < coding.Cells-margin; off += 1. / 16 {
			c.Inv, c.Off = float32(inv), float32(off)
			last := -1.
			fits := true
			for _, t := range cuts {
				n, frac := math.Modf(t.at*float64(c.Inv) + float64(c.Off))
				fits = fits && n > last && n < coding.Cells-1 && frac > margin && frac < 1-margin
				last = n
			}
			if fits {
				return true
			}
		}
	}
	return false
}

// grow makes a slice at least n long. It does not keep the contents.
func grow[T any](s *[]T, n int) {
	if len(*s) < n {
		*s = make([]T, n)
	}
}

// row selects for the groups of a row. It sets f.left for the groups that it leaves to
// Select, whose codes it may have written, and reports whether there are any.
func (f *fast) row(s *Selector, choices []Choice, codes []uint8, w []float32, groupSize int, importance []float64, tensorScale float32) bool {
	n := len(choices)
	groupSize = min(groupSize, len(w))
	groups := coding.Groups{W: &w[0], Size: groupSize, Last: len(w) - (n-1)*groupSize, Groups: n}
	grow(&f.max, n)
	grow(&f.left, n)
	f.maxArgs = coding.MaxArgs{Groups: groups, Dst: &f.max[0]}
	f.set.Max(&f.maxArgs)
	f.groups += n
	rest := f.rest
	lo, hi := math.Float32bits(fastMin), math.Float32bits(fastMax)
	for g, bits := range f.max[:n] {
		f.left[g] = bits < lo || bits > hi || groupSize > fastMaxSize
		f.rest += one(f.left[g])
	}
	if s.top > 0 {
		f.integers(s, choices, codes, groups)
		return f.rest > rest
	}
	compare := len(s.trials) > 1
	grow(&f.errors, n)
	weigh := importance != nil && compare && !f.powers && f.set.Weighted[1] != nil && f.weights.set(importance, groupSize)
	for i := range f.classes {
		c := &f.classes[i]
		f.scales(s, i, n, tensorScale)
		if f.parts != nil {
			break
		}
		grow(&c.steps, len(w)+coding.Slack)
		members := 0
		if compare && (importance == nil || weigh) {
			members = len(c.codes)
		}
		f.stepsArgs = coding.StepsArgs{Groups: groups, Steps: &c.steps[0], Class: &c.Class, Deltas: &c.deltas[0], Errors: &f.errors[0][c.first], Stride: 4 * maxTrials}
		switch {
		case f.powers:
			f.set.Powers[members](&f.stepsArgs)
		case weigh:
			f.stepsArgs.Importance = &f.weights.scaled[0]
			f.set.Weighted[members](&f.stepsArgs)
		default:
			f.set.Steps[members](&f.stepsArgs)
		}
	}
	if !compare {
		c := &f.classes[0]
		for g := range choices {
			choices[g] = Choice{Delta: c.deltas[g], Scale: c.scales[g]}
		}
		if f.parts != nil {
			f.byParts(s, codes, groups, c.deltas)
			return f.rest > rest
		}
		f.lookup(codes, c.steps, &c.codes[0])
		return f.rest > rest
	}
	rootN := math.Sqrt(float64(groupSize))
	for g := range choices {
		if f.left[g] {
			continue
		}
		lo := g * groupSize
		hi := min(lo+groupSize, len(w))
		first, decided := 0, false
		switch {
		case importance == nil:
			first, decided = f.best(s, g, lo, hi-lo, rootN, 10)
		case weigh && f.max[g] >= math.Float32bits(weightedMin):
			first, decided = f.best(s, g, lo, hi-lo, f.weights.roots[g], 12)
		}
		if !decided {
			var a []float64
			if importance != nil {
				a, _ = checkImportance(importance[lo:hi], hi-lo)
			}
			first = f.recount(s, g, lo, w[lo:hi], a)
		}
		t := s.trials[first]
		c := &f.classes[t.class]
		choices[g] = Choice{Codebook: first, Delta: c.deltas[g], Scale: c.scales[g]}
		f.lookup(codes[lo:hi], c.steps[lo:], &c.codes[t.member])
	}
	return f.rest > rest
}

// lookup sets each code to the element of the table for its step.
func (f *fast) lookup(codes, steps []uint8, table *[64]uint8) {
	f.lookupArgs = coding.LookupArgs{Dst: &codes[0], Src: &steps[0], N: len(codes), Table: table}
	f.set.Lookup(&f.lookupArgs)
}

// scales sets the scales of n groups as candidateScale does, for one class. Groups
// whose ratios are far outside the codebook are left to Select.
func (f *fast) scales(s *Selector, class, n int, tensorScale float32) {
	k, c := &s.classes[class], &f.classes[class]
	grow(&c.deltas, n)
	grow(&c.scales, n)
	deltas, scales, maxima := c.deltas[:n], c.scales[:n], f.max[:n]
	switch s.typ.Scale() {
	case datatype.RowStep:
		for g, bits := range maxima {
			deltas[g] = float64(math.Float32frombits(bits)) / k.max
		}
	case datatype.E8M0:
		// The largest weight is a normal number far from the ends of the range.
		for g, bits := range maxima {
			e := bits>>23 - 2
			scales[g] = uint8(e)
			deltas[g] = math.Float64frombits(uint64(e+1023-127) << 52)
		}
	default:
		for g, bits := range maxima {
			amax := float64(math.Float32frombits(bits))
			choice := candidateScale(s.typ, amax, k.max, tensorScale)
			scales[g], deltas[g] = choice.Scale, choice.Delta
			if !(amax <= c.limit*choice.Delta) && !f.left[g] {
				f.left[g] = true
				f.rest++
			}
		}
	}
}

// best returns the candidate with the least error in the group of n weights from column
// lo on. decided reports whether the sums of the loops are far enough apart to be sure.
// The square of root is at least the sum of the group's importances, or n without any,
// and factors is the 10 in the bound.
func (f *fast) best(s *Selector, g, lo, n int, root, factors float64) (first int, decided bool) {
	// A key has the bits of an error above the number of its candidate. Keys of errors,
	// which are not negative, are in the order of the errors; keys of equal errors are in
	// the order of candidates.
	var keys [maxTrials]uint64
	for i := range keys {
		keys[i] = math.MaxUint64
		if i < len(s.trials) {
			keys[i] = uint64(math.Float32bits(f.errors[g][i]))<<2 | uint64(i)
		}
	}
	lo1, hi1 := min(keys[0], keys[1]), max(keys[0], keys[1])
	lo2, hi2 := min(keys[2], keys[3]), max(keys[2], keys[3])
	key := min(lo1, lo2)
	first = int(key % maxTrials)
	least, second := math.Float32frombits(uint32(key>>2)), math.Float32frombits(uint32(min(max(lo1, lo2), min(hi1, hi2))>>2))
	if second == least { // in different classes only by chance
		if second = f.others(s, g, first, lo, n); math.IsInf(float64(second), 0) {
			return first, true
		}
	}
	var span float64
	for i := range f.classes {
		c := &f.classes[i]
		if s := c.deltas[g] * c.maxValue; s > span {
			span = s
		}
	}
	if f.powers { // errors are in units of the one Δ
		span = f.classes[0].maxValue
	}
	// The bound grows with S and A. While it is less than half of S, it grows more
	// slowly than S: if the second least S exceeds twice its bound, so do all others.
	const u = 0x1p-24
	e, a := float64(second), u*span
	bound := (float64(n)/8+factors)*u*e + 3*a*root*math.Sqrt(e) + 4*float64(root*root)*a*a
	return first, e-float64(least) > 2*bound
}

// others returns the least error among the candidates that differ from candidate first
// for some weight of the group.
func (f *fast) others(s *Selector, g, first, lo, n int) float32 {
	least := float32(math.Inf(1))
	t := s.trials[first]
	c := &f.classes[t.class]
	for i, e := range f.errors[g][:len(s.trials)] {
		if i == first {
			continue
		}
		if o := s.trials[i]; o.class == t.class && i > first && e == f.errors[g][first] {
			f.anyArgs = coding.AnyArgs{Src: &c.steps[lo], N: n, Table: &c.differ[t.member][o.member]}
			if f.set.Any(&f.anyArgs); !f.anyArgs.Any {
				continue
			}
		}
		least = min(least, e)
	}
	return least
}

// recount returns the candidate with the least error of a group, adding errors up as
// the definition does.
func (f *fast) recount(s *Selector, g, lo int, w []float32, importance []float64) int {
	f.recounts++
	wide := s.widen(w)
	for i := range s.classes {
		k, c := &s.classes[i], &f.classes[i]
		k.scale = Choice{Delta: c.deltas[g], Scale: c.scales[g]}
		grow(&k.zones, len(w))
		zones := k.zones[:len(w)]
		f.lookup(zones, c.steps[lo:], &c.zones)
		k.errors(zones, wide, importance)
	}
	choice, _ := s.best()
	return choice.Codebook
}

// integers is row for types whose values are code − zero-point.
func (f *fast) integers(s *Selector, choices []Choice, codes []uint8, groups coding.Groups) {
	n := len(choices)
	top := float64(s.top)
	grow(&f.deltas, n)
	grow(&f.zeros, n)
	if s.typ.Asymmetric() {
		grow(&f.ranges, n)
		f.rangeArgs = coding.RangeArgs{Groups: groups, Dst: &f.ranges[0]}
		f.set.Range(&f.rangeArgs)
		for g, r := range f.ranges[:n] {
			lo, hi := float64(r[0]), float64(r[1])
			choices[g] = Choice{Delta: (hi - lo) / top}
			if d := choices[g].Delta; d > 0 {
				choices[g].Codebook = int(min(math.RoundToEven(-lo/d), top))
			}
			f.deltas[g], f.zeros[g] = choices[g].Delta, int32(choices[g].Codebook)
		}
	} else {
		for g, bits := range f.max[:n] {
			f.deltas[g] = float64(math.Float32frombits(bits)) / (top / 2)
			f.zeros[g] = int32(s.top / 2)
			choices[g] = Choice{Delta: f.deltas[g]}
		}
	}
	f.round(s, codes, groups)
}

// round sets the codes of integers for f.deltas and f.zeros.
func (f *fast) round(s *Selector, codes []uint8, groups coding.Groups) {
	grow(&f.codes, len(codes)+coding.Slack)
	f.roundArgs = coding.RoundArgs{Groups: groups, Codes: &f.codes[0], Deltas: &f.deltas[0], Zeros: &f.zeros[0], Top: s.top}
	f.set.Round(&f.roundArgs)
	copy(codes, f.codes)
}

// encode sets codes as Encode does for the groups of a row, with the choices given. It
// sets f.left for the groups that it leaves to Encode, and reports whether there are
// any.
func (f *fast) encode(s *Selector, codes []uint8, w []float32, groupSize int, choices []Choice) bool {
	n := len(choices)
	groupSize = min(groupSize, len(w))
	groups := coding.Groups{W: &w[0], Size: groupSize, Last: len(w) - (n-1)*groupSize, Groups: n}
	grow(&f.max, n)
	grow(&f.left, n)
	grow(&f.deltas, n)
	f.maxArgs = coding.MaxArgs{Groups: groups, Dst: &f.max[0]}
	f.set.Max(&f.maxArgs)
	rest := false
	for g, c := range choices {
		// Within these limits, all products of thresholds or ratios are normal numbers.
		f.left[g] = f.max[g] > math.Float32bits(fastMax) || !(c.Delta >= fastMin && c.Delta <= fastMax) || groupSize > fastMaxSize ||
			float64(math.Float32frombits(f.max[g])) > 0x1p30*c.Delta
		rest = rest || f.left[g]
	}
	if s.top > 0 {
		grow(&f.zeros, n)
		for g, c := range choices {
			f.deltas[g], f.zeros[g] = c.Delta, int32(s.zero(c.Codebook))
			if f.left[g] {
				f.deltas[g] = fastMax
			}
		}
		f.round(s, codes, groups)
		return rest
	}
	if f.parts != nil {
		for g, c := range choices {
			f.deltas[g] = c.Delta
			if f.left[g] {
				f.deltas[g] = fastMax // any scale will do
			}
		}
		f.byParts(s, codes, groups, f.deltas)
		return rest
	}
	for i := range f.classes {
		c := &f.classes[i]
		here := false
		for g, choice := range choices {
			f.deltas[g] = fastMax // any scale will do
			if !f.left[g] && s.trials[choice.Codebook].class == i {
				f.deltas[g], here = choice.Delta, true
			}
		}
		if !here {
			continue
		}
		grow(&c.steps, len(w)+coding.Slack)
		f.stepsArgs = coding.StepsArgs{Groups: groups, Steps: &c.steps[0], Class: &c.Class, Deltas: &f.deltas[0]}
		f.set.Clamped(&f.stepsArgs)
		for g, choice := range choices {
			if t := s.trials[choice.Codebook]; !f.left[g] && t.class == i {
				lo := g * groupSize
				hi := min(lo+groupSize, len(w))
				f.lookup(codes[lo:hi], c.steps[lo:], &c.codes[t.member])
			}
		}
	}
	return rest
}
