package quant

import (
	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/internal/pack"
	"github.com/x448/float16"
)

// A rowSelector has the memory to choose codes and scales for one row at a time as the
// paper does.
type rowSelector struct {
	w       any // []T, the whole tensor
	m       *Matrix
	chooser *chooser
	row     []float32 // the row's weights, if w has others
	wide    []float64 // a group's
	deltas  []float64 // by group
	scales  []uint8
}

func newRowSelector(w any, m *Matrix, c *chooser) rowSelector {
	return rowSelector{w: w, m: m, chooser: c, deltas: make([]float64, m.groups), scales: make([]uint8, m.groups)}
}

// choose sets choices and codes for a row, and returns its step or, for types without
// one, the tensor's scale. An importance is nil or has a number for each column.
func (q *rowSelector) choose(choices []group.Choice, codes []uint8, row int, importance []float64) (step float32, err error) {
	m, c := q.m, q.chooser
	if w, ok := q.narrow(row); ok {
		if err := c.selector.SelectFloat32(choices, codes, w, m.groupSize, importance, c.tensorScale); err != nil {
			return 0, weightError(err, row, 0)
		}
	} else {
		for g := range choices {
			lo, hi := m.groupColumns(g)
			if choices[g], err = c.selector.Select(codes[lo:hi], q.group(row, g), columns(importance, lo, hi), c.tensorScale); err != nil {
				return 0, weightError(err, row, lo)
			}
		}
	}
	if m.typ.Scale() != datatype.RowStep {
		return c.tensorScale, nil
	}
	for g := range choices {
		q.deltas[g] = choices[g].Delta
	}
	step = group.RowScales(q.scales, q.deltas)
	for g, k := range q.scales {
		if k == 0 && q.deltas[g] > 0 && step > 0 {
			lo, hi := m.groupColumns(g)
			if k, err = q.small(codes[lo:hi], q.group(row, g), choices[g], columns(importance, lo, hi), step); err != nil {
				return 0, weightError(err, row, lo)
			}
		}
		choices[g].Scale = k
	}
	return step, nil
}

// small returns the scale of a group w whose scale rounds to 0, and sets the codes for
// it.
func (q *rowSelector) small(codes []uint8, w []float64, choice group.Choice, importance []float64, step float32) (uint8, error) {
	c := q.chooser
	if len(c.codes) < len(w) {
		c.codes = make([]uint8, len(w))
	}
	nearest := c.codes[:len(w)]
	choice.Delta = float64(step)
	if err := c.selector.Encode(nearest, w, choice); err != nil {
		return 0, err
	}
	k := group.ZeroScale(q.m.codebooks[choice.Codebook], nearest, w, importance, step)
	if k > 0 {
		copy(codes, nearest)
	}
	return k, nil
}

// columns returns importance[lo:hi], or nil if importance is nil.
func columns(importance []float64, lo, hi int) []float64 {
	if importance == nil {
		return nil
	}
	return importance[lo:hi]
}

// group returns the weights of a group, in memory that the next call uses again.
func (q *rowSelector) group(row, g int) []float64 {
	if q.wide == nil {
		q.wide = make([]float64, min(q.m.groupSize, q.m.cols))
	}
	lo, hi := q.m.groupColumns(g)
	wide := q.wide[:hi-lo]
	widen(wide, q.w, row*q.m.cols+lo)
	return wide
}

// narrow returns the weights of a row as float32, if all of them are float32 values.
func (q *rowSelector) narrow(row int) ([]float32, bool) {
	lo := row * q.m.cols
	hi := lo + q.m.cols
	if w, ok := q.w.([]float32); ok {
		return w[lo:hi], true
	}
	if q.row == nil {
		q.row = make([]float32, q.m.cols)
	}
	switch w := q.w.(type) {
	case []float16.Float16:
		float16s(q.row, w[lo:hi])
	case []BFloat16:
		bfloat16s(q.row, w[lo:hi])
	case []float64:
		return q.row, float64s(q.row, w[lo:hi])
	}
	return q.row, true
}

// A rowQuantizer quantizes rows as the paper does.
type rowQuantizer struct {
	rowSelector
	codes   []uint8
	choices []group.Choice
}

func newRowQuantizer(w any, m *Matrix, c *chooser) *rowQuantizer {
	return &rowQuantizer{newRowSelector(w, m, c), make([]uint8, m.cols), make([]group.Choice, m.groups)}
}

func (q *rowQuantizer) quantize(row int) error {
	step, err := q.choose(q.choices, q.codes, row, q.chooser.importance)
	if err != nil {
		return err
	}
	return q.m.storeRow(row, step, q.choices, q.codes, q.w)
}

// storeRow stores a row whose selectors are still 0. w is the whole tensor.
func (m *Matrix) storeRow(row int, step float32, choices []group.Choice, codes []uint8, w any) error {
	scales := m.storage.Scales[row*m.groups : (row+1)*m.groups]
	var top float64
	for g, c := range choices {
		scales[g] = c.Scale
		if c.Delta > top { // max takes longer, as it minds NaN
			top = c.Delta
		}
	}
	if m.selectorBytes > 0 {
		selectors := m.storage.Selectors[row*m.selectorBytes:]
		for g, c := range choices {
			at := g * m.selectorBits
			selectors[at/8] |= uint8(c.Codebook << (at % 8))
		}
	}
	if m.typ.Scale() == datatype.RowStep {
		m.storage.RowScales[row] = step
	}
	pack.Row(m.codeRow(row), codes, m.typ.Bits())
	if top < 0x1p100 { // far from where rounding could lead beyond float32
		return nil
	}
	return m.checkRange(row, codes, w)
}
