package quant

import (
	"context"
	"math"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/internal/search"
)

// Feedback has the options of error feedback, GPTQ (arXiv 2210.17323). Columns are
// rounded one after the other, and the columns that follow compensate the error of each
// as well as the Hessian allows. The scale, special value and zero-point of a group are
// chosen before its first column is rounded, from the weights as feedback has left
// them.
//
// Besides the matrix, it takes 4·cols² bytes for the factored Hessian, 1,024 bytes per
// column while the Hessian is factored, and some 450 bytes per column for each worker,
// more for groups of less than 64 and codes of more than 4 bits. It takes cols³/6
// multiplications for the factor and cols²/2 for each row. Codes are the same for any
// number of workers and on every architecture.
type Feedback struct {
	// Hessian is the Hessian of the layer's inputs, with as many columns as the weights
	// and at least one vector.
	Hessian *Hessian
	// Damping is added to the diagonal, relative to the mean of the diagonal; 0 stands
	// for 0.01. If the Hessian can't be factored with it, Group tries ten times as much,
	// and so on up to 1. If 1 fails, too, the error matches ErrSingular.
	Damping float64
	// Shrinkage divides all elements of the Hessian outside of the diagonal by 1 +
	// Shrinkage. With few vectors for many columns, much in these elements is chance, and
	// codes that rely on it are worse on another text. Unlike Damping, it serves columns
	// of any size alike. On three layers of SmolLM2-135M with 4,096 tokens, 0.3 and a
	// Damping of 0.003 take 13 % off the loss on another text. GPTQ has none: 0.
	Shrinkage float64
	// ActOrder rounds columns in the order of the falling diagonal, so that many columns
	// are left to compensate the errors of the columns that count most. A group still
	// consists of neighbouring columns. With ActOrder, the scales, special values and
	// zero-points of all groups are chosen before the first column is rounded, from the
	// weights as they are ("static groups").
	ActOrder bool
	// Sweeps is the largest number of passes of coordinate descent over all codes and
	// scales after feedback. Each pass changes every code and scale to the best one while
	// the others stay unchanged, so that the squared error of the layer's outputs, with
	// Damping and Shrinkage, falls. The first pass makes more than half of the gain.
	// Sweeps take 8·cols² bytes more, cols² multiplications for each row, and a fraction
	// of that for each pass. Types whose scales follow a standard of their own keep the
	// scales of feedback.
	Sweeps int

	shared *sharedFactor // nil for a single matrix
}

// A sharedFactor is a factor that several matrices with the same Hessian use, one after
// the other.
type sharedFactor struct {
	of     Feedback // without shared
	factor *factor  // nil before the first
}

// A keptFactor is a factor that its Hessian keeps.
type keptFactor struct {
	damping, shrinkage float64
	actOrder           bool
	factor             *factor
}

// kept returns the factor that the Hessian keeps, or nil if it has none for these options.
func (f *Feedback) kept(cols int) *factor {
	if f.Hessian == nil || f.Hessian.cols != cols || f.check() != nil {
		return nil
	}
	k := f.Hessian.kept.Load()
	if k == nil || k.damping != f.Damping || k.shrinkage != f.Shrinkage || k.actOrder != f.ActOrder {
		return nil
	}
	return k.factor
}

// keep returns the factor of the Hessian, and lets the Hessian keep it.
func (f *Feedback) keep(ctx context.Context, cols, workers int) (*factor, error) {
	if k := f.kept(cols); k != nil {
		return k, nil
	}
	made, err := newFactor(ctx, f, cols, workers)
	if err == nil {
		f.Hessian.kept.Store(&keptFactor{f.Damping, f.Shrinkage, f.ActOrder, made})
	}
	return made, err
}

