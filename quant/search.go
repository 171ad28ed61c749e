package quant

import (
	"errors"
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/internal/errs"
	"github.com/bitmod-go/bitmod/internal/loops/coding"
	"github.com/bitmod-go/bitmod/internal/search"
)

// A rowSearcher looks for the best way to store a row, among the paper's selection,
// selection by importance, and the results of search. It compares the dequantized
// weights, to the last bit, so that search never raises the sum that [Config.Search]
// minimizes.
type rowSearcher struct {
	rowSelector
	weights    []float64           // the row's
	float32s   []float32           // the same, nil if some are not float32
	importance []float64           // of each weight
	candidates []search.Candidates // by group
	best, next rowChoice
	values     [256]float32 // by code

	set           *coding.Set // nil for portable code
	squareArgs    coding.SquareArgs
	emphasizeArgs coding.EmphasizeArgs
	noiseArgs     coding.NoiseArgs
}

// A rowChoice has everything that is stored for a row.
type rowChoice struct {
	step   float32 // or the tensor's scale
	groups []group.Choice
	codes  []uint8
	noises []noise // by group
	noise  float64 // of the row: their sum
}

// A noise has the sums that make up a group's error.
type noise struct {
	error        float64 // Σ importance·(w − ŵ)²
	above, below float64 // Σ importance·ŵ·w and Σ importance·ŵ·ŵ
}

func newRowSearcher(w any, m *Matrix, c *chooser) *rowSearcher {
	s := &rowSearcher{
		rowSelector: newRowSelector(w, m, c),
		weights:     make([]float64, m.cols),
		importance:  make([]float64, m.cols),
		candidates:  make([]search.Candidates, m.groups),
		set:         coding.Best(),
	}
	for _, r := range []*rowChoice{&s.best, &s.next} {
		r.groups, r.codes, r.noises = make([]group.Choice, m.groups), make([]uint8, m.cols), make([]noise, m.groups)
	}
	return s
}

func (s *rowSearcher) quantize(row int) error {
	widen(s.weights, s.w, row*s.m.cols)
	if s.chooser.importance != nil {
		copy(s.importance, s.chooser.importance)
	} else {
		for g := range s.candidates {
			lo, hi := s.m.groupColumns(g)
			s.emphasize(s.importance[lo:hi], s.weights[lo:hi])
		}
	}
	s.float32s = nil
	if w, ok := s.narrow(row); ok {
		s.float32s = w
	}
	if err := s.search(row); err != nil {
		return err
	}
	return s.m.storeRow(row, s.best.step, s.best.groups, s.best.codes, s.w)
}

// search sets s.best for a row.
func (s *rowSearcher) search(row int) error {
	if err := s.selection(row, nil); err != nil {
		return err
	}
	s.best, s.next = s.next, s.best
	if s.chooser.importance != nil {
		if err := s.selection(row, s.chooser.importance); err != nil {
			return err
		}
		s.keep()
	}
	var top float64
	for g := range s.candidates {
		lo, hi := s.m.groupColumns(g)
		if err := s.chooser.searcher.Find(&s.candidates[g], s.weights[lo:hi], s.importance[lo:hi]); err != nil {
			return weightError(err, row, lo)
		}
		top = max(top, s.candidates[g].Free().Delta)
	}
	if s.m.typ.Scale() != datatype.RowStep {
		return s.store(s.chooser.tensorScale)
	}
	// Find codes and scales for a step, then the best step for them. This converges in
	// one or two rounds.
	const steps = 3
	step := float32(min(top, math.MaxFloat32) / 255)
	for range steps {
		before := s.best.noise
		if err := s.store(step); err != nil {
			return err
		}
		next, ok := s.fitStep()
		if !(s.best.noise < before) || !ok || next == step {
			break
		}
		step = next
	}
	return nil
}

