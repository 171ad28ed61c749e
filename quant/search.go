package quant

import (
	"errors"
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/internal/pack"
	"github.com/bitmod-go/bitmod/internal/search"
)

// A rowSearcher looks for the best way to store a row: what selection makes of it,
// the paper's and that by importance, or what search finds. All are compared as they
// will be dequantized, to the last bit, so that no search makes a row worse.
type rowSearcher struct {
	w          any
	m          *Matrix
	chooser    *chooser
	weights    []float64
	candidates []search.Candidates // by group
	deltas     []float64
	scales     []uint8
	best, next rowChoice
}

// A rowChoice is all that is stored for a row.
type rowChoice struct {
	step   float32 // or the tensor's scale
	groups []group.Choice
	codes  []uint8
	noises []float64 // by group: Σ importance·(w − ŵ)²
	noise  float64   // of the row
}

func newRowSearcher(w any, m *Matrix, c *chooser) *rowSearcher {
	s := &rowSearcher{
		w: w, m: m, chooser: c,
		weights:    make([]float64, m.cols),
		candidates: make([]search.Candidates, m.groups),
		deltas:     make([]float64, m.groups),
		scales:     make([]uint8, m.groups),
	}
	for _, r := range []*rowChoice{&s.best, &s.next} {
		r.groups, r.codes, r.noises = make([]group.Choice, m.groups), make([]uint8, m.cols), make([]float64, m.groups)
	}
	return s
}

func (s *rowSearcher) quantize(row int) error {
	m := s.m
	widen(s.weights, s.w, row*m.cols)
	if at, err := s.search(); err != nil {
		return weightError(err, row, at)
	}
	r := &s.best
	for g, c := range r.groups {
		m.setGroup(row, g, c)
	}
	if m.typ.Scale() == datatype.RowStep {
		m.storage.RowScales[row] = r.step
	}
	pack.Row(m.codeRow(row), r.codes, m.typ.Bits())
	return m.checkRange(row, r.codes, s.w)
}

// search sets s.best for s.weights. With an error of package group comes the first
// column of the group that it is about.
func (s *rowSearcher) search() (at int, err error) {
	if at, err = s.selection(nil); err != nil {
		return at, err
	}
	s.best, s.next = s.next, s.best
	if s.chooser.importance != nil {
		if at, err = s.selection(s.chooser.importance); err != nil {
			return at, err
		}
		s.keep()
	}
	var top float64
	for g := range s.candidates {
		lo, hi := s.m.groupColumns(g)
		if err := s.chooser.find(&s.candidates[g], lo, s.weights[lo:hi]); err != nil {
			return lo, err
		}
		top = max(top, s.candidates[g].Free().Delta)
	}
	if s.m.typ.Scale() != datatype.RowStep {
		return 0, s.store(s.chooser.tensorScale)
	}
	// Codes and scales for a step, and then the step that fits them best: once or
	// twice is all that it takes.
	const steps = 3
	step := float32(min(top, math.MaxFloat32) / 255)
	for range steps {
		before := s.best.noise
		if err := s.store(step); err != nil {
			return 0, err
		}
		next, ok := s.fitStep()
		if !(s.best.noise < before) || !ok || next == step {
			break
		}
		step = next
	}
	return 0, nil
}

// selection sets s.next to what is stored without search.
func (s *rowSearcher) selection(importance []float64) (at int, err error) {
	m, r := s.m, &s.next
	for g := range r.groups {
		lo, hi := m.groupColumns(g)
		var a []float64
		if importance != nil {
			a = importance[lo:hi]
		}
		c, err := s.chooser.selector.Select(r.codes[lo:hi], s.weights[lo:hi], a, s.chooser.tensorScale)
		if err != nil {
			return lo, err
		}
		r.groups[g], s.deltas[g] = c, c.Delta
	}
	r.step = s.chooser.tensorScale
	if m.typ.Scale() == datatype.RowStep {
		r.step = group.RowScales(s.scales, s.deltas)
		for g, k := range s.scales {
			if k == 0 && s.deltas[g] > 0 && r.step > 0 {
				lo, hi := m.groupColumns(g)
				var a []float64
				if importance != nil {
					a = importance[lo:hi]
				}
				k = group.ZeroScale(m.codebooks[r.groups[g].Codebook], r.codes[lo:hi], s.weights[lo:hi], a, r.step)
			}
			r.groups[g].Scale = k
		}
	}
	s.measure(r)
	return 0, nil
}

// store sets s.next to the best for a step among what was found, and keeps it if it
// is better than s.best.
func (s *rowSearcher) store(step float32) error {
	m, r := s.m, &s.next
	r.step = step
	for g := range r.groups {
		lo, hi := m.groupColumns(g)
		r.groups[g] = s.candidates[g].Stored(step)
		if err := s.chooser.selector.Encode(r.codes[lo:hi], s.weights[lo:hi], r.groups[g]); err != nil {
			return err
		}
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

// keep makes s.next the best if it is better.
func (s *rowSearcher) keep() {
	if s.next.noise < s.best.noise {
		s.best, s.next = s.next, s.best
	}
}

// measure sets the errors of r. The row's is added up as [Measure] does.
func (s *rowSearcher) measure(r *rowChoice) {
	m := s.m
	r.noise = 0
	for g, c := range r.groups {
		lo, hi := m.groupColumns(g)
		var values [256]float64
		m.values(values[:], c, r.step)
		var noise float64
		for col := lo; col < hi; col++ {
			v := values[r.codes[col]]
			e := s.weights[col] - v
			a := 1.
			if s.chooser.importance != nil {
				a = s.chooser.importance[col]
			}
			n := float64(float64(a*e) * e)
			if math.IsInf(v, 0) {
				n = math.Inf(1) // whatever its importance
			}
			noise += n
			r.noise += n
		}
		r.noises[g] = noise
	}
}

// fitStep returns the step with the least error for the codes and scales of s.best:
// Σ a·w·q·k / Σ a·(q·k)².
func (s *rowSearcher) fitStep() (float32, bool) {
	var above, below float64
	for g, c := range s.best.groups {
		lo, hi := s.m.groupColumns(g)
		cb := s.m.codebooks[c.Codebook]
		for col := lo; col < hi; col++ {
			v := float64(cb.Value(s.best.codes[col])) * float64(c.Scale)
			if s.chooser.importance != nil {
				a := s.chooser.importance[col]
				above += float64(float64(a*s.weights[col]) * v)
				below += float64(float64(a*v) * v)
				continue
			}
			above += float64(s.weights[col] * v)
			below += float64(v * v)
		}
	}
	step := float32(above / below)
	return step, step > 0 && !math.IsInf(float64(step), 0)
}

// values sets the values of the codes of a group, as they are dequantized.
func (m *Matrix) values(dst []float64, c group.Choice, step float32) {
	cb, k := m.codebooks[c.Codebook], m.typ.Scale().Value(c.Scale)
	for code := range cb.Len() {
		dst[code] = float64(float32(cb.Value(uint8(code))*k) * step)
	}
}

// weightError returns an error of package group, for a group whose first column is
// at, as one of this package.
func weightError(err error, row, at int) error {
	var bad *group.WeightError
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