// factored returns the factor of the Hessian.
func (f *Feedback) factored(ctx context.Context, cols, workers int) (*factor, error) {
	if k := f.kept(cols); k != nil {
		return k, nil
	}
	s := f.shared
	if s == nil {
		return newFactor(ctx, f, cols, workers)
	}
	own := *f
	own.shared = nil
	if s.factor == nil || s.of != own || s.factor.n != cols {
		var err error
		if s.factor, err = newFactor(ctx, f, cols, workers); err != nil {
			return nil, err
		}
		s.of = own
	}
	return s.factor, nil
}

const (
	// At most feedbackRows rows are quantized together, with one pass over the factor.
	feedbackRows = 16
	// At most feedbackColumns columns are rounded before their errors spread to the
	// columns beyond them. The result depends on neither number.
	feedbackColumns = 128
	// At most feedbackPart columns are rounded before their errors spread to the rest of
	// the feedbackColumns columns.
	feedbackPart = 8
	// headroom is the factor by which the row's largest scale may grow as feedback
	// changes weights.
	headroom = 9. / 8
)

// A feedbackQuantizer has the memory to quantize a few rows at a time.
type feedbackQuantizer struct {
	w       any
	m       *Matrix
	factor  *factor
	descent *descent // nil for none
	chooser *chooser
	rows    [feedbackRows]feedbackRow
	first   []float64           // a group's weights
	found   []search.Candidates // by group, where groups are static

	differences []float64 // ŵ − w of some rows, for the descent
}

type feedbackRow struct {
	weights []float64 // by column
	target  []float64 // by visit: weights with the feedback so far
	errors  []float64 // by visit: dequantized weights minus original weights
	ideal   []float64 // of a group
	codes   []uint8   // by column
	choices []group.Choice
	values  []float64 // by group and code, dequantized
}

func newFeedbackQuantizer(w any, m *Matrix, f *factor, d *descent, c *chooser) *feedbackQuantizer {
	q := &feedbackQuantizer{w: w, m: m, factor: f, descent: d, chooser: c, first: make([]float64, min(m.groupSize, m.cols))}
	for i := range q.rows {
		r := &q.rows[i]
		r.weights, r.target, r.errors = make([]float64, m.cols), make([]float64, m.cols), make([]float64, m.cols)
		r.ideal = make([]float64, len(q.first))
		r.codes = make([]uint8, m.cols)
		r.choices = make([]group.Choice, m.groups)
		r.values = make([]float64, m.groups<<m.typ.Bits())
	}
	if d != nil {
		q.differences = make([]float64, feedbackRows*m.cols)
	}
	if f.order != nil && c.searcher != nil {
		q.found = make([]search.Candidates, m.groups)
	}
	return q
}

// quantize quantizes rows lo to hi−1. It returns the first error and its row.
func (q *feedbackQuantizer) quantize(lo, hi int) (int, error) {
	m := q.m
	var bad error
	for row := lo; row < hi && bad == nil; row++ {
		r := &q.rows[row-lo]
		widen(r.weights, q.w, row*m.cols)
		for col, x := range r.weights {
			if !(math.Abs(x) <= math.MaxFloat32) {
				// Rows before it may still have errors of their own.
				bad, hi = &WeightError{Row: row, Col: col, Value: x}, row
				break
			}
		}
	}
	for row := lo; row < hi; row++ {
		if err := q.start(&q.rows[row-lo], row); err != nil {
			return row, err
		}
	}
	q.run(q.rows[:hi-lo], lo)
	if q.descent != nil {
		q.descend(q.rows[:hi-lo], lo)
	}
	for row := lo; row < hi; row++ {
		r := &q.rows[row-lo]
		if err := m.storeRow(row, m.RowScale(row), r.choices, r.codes, q.w); err != nil {
			return row, err
		}
	}
	return hi, bad
}