// selection sets s.next to the choice without search.
func (s *rowSearcher) selection(row int, importance []float64) (err error) {
	r := &s.next
	if r.step, err = s.choose(r.groups, r.codes, row, importance); err != nil {
		return err
	}
	s.measure(r)
	return nil
}

// store sets s.next to the best candidates for a step, and keeps it if it is better
// than s.best.
func (s *rowSearcher) store(step float32) error {
	m, r := s.m, &s.next
	r.step = step
	for g := range r.groups {
		r.groups[g] = s.candidates[g].Stored(step)
	}
	if err := s.encode(r); err != nil {
		return err
	}
	s.measure(r)
	if step == s.best.step {
		// Without a step in common, groups are chosen independently.
		for g := range r.groups {
			if s.best.noises[g].error <= r.noises[g].error {
				lo, hi := m.groupColumns(g)
				r.groups[g], r.noises[g] = s.best.groups[g], s.best.noises[g]
				copy(r.codes[lo:hi], s.best.codes[lo:hi])
			}
		}
		r.add()
	}
	s.keep()
	return nil
}

// encode sets the codes of r.
func (s *rowSearcher) encode(r *rowChoice) error {
	if s.float32s != nil {
		return s.chooser.selector.EncodeFloat32(r.codes, s.float32s, s.m.groupSize, r.groups)
	}
	for g, c := range r.groups {
		lo, hi := s.m.groupColumns(g)
		if err := s.chooser.selector.Encode(r.codes[lo:hi], s.weights[lo:hi], c); err != nil {
			return err
		}
	}
	return nil
}

// keep makes s.next the best if it is better.
func (s *rowSearcher) keep() {
	const margin = 1e-8 // far above the effect of the order of a sum
	next, best := s.next.noise, s.best.noise
	if next > best*(1-margin) && next < best*(1+margin) {
		next, best = s.exactNoise(&s.next), s.exactNoise(&s.best)
	}
	if next < best {
		s.best, s.next = s.next, s.best
	}
}

// measure sets the errors of r. It sums in another order than exactNoise.
func (s *rowSearcher) measure(r *rowChoice) {
	for g, c := range r.groups {
		lo, hi := s.m.groupColumns(g)
		s.setValues(c, r.step)
		r.noises[g] = s.noise(lo, hi, r.codes)
	}
	r.add()
}

// add sets the error of r to the sum of the errors of its groups.
func (r *rowChoice) add() {
	r.noise = 0
	for _, n := range r.noises {
		r.noise += n.error
	}
}

// noise returns the errors of the group of columns lo to hi−1, with the values in
// s.values.
func (s *rowSearcher) noise(lo, hi int, codes []uint8) noise {
	w, importance, codes := s.weights[lo:hi], s.importance[lo:hi], codes[lo:hi]
	importance, codes = importance[:len(w)], codes[:len(w)]
	a := &s.noiseArgs
	a.Noise, a.Above, a.Below = [coding.WideLanes]float64{}, [coding.WideLanes]float64{}, [coding.WideLanes]float64{}
	whole := 0
	if s.set != nil && s.set.Noise != nil && s.m.typ.Bits() <= 4 && len(w) >= 2*coding.WideLanes {
		whole = len(w) &^ (2*coding.WideLanes - 1)
		a.W, a.A, a.Codes, a.N, a.Values = &w[0], &importance[0], &codes[0], whole, (*[16]float32)(s.values[:])
		s.set.Noise(a)
	}
	for i := whole; i < len(w); i++ {
		v, lane := float64(s.values[codes[i]]), i%coding.WideLanes
		e, p := w[i]-v, float64(importance[i]*v)
		a.Noise[lane] += float64(float64(importance[i]*e) * e)
		a.Above[lane] += float64(p * w[i])
		a.Below[lane] += float64(p * v)
	}
	sum := func(s *[coding.WideLanes]float64) float64 { return (s[0] + s[1]) + (s[2] + s[3]) }
	n := noise{sum(&a.Noise), sum(&a.Above), sum(&a.Below)}
	if n.error != n.error { // an importance of 0 times an infinite error
		n.error = math.Inf(1)
	}
	return n
}

