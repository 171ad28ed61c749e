package group

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/errs"
	"github.com/bitmod-go/bitmod/internal/loops/coding"
)

// A Choice is what selection decides for a group besides its codes.
type Choice struct {
	// Codebook is the index of the codebook among the candidates of the type.
	Codebook int
	// Delta is the scale with which the codes were chosen.
	Delta float64
	// Scale is the stored 8-bit scale. Selection sets it for types whose scale format is
	// not [datatype.RowStep]. For the other types, [RowScales] computes it.
	Scale uint8
}

// Errors for a weight that is NaN, infinite or beyond float32 match ErrNotFinite.
// Errors for a length that does not fit match ErrShape.
var (
	ErrNotFinite = errs.ErrNotFinite
	ErrShape     = errs.ErrShape
)

// A Selector quantizes groups of one type. It holds the type's tables and
// scratch memory of a few bytes a weight: use one per goroutine. [NewSelector] makes it;
// a nil Selector and the zero Selector give errors.
type Selector struct {
	typ       datatype.Type
	codebooks int     // the number of candidates
	top       int     // the largest code of an integer type; 0 for other types
	classes   []class // the candidates of types that are not integers, by scale
	trials    []trial // the place of each candidate in classes

	fast *fast     // nil if this processor or the type has none
	wide []float64 // a group's weights
}

type trial struct{ class, member int }

// NewSelector returns a Selector for t. It takes a microsecond, or some tens of
// microseconds the first time for a type. If t is not valid, the error wraps
// [datatype.ErrUnknown].
func NewSelector(t datatype.Type) (*Selector, error) {
	if !t.Valid() {
		return nil, unknown(t)
	}
	p := &prototypes[t]
	p.once.Do(func() { p.selector = newSelector(t) })
	return p.selector.clone(), nil
}

// prototypes are made on first use and then only copied.
var prototypes [math.MaxUint8 + 1]struct {
	once     sync.Once
	selector *Selector
}

var errNotMade = fmt.Errorf("group: %w: a Selector that NewSelector did not make", ErrShape)

// made reports whether NewSelector made s.
func (s *Selector) made() bool { return s != nil && s.codebooks > 0 }

func newSelector(t datatype.Type) *Selector {
	cbs := t.Codebooks()
	s := &Selector{typ: t, codebooks: len(cbs)}
	if t.Asymmetric() || t >= datatype.Int2 && t <= datatype.Int8 {
		s.top = cbs[0].Len() - 1
	} else {
		s.classes, s.trials = newClasses(t, cbs)
	}
	s.fast = newFast(s, coding.Best())
	return s
}

// clone returns a Selector that shares the tables of s, which are never written to.
func (s *Selector) clone() *Selector {
	c := &Selector{typ: s.typ, codebooks: s.codebooks, top: s.top, classes: slices.Clone(s.classes), trials: s.trials}
	for i := range c.classes {
		c.classes[i].members = slices.Clone(c.classes[i].members)
	}
	if s.fast != nil {
		c.fast = &fast{set: s.fast.set, powers: s.fast.powers, classes: slices.Clone(s.fast.classes), parts: s.fast.parts}
	}
	return c
}

// Select quantizes the group w and writes a code for each weight. tensorScale is the
// result of [TensorScale] for the tensor; only types with E4M3 scales use it. Select
// allocates only for a group that is longer than any before.
//
// The importance is nil or has a number ≥ 0 for each weight, commonly the mean square of
// the activation that the weight is multiplied by. The error of a candidate is then
// Σ importance·(w − Δ·q)². Importances decide between candidates. They do not change the
// scale and the codes of a candidate, and make no difference to asymmetric integers,
// which have no candidates to try. An importance that is 0 throughout counts as 1
// throughout. Select does not check importances for NaN and negative numbers.
//
// The error matches [ErrNotFinite] for a weight that is not finite or beyond
// float32, whose index it names, and [ErrShape] if codes is shorter than w, or importance is
// neither nil nor as long as w.
func (s *Selector) Select(codes []uint8, w, importance []float64, tensorScale float32) (Choice, error) {
	if !s.made() {
		return Choice{}, errNotMade
	}
	amax, err := check(codes, w)
	if err != nil {
		return Choice{}, err
	}
	if importance, err = checkImportance(importance, len(w)); err != nil {
		return Choice{}, err
	}
	codes = codes[:len(w)]
	if s.top > 0 {
		return s.selectInteger(codes, w, amax), nil
	}
	compare := len(s.trials) > 1
	for i := range s.classes {
		s.classes[i].measure(s.typ, w, importance, amax, tensorScale, compare)
	}
	choice, best := s.best()
	k := &s.classes[best.class]
	table := &k.members[best.member].codes
	for i, z := range k.zones[:len(w)] {
		codes[i] = table[z]
	}
	return choice, nil
}

// best returns the candidate with the least error, after all have been measured.
func (s *Selector) best() (choice Choice, best trial) {
	bestError := math.Inf(1)
	for i, t := range s.trials {
		k := &s.classes[t.class]
		if e := k.members[t.member].err; e < bestError || i == 0 {
			best, bestError = t, e
			choice = k.scale
			choice.Codebook = i
		}
	}
	return choice, best
}

