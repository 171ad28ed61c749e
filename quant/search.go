package quant

import (
	"errors"
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/internal/badweight"
	"github.com/bitmod-go/bitmod/internal/search"
)

// A rowSearcher looks for the best way to store a row: what selection makes of it,
// the paper's and that by importance, or what search finds. All are compared as they
// will be dequantized, to the last bit, so that no search makes a row worse by what
// [Config.Search] minimizes.
type rowSearcher struct {
	rowSelector
	weights    []float64           // the row's
	float32s   []float32           // the same, nil if some are not float32
	importance []float64           // of each weight
	candidates []search.Candidates // by group
	best, next rowChoice
	values     [256]float64 // by code
}

// A rowChoice is all that is stored for a row.
type rowChoice struct {
	step   float32 // or the tensor's scale
	groups []group.Choice
	codes  []uint8
	noises []float64 // by group: Σ importance·(w − ŵ)²
	noise  float64   // of the row: their sum
}

func newRowSearcher(w any, m *Matrix, c *chooser) *rowSearcher {
	s := &rowSearcher{
		rowSelector: newRowSelector(w, m, c),
		weights:     make([]float64, m.cols),
		importance:  make([]float64, m.cols),
		candidates:  make([]search.Candidates, m.groups),
	}
	for _, r := range []*rowChoice{&s.best, &s.next} {
		r.groups, r.codes, r.noises = make([]group.Choice, m.groups), make([]uint8, m.cols), make([]float64, m.groups)
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
			emphasize(s.importance[lo:hi], s.weights[lo:hi])
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
	// Codes and scales for a step, and then the step that fits them best: once or
	// twice is all that it takes.
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

// selection sets s.next to what is stored without search.
func (s *rowSearcher) selection(row int, importance []float64) (err error) {
	r := &s.next
	if r.step, err = s.choose(r.groups, r.codes, row, importance); err != nil {
		return err
	}
	s.measure(r)
	return nil
}

// store sets s.next to the best for a step among what was found, and keeps it if it
// is better than s.best.
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
		// Groups that have nothing in common are chosen by themselves.
		for g := range r.groups {
			if s.best.noises[g] <= r.noises[g] {
				lo, hi := m.groupColumns(g)
				r.groups[g] = s.best.groups[g]
				copy(r.codes[lo:hi], s.best.codes[lo:hi])
			}
		}
		s.measure(r)
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
	const margin = 1e-8 // far above what the order of a sum makes of it
	next, best := s.next.noise, s.best.noise
	if next > best*(1-margin) && next < best*(1+margin) {
		next, best = s.exactNoise(&s.next), s.exactNoise(&s.best)
	}
	if next < best {
		s.best, s.next = s.next, s.best
	}
}

// measure sets the errors of r, whose sums are in an order of their own.
func (s *rowSearcher) measure(r *rowChoice) {
	r.noise = 0
	for g, c := range r.groups {
		lo, hi := s.m.groupColumns(g)
		s.m.values(s.values[:], c, r.step)
		// Four sums, whose additions the processor overlaps.
		var s0, s1, s2, s3 float64
		col := lo
		for ; col+4 <= hi; col += 4 {
			s0 += s.noise(col, r.codes[col])
			s1 += s.noise(col+1, r.codes[col+1])
			s2 += s.noise(col+2, r.codes[col+2])
			s3 += s.noise(col+3, r.codes[col+3])
		}
		for ; col < hi; col++ {
			s0 += s.noise(col, r.codes[col])
		}
		r.noises[g] = (s0 + s1) + (s2 + s3)
		r.noise += r.noises[g]
	}
}

// noise returns the error of one weight, for the values of its group.
func (s *rowSearcher) noise(col int, code uint8) float64 {
	e := s.weights[col] - s.values[code]
	n := float64(float64(s.importance[col]*e) * e)
	if n != n { // no importance, but infinite
		return math.Inf(1)
	}
	return n
}

// exactNoise returns the error of r, added up from the first column on.
func (s *rowSearcher) exactNoise(r *rowChoice) float64 {
	var noise float64
	for g, c := range r.groups {
		lo, hi := s.m.groupColumns(g)
		s.m.values(s.values[:], c, r.step)
		for col := lo; col < hi; col++ {
			noise += s.noise(col, r.codes[col])
		}
	}
	return noise
}

// fitStep returns the step with the least error for the codes and scales of s.best:
// Σ a·w·q·k / Σ a·(q·k)².
func (s *rowSearcher) fitStep() (float32, bool) {
	var above, below float64
	for g, c := range s.best.groups {
		lo, hi := s.m.groupColumns(g)
		cb := s.m.codebooks[c.Codebook]
		for code := range cb.Len() {
			s.values[code] = float64(cb.Value(uint8(code))) * float64(c.Scale)
		}
		weights, codes := s.weights[lo:hi], s.best.codes[lo:hi]
		codes = codes[:len(weights)]
		importance := s.importance[lo:hi][:len(weights)]
		for i, x := range weights {
			v := s.values[codes[i]]
			above += float64(float64(importance[i]*x) * v)
			below += float64(float64(importance[i]*v) * v)
		}
	}
	step := float32(above / below)
	return step, step > 0 && !math.IsInf(float64(step), 0)
}

// emphasize sets each dst[i] to √(1 + w[i]²/σ²), where σ² is the mean square of the group w,
// or to 1 if that is 0.
func emphasize(dst, w []float64) {
	var sum float64
	for _, x := range w {
		sum += float64(x * x)
	}
	inverse := float64(len(w)) / sum
	if !(inverse <= math.MaxFloat64) {
		inverse = 0
	}
	for i, x := range w {
		dst[i] = math.Sqrt(1 + float64(float64(x*x)*inverse))
	}
}

// values sets the values of the codes of a group, as they are dequantized.
func (m *Matrix) values(dst []float64, c group.Choice, step float32) {
	cb, k := m.codebooks[c.Codebook], m.typ.Scale().Value(c.Scale)
	for code := range cb.Len() {
		dst[code] = float64(float32(cb.Value(uint8(code))*k) * step)
	}
}

// weightError returns an error of package group or internal/search, for a group whose first column is
// at, as one of this package.
func weightError(err error, row, at int) error {
	var bad *badweight.Error
	if errors.As(err, &bad) {
		return &WeightError{Row: row, Col: at + bad.Index, Value: bad.Value}
	}
	return err
}

// scaledImportance returns importances multiplied by a power of two, so that the
// largest is about 1 and nothing that is computed with them overflows.
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