// start finds the step of a row and, if groups are static, the scales and codebooks of
// its groups.
func (q *feedbackQuantizer) start(r *feedbackRow, row int) error {
	m, f := q.m, q.factor
	for visit := range r.target {
		r.target[visit] = r.weights[f.column(visit)]
	}
	for g := range q.found {
		lo, hi := m.groupColumns(g)
		if err := q.chooser.find(&q.found[g], lo, r.weights[lo:hi]); err != nil {
			return err
		}
	}
	if m.typ.Scale() == datatype.RowStep {
		var top float64
		for g := range m.groups {
			if q.found != nil {
				top = max(top, q.found[g].Free().Delta)
				continue
			}
			lo, hi := m.groupColumns(g)
			c, err := q.chooser.free(lo, r.weights[lo:hi])
			if err != nil {
				return err
			}
			top = max(top, c.Delta)
		}
		m.storage.RowScales[row] = float32(min(top*headroom, math.MaxFloat32) / 255)
	}
	if f.order == nil {
		return nil
	}
	for g := range m.groups {
		if q.found != nil {
			q.take(r, row, g, q.found[g].Stored(m.RowScale(row)))
			continue
		}
		lo, hi := m.groupColumns(g)
		if err := q.choose(r, row, g, r.weights[lo:hi]); err != nil {
			return err
		}
	}
	return nil
}

// choose chooses scale and codebook for a group of a row with the weights w.
func (q *feedbackQuantizer) choose(r *feedbackRow, row, g int, w []float64) error {
	m := q.m
	lo, _ := m.groupColumns(g)
	c, err := q.chooser.stored(lo, w, m.RowScale(row))
	if err != nil {
		return err
	}
	q.take(r, row, g, c)
	return nil
}

// take stores the choice of a group and computes its values.
func (q *feedbackQuantizer) take(r *feedbackRow, row, g int, c group.Choice) {
	r.choices[g] = c
	q.m.values(r.valuesOf(q.m, g), c, q.m.RowScale(row))
}

// valuesOf returns the values of a group's codes.
func (r *feedbackRow) valuesOf(m *Matrix, g int) []float64 {
	bits := m.typ.Bits()
	return r.values[g<<bits : (g+1)<<bits]
}

// run rounds the columns of some rows, the first of which is number first.
func (q *feedbackQuantizer) run(rows []feedbackRow, first int) {
	m, f := q.m, q.factor
	for lo := 0; lo < m.cols; {
		hi := q.blockEnd(lo)
		part, near := lo, q.partEnd(lo, hi)
		for visit := lo; visit < hi; visit++ {
			col := f.column(visit)
			g := col / m.groupSize
			if from, to := m.groupColumns(g); f.order == nil && from == col {
				q.ideal(rows, from, to)
				for i := range rows {
					w := q.first[:to-from]
					for j, x := range rows[i].ideal[:len(w)] {
						w[j] = clamp(x, rows[i].weights[from+j])
					}
					// choose fails only on non-finite weights, which clamp removed.
					if err := q.choose(&rows[i], first+i, g, w); err != nil {
						panic(err)
					}
				}
			}
			next := f.row(visit)[1 : near-visit]
			for i := range rows {
				r := &rows[i]
				x := clamp(r.target[visit], r.weights[col])
				code := q.chooser.selector.EncodeValue(x, r.choices[g])
				r.codes[col] = code
				e := r.valuesOf(m, g)[code] - r.weights[col]
				r.errors[visit] = e
				takeOne(f.set, r.target[visit+1:near], next, e)
			}
			if visit+1 == near {
				q.spreadTo(rows, part, near, hi)
				part, near = near, q.partEnd(near, hi)
			}
		}
		q.spreadTo(rows, lo, hi, m.cols)
		lo = hi
	}
}

