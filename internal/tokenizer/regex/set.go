package regex

import (
	"slices"
	"sort"
	"unicode"
)

// A set is a set of characters.
type set struct {
	ranges []span     // sorted, with gaps between them
	low    [32]uint64 // bits of the characters below len(low)·64, which come most often
}

type span struct{ lo, hi rune }

const lowest = 32 * 64

// newSet returns the set of some ranges, in any order.
func newSet(ranges []span) *set {
	slices.SortFunc(ranges, func(a, b span) int { return int(a.lo - b.lo) })
	s := &set{}
	for _, r := range ranges {
		if r.lo > r.hi {
			continue
		}
		if n := len(s.ranges); n > 0 && r.lo <= s.ranges[n-1].hi+1 {
			s.ranges[n-1].hi = max(s.ranges[n-1].hi, r.hi)
		} else {
			s.ranges = append(s.ranges, r)
		}
	}
	for _, r := range s.ranges {
		for c := r.lo; c <= r.hi && c < lowest; c++ {
			s.low[c/64] |= 1 << (c % 64)
		}
	}
	return s
}

func (s *set) has(r rune) bool {
	if r < lowest {
		return s.low[r/64]>>(r%64)&1 != 0
	}
	i := sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].hi >= r })
	return i < len(s.ranges) && s.ranges[i].lo <= r
}

func union(sets ...*set) *set {
	var all []span
	for _, s := range sets {
		all = append(all, s.ranges...)
	}
	return newSet(all)
}

func (s *set) not() *set {
	var gaps []span
	next := rune(0)
	for _, r := range s.ranges {
		gaps = append(gaps, span{next, r.lo - 1})
		next = r.hi + 1
	}
	return newSet(append(gaps, span{next, unicode.MaxRune}))
}

func (s *set) and(t *set) *set { return union(s.not(), t.not()).not() }

// meets reports whether a character is in both.
func (s *set) meets(t *set) bool {
	for i, j := 0, 0; i < len(s.ranges) && j < len(t.ranges); {
		a, b := s.ranges[i], t.ranges[j]
		if a.lo <= b.hi && b.lo <= a.hi {
			return true
		}
		if a.hi < b.hi {
			i++
		} else {
			j++
		}
	}
	return false
}

// fold adds the characters that differ only in case.
func (s *set) fold() *set {
	more := slices.Clone(s.ranges)
	f := folding.ranges
	for _, r := range s.ranges {
		i := sort.Search(len(f), func(i int) bool { return f[i].hi >= r.lo })
		for ; i < len(f) && f[i].lo <= r.hi; i++ {
			for c := max(f[i].lo, r.lo); c <= min(f[i].hi, r.hi); c++ {
				for o := unicode.SimpleFold(c); o != c; o = unicode.SimpleFold(o) {
					more = append(more, span{o, o})
				}
			}
		}
	}
	return newSet(more)
}

// folding has the characters that differ from others only in case.
var folding = func() *set {
	var all []span
	for r := rune(0); r <= 0x1e943; r++ {
		if unicode.SimpleFold(r) != r {
			all = append(all, span{r, r})
		}
	}
	return newSet(all)
}()

// tables returns the union of tables as a set.
func tables(ts ...*unicode.RangeTable) *set {
	var all []span
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			all = append(all, span{lo, hi})
			return
		}
		for c := lo; c <= hi; c += stride {
			all = append(all, span{c, c})
		}
	}
	for _, t := range ts {
		for _, r := range t.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return newSet(all)
}

func one(r rune) *set { return newSet([]span{{r, r}}) }