// Encode writes the code of each weight w in the candidate codebook c.Codebook for the
// scale c.Delta: the code of the value nearest to w/c.Delta, a tie going to the smaller
// value, or the code of the value nearest to 0 if c.Delta is 0. The scale need not be
// one that [Selector.Select] gives. The error matches [ErrShape] if codes is shorter
// than w or there is no such codebook.
func (s *Selector) Encode(codes []uint8, w []float64, c Choice) error {
	if !s.made() {
		return errNotMade
	}
	if len(codes) < len(w) {
		return fmt.Errorf("group: %w: len(codes) is %d, want at least %d (weights)", ErrShape, len(codes), len(w))
	}
	if uint(c.Codebook) >= uint(s.codebooks) {
		return fmt.Errorf("group: %w: codebook %d of %d", ErrShape, c.Codebook, s.codebooks)
	}
	codes = codes[:len(w)]
	for i, x := range w {
		codes[i] = s.encode(x, c)
	}
	return nil
}

// EncodeValue is Encode for one weight. It returns 0 if there is no such codebook.
func (s *Selector) EncodeValue(w float64, c Choice) uint8 {
	if !s.made() || uint(c.Codebook) >= uint(s.codebooks) {
		return 0
	}
	return s.encode(w, c)
}

func (s *Selector) encode(w float64, c Choice) uint8 {
	r := ratio(w, c.Delta)
	if s.top > 0 {
		return s.encodeInteger(r, s.zero(c.Codebook))
	}
	t := s.trials[c.Codebook]
	k := &s.classes[t.class]
	limit := 4 * k.max
	return k.members[t.member].codes[k.zone(within(r, limit))]
}

// zero returns the zero-point of an integer type's codebook.
func (s *Selector) zero(codebook int) int {
	if s.typ.Asymmetric() {
		return codebook
	}
	return s.top / 2
}

// encodeInteger returns the code of a ratio in an integer type.
func (s *Selector) encodeInteger(r float64, zero int) uint8 {
	limit := float64(2 * s.top)
	r = within(r, limit)
	n := int(r+limit) - 2*s.top
	n += one(r > float64(n)+.5)
	return uint8(min(max(n+zero, 0), s.top))
}

// within returns x clamped to ±limit. It is faster than min and max, which mind the sign
// of 0.
func within(x, limit float64) float64 {
	switch {
	case x > limit:
		return limit
	case x < -limit:
		return -limit
	}
	return x
}

// check returns the largest magnitude in w, or an error for invalid arguments of
// Select.
func check(codes []uint8, w []float64) (amax float64, err error) {
	if len(codes) < len(w) {
		return 0, fmt.Errorf("group: %w: len(codes) is %d, want at least %d (weights)", ErrShape, len(codes), len(w))
	}
	for i, x := range w {
		a := math.Abs(x)
		if !(a <= math.MaxFloat32) {
			return 0, &errs.Weight{Index: i, Value: x}
		}
		if a > amax {
			amax = a
		}
	}
	return amax, nil
}

// checkImportance returns nil for importances that are all 0, which count as equal.
func checkImportance(importance []float64, n int) ([]float64, error) {
	if importance == nil {
		return nil, nil
	}
	if len(importance) != n {
		return nil, fmt.Errorf("group: %w: len(importance) is %d, want %d (weights)", ErrShape, len(importance), n)
	}
	for _, a := range importance {
		if a != 0 {
			return importance, nil
		}
	}
	return nil, nil
}

func unknown(t datatype.Type) error {
	return fmt.Errorf("group: %w: %v", datatype.ErrUnknown, t)
}

// selectInteger is Select for types whose values are code − zero-point.
func (s *Selector) selectInteger(codes []uint8, w []float64, amax float64) Choice {
	top := float64(s.top)
	var c Choice
	zero := s.top / 2
	if s.typ.Asymmetric() {
		var lo, hi float64
		for _, x := range w {
			if x < lo {
				lo = x
			}
			if x > hi {
				hi = x
			}
		}
		zero = 0
		if c.Delta = (hi - lo) / top; c.Delta > 0 {
			zero = int(min(math.RoundToEven(-lo/c.Delta), top))
		}
		c.Codebook = zero
	} else {
		c.Delta = amax / (top / 2)
	}
	if c.Delta == 0 {
		for i := range codes {
			codes[i] = uint8(zero)
		}
		return c
	}
	// The threshold of a ratio in [n, n+1) is n + 1/2. The shift makes ratios positive,
	// so that truncation rounds down. If the sum rounds up to the next integer, the
	// threshold of that integer gives the same answer.
	const shift = 1 << 10
	for i, x := range w {
		r := x / c.Delta
		n := int(r+shift) - shift
		n += one(r > float64(n)+.5)
		codes[i] = uint8(min(max(n+zero, 0), s.top))
	}
	return c
}

// one returns 1 for true, without a branch.
func one(b bool) int {
	var n int
	if b {
		n = 1
	}
	return n
}
