package kernel

import (
	"math"
	"sync"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// tables are the codebooks of a type, laid out for the loops.
type tables struct {
	// ints has, by selector and code, the value as a multiple of unit: rounded, if the
	// type has no unit.
	ints [][]int16
	unit float32
	// floats are the values for float mode, as multiples of floatUnit: the same as
	// ints, or the values themselves if the type has no unit.
	floats    [][]float32
	floatUnit float32
	exact     bool // whether the type has a unit
	// Vector code looks up codes of at most 4 bits in these: bytes has ints + offset,
	// 16 bytes a selector, with the values of 3-bit types twice and of 2-bit types four
	// times; signed has ints and wide has floats, laid out likewise. Without a unit,
	// bytes has ints + 128 and signed the codes themselves.
	bytes  []byte
	signed []byte
	int8s  []byte // ints, laid out likewise
	wide   []float32
	// For code that takes four rows at a time, lookup has ints + shift, indexed by a code
	// with the selector above it. It is set if 64 elements are enough, and repeats fewer
	// values. shift is added to codes of 7 and 8 bits, to bytes, and to lookup.
	lookup    [64]byte
	spread    []byte // bytes, each four times over: 64 bytes a selector
	twoTables []byte // of types with selectors of 2 bits: bytes of two selectors, each twice
	shift     int
	// linear is true for the integer types, whose values differ from the code by a
	// constant, or by a constant and the selector.
	linear bool
	// least and most are the ends of the range of ints.
	least, most int
	// For the portable path.
	pairs *pairBook // nil if it does not do this type
}

// tablesOf returns the tables of a valid type, made on first use.
func tablesOf(t datatype.Type) *tables {
	c := &tablesByType[t]
	c.once.Do(func() { c.tables = newTables(t) })
	return c.tables
}

var tablesByType [math.MaxUint8 + 1]struct {
	once   sync.Once
	tables *tables
}

func newTables(t datatype.Type) *tables {
	cbs := t.Codebooks()
	size := 1 << t.Bits()
	tb := &tables{unit: t.Unit(), floatUnit: t.Unit(), exact: t.Unit() != 0}
	if !tb.exact {
		tb.unit, tb.floatUnit = 1./127, 1
	}
	// The codebooks of an asymmetric type are windows of one ramp of values, and so are
	// the tables.
	ints := make([]int16, size*len(cbs))
	floats := make([]float32, size*len(cbs))
	if t.Asymmetric() {
		ints, floats = make([]int16, 2*size-1), make([]float32, 2*size-1)
	}
	for sel, cb := range cbs {
		at := sel * size
		if t.Asymmetric() {
			at = size - 1 - sel
		}
		for c := range size {
			v := cb.Value(uint8(c))
			ints[at+c] = int16(math.RoundToEven(float64(v) / float64(tb.unit)))
			floats[at+c] = v / tb.floatUnit
		}
		tb.floats = append(tb.floats, floats[at:at+size:at+size])
		tb.ints = append(tb.ints, ints[at:at+size:at+size])
	}
	tb.linear = tb.exact && isLinear(tb.ints, cbs)
	for _, v := range ints {
		tb.least, tb.most = min(tb.least, int(v)), max(tb.most, int(v))
	}
	if tb.exact {
		tb.pairs = newPairBook(tb.ints, t.Bits())
	}
	tb.setLookup(t.Bits(), t.SelectorBits())
	if t.Bits() > 4 {
		return tb
	}
	for _, v := range tb.floats {
		for c := range 16 {
			tb.wide = append(tb.wide, v[c%size])
		}
	}
	for _, v := range tb.ints {
		for c := range 16 {
			tb.bytes = append(tb.bytes, byte(int(v[c%size])+tb.shift))
			tb.int8s = append(tb.int8s, byte(v[c%size]))
			if tb.exact {
				tb.signed = append(tb.signed, byte(v[c%size]))
			} else {
				tb.signed = append(tb.signed, byte(c))
			}
		}
	}
	tb.setSpread()
	for pair := range 16 {
		for q := 0; q < 4 && len(cbs) == 4; q++ {
			sel := pair >> (q / 2 * 2) & 3
			tb.twoTables = append(tb.twoTables, tb.bytes[16*sel:][:16]...)
		}
	}
	return tb
}

// setSpread sets spread. From spreadHigh on, spread has the values for codes of 3 bits
// that are shifted left by three bits.
func (tb *tables) setSpread() {
	tb.spread = make([]byte, 2*spreadHigh)
	for sel := range tb.ints {
		bytes := tb.bytes[16*sel:][:16]
		for i := range 64 {
			tb.spread[64*sel+i] = bytes[i%16]
			tb.spread[spreadHigh+64*sel+i] = bytes[i/8]
		}
	}
}

const spreadHigh = 16 * 64

// setLookup sets lookup and shift.
func (tb *tables) setLookup(bits, selectorBits int) {
	switch {
	case bits <= 4 && tb.exact:
		tb.shift = offset
	case bits <= 6:
		tb.shift = 128
	default:
		tb.shift = -int(tb.ints[0][0])
	}
	if bits+selectorBits > 6 {
		return
	}
	for i := range tb.lookup {
		v := tb.ints[min(i>>bits&(1<<selectorBits-1), len(tb.ints)-1)]
		tb.lookup[i] = byte(int(v[i&(1<<bits-1)]) + tb.shift)
	}
}

func isLinear(ints [][]int16, cbs []datatype.Codebook) bool {
	for sel, v := range ints {
		if v[0] != ints[0][0]-int16(sel) {
			return false
		}
		for c := range cbs[sel].Len() {
			if v[c] != v[0]+int16(c) {
				return false
			}
		}
	}
	return true
}

// A plan is a matrix in the form for the loops.
type plan struct {
	*tables
	rows, cols    int
	bits          int
	groupSize     int
	groups        int // per row
	rowBytes      int // of codes
	selectorBits  int
	selectorBytes int // per row
	scale         datatype.ScaleFormat
	s             quant.Storage
}

func newPlan(m *quant.Matrix) plan {
	t := m.Type()
	p := plan{
		tables:    tablesOf(t),
		rows:      m.Rows(),
		cols:      m.Cols(),
		bits:      t.Bits(),
		groupSize: m.GroupSize(),
		groups:    m.Groups(),
		scale:     t.Scale(),
		s:         m.Storage(),
	}
	p.selectorBits = t.SelectorBits()
	p.rowBytes = len(p.s.Codes) / p.rows
	p.selectorBytes = len(p.s.Selectors) / p.rows
	return p
}

// selector returns the index of the codebook of a group.
func (p *plan) selector(row, group int) int {
	if p.selectorBits == 0 {
		return 0
	}
	at := group * p.selectorBits
	return int(p.s.Selectors[row*p.selectorBytes+at/8]) >> (at % 8) & (1<<p.selectorBits - 1)
}

// scaleByte returns the 8-bit scale of a group.
func (p *plan) scaleByte(row, group int) uint8 { return p.s.Scales[row*p.groups+group] }

// outer returns the factor that all sums of a row are multiplied by, for values that
// are multiples of unit.
func (p *plan) outer(row int, unit float32) float32 {
	switch p.scale {
	case datatype.E8M0:
		return unit
	case datatype.E4M3:
		row = 0
	}
	return float32(p.s.RowScales[row] * unit)
}

// scaleValue returns the number that a scale byte stands for.
func (p *plan) scaleValue(b uint8) float32 {
	if p.scale == datatype.RowStep {
		return float32(b)
	}
	return scaleValues()[p.scale][b]
}

var scaleValues = sync.OnceValue(func() *[3][256]float32 {
	var v [3][256]float32
	for f := range v {
		for b := range v[f] {
			v[f][b] = datatype.ScaleFormat(f).Value(uint8(b))
		}
	}
	return &v
})