// ideal sets the first elements of rows[i].ideal to the best values of columns lo to
// hi−1, given the rounded columns before them, if no column were rounded from now on.
// The ideal of a column is its target when the columns from lo up to it have their
// ideal values. ideal uses the errors of these columns, which are not known yet, as
// scratch memory.
func (q *feedbackQuantizer) ideal(rows []feedbackRow, lo, hi int) {
	f := q.factor
	for i := range rows {
		copy(rows[i].ideal, rows[i].target[lo:hi])
	}
	if lo == 0 {
		return // there are no errors yet
	}
	for part := lo; part < hi; {
		end := min(part+feedbackPart, hi)
		for i := range rows {
			r := &rows[i]
			for k := part; k < end; k++ {
				e := r.ideal[k-lo] - r.weights[k]
				r.errors[k] = e
				takeOne(f.set, r.ideal[k+1-lo:end-lo], f.row(k)[1:end-k], e)
			}
		}
		var c, e [feedbackRows][]float64
		for i := range rows {
			c[i], e[i] = rows[i].ideal[end-lo:hi-lo], rows[i].errors[part:]
		}
		q.spread(c[:len(rows)], e[:len(rows)], part, end)
		part = end
	}
}

// blockEnd returns the end of the block of visits that begins at lo. If a group begins
// within feedbackColumns, the block ends there, so that all feedback of earlier blocks
// has reached a group before its scale is chosen.
func (q *feedbackQuantizer) blockEnd(lo int) int {
	size := q.m.groupSize
	switch {
	case q.factor.order != nil:
		return min(lo+feedbackColumns, q.m.cols)
	case size <= feedbackColumns:
		return min(lo+feedbackColumns/size*size, q.m.cols)
	}
	return min(lo+feedbackColumns, (lo/size+1)*size, q.m.cols)
}

// partEnd returns the end of the part of a block that begins at lo, which is not beyond
// the next group.
func (q *feedbackQuantizer) partEnd(lo, hi int) int {
	end := min(lo+feedbackPart, hi)
	if q.factor.order == nil {
		end = min(end, (lo/q.m.groupSize+1)*q.m.groupSize)
	}
	return end
}

// spreadTo spreads the errors of visits lo to hi−1 to the targets from hi to end−1.
func (q *feedbackQuantizer) spreadTo(rows []feedbackRow, lo, hi, end int) {
	var c, e [feedbackRows][]float64
	for i := range rows {
		c[i], e[i] = rows[i].target[hi:end], rows[i].errors[lo:]
	}
	q.spread(c[:len(rows)], e[:len(rows)], lo, hi)
}

// spread spreads the errors e of visits lo to hi−1, in this order, to the targets c,
// which begin with visit hi.
func (q *feedbackQuantizer) spread(c, e [][]float64, lo, hi int) {
	if len(c) > 0 && len(c[0]) > 0 {
		reduce(q.factor.set, c, e, 1, q.factor.from(lo, hi), q.m.cols-lo-1, 1, hi-lo)
	}
}

// clamp returns x clamped to the range of float32, or w if x is NaN. Feedback can
// overflow for weights near the end of float32.
func clamp(x, w float64) float64 {
	switch {
	case x > math.MaxFloat32:
		return math.MaxFloat32
	case x < -math.MaxFloat32:
		return -math.MaxFloat32
	case x != x:
		return w
	}
	return x
}

// groupFeedback quantizes all rows of w with feedback.
func groupFeedback(ctx context.Context, w any, m *Matrix, c Config, tensorScale float32) error {
	f, err := c.Feedback.factored(ctx, m.cols, c.Workers)
	if err != nil {
		return err
	}
	d := newDescent(c.Feedback, f)
	if c.Importance == nil {
		c.Importance = scaledImportance(f.importance())
	}
	block := min(max(m.rows/(4*c.Workers), 1), feedbackRows)
	return forBlocks(ctx, m.rows, block, c.Workers, func() (func(lo, hi int) (int, error), error) {
		ch, err := newChooser(m.typ, c, tensorScale)
		if err != nil {
			return nil, err
		}
		return newFeedbackQuantizer(w, m, f, d, ch).quantize, nil
	})
}