// exactNoise returns the error of r, added up from the first column on.
func (s *rowSearcher) exactNoise(r *rowChoice) float64 {
	var sum float64
	for g, c := range r.groups {
		lo, hi := s.m.groupColumns(g)
		s.setValues(c, r.step)
		for col := lo; col < hi; col++ {
			e := s.weights[col] - float64(s.values[r.codes[col]])
			n := float64(float64(s.importance[col]*e) * e)
			if n != n { // an importance of 0 times an infinite error
				n = math.Inf(1)
			}
			sum += n
		}
	}
	return sum
}

// fitStep returns the step with the least error for the codes and scales of s.best: Σ
// a·w·ŵ / Σ a·ŵ² times their step.
func (s *rowSearcher) fitStep() (float32, bool) {
	var above, below float64
	for _, n := range s.best.noises {
		above += n.above
		below += n.below
	}
	step := float32(float64(s.best.step) * (above / below))
	return step, step > 0 && !math.IsInf(float64(step), 0)
}

// emphasize sets each dst[i] to √(1 + w[i]²/σ²), where σ² is the mean square of the group w,
// or to 1 if that is 0.
func (s *rowSearcher) emphasize(dst, w []float64) {
	whole := 0
	if s.set != nil && s.set.Square != nil {
		whole = len(w) &^ (coding.WideLanes - 1)
	}
	sums := &s.squareArgs.Sum
	*sums = [coding.WideLanes]float64{}
	if whole > 0 {
		s.squareArgs.W, s.squareArgs.N = &w[0], whole
		s.set.Square(&s.squareArgs)
	}
	for i := whole; i < len(w); i++ {
		sums[i%coding.WideLanes] += float64(w[i] * w[i])
	}
	inverse := float64(len(w)) / ((sums[0] + sums[1]) + (sums[2] + sums[3]))
	if !(inverse <= math.MaxFloat64) {
		inverse = 0
	}
	if whole > 0 {
		s.emphasizeArgs = coding.EmphasizeArgs{Dst: &dst[0], W: &w[0], N: whole, Inverse: inverse}
		s.set.Emphasize(&s.emphasizeArgs)
	}
	for i := whole; i < len(w); i++ {
		dst[i] = math.Sqrt(1 + float64(float64(w[i]*w[i])*inverse))
	}
}

// setValues sets the values of the codes of a group, as they are dequantized.
func (s *rowSearcher) setValues(c group.Choice, step float32) {
	cb, k := s.m.codebooks[c.Codebook], s.m.typ.Scale().Value(c.Scale)
	for code := range cb.Len() {
		s.values[code] = float32(cb.Value(uint8(code))*k) * step
	}
}

// values sets the values of the codes of a group, as they are dequantized.
func (m *Matrix) values(dst []float64, c group.Choice, step float32) {
	cb, k := m.codebooks[c.Codebook], m.typ.Scale().Value(c.Scale)
	for code := range cb.Len() {
		dst[code] = float64(float32(cb.Value(uint8(code))*k) * step)
	}
}

// weightError turns an error of package group or internal/search about a group whose
// first column is at into one of this package.
func weightError(err error, row, at int) error {
	var bad *errs.Weight
	if errors.As(err, &bad) {
		return &WeightError{Row: row, Col: at + bad.Index, Value: bad.Value}
	}
	return err
}

// scaledImportance returns importances multiplied by a power of two, so that the
// largest is about 1 and computations with them do not overflow.
func scaledImportance(importance []float64) []float64 {
	if len(importance) == 0 {
		return nil
	}
	_, exp := math.Frexp(slices.Max(importance))
	scaled := make([]float64, len(importance))
	for i, a := range importance {
		scaled[i] = math.Ldexp(a, -exp)
	}
	return scaled
}
