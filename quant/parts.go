package quant

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
)

// mixed is what a Matrix with rows of several types has in place of a Storage. Its
// form is canonical, see newMixed.
type mixed struct {
	parts []*Matrix // two or more, each of one type
	of    []uint8   // part, by row
	// ranks has, for each block of rankRows rows but the first, how many rows of
	// each part are before it.
	ranks []uint32
}

// maxParts is what a byte per row can tell apart.
const maxParts = 256

// several is the Type of a Matrix with rows of several types, which no type has.
const several = datatype.Type(math.MaxUint8)

// NewMixed makes a Matrix with rows of several types, so that the rows that matter
// most may have more bits than the others: row r is the next row of parts[of[r]] that
// no row before r has taken. The parts must be of one type each and have as many
// columns. Their storage is not copied, and must not be written to afterwards; of is.
//
// The parts of the result are in the order of their first rows, so that there is one
// Matrix for the same rows, however they were put together: parts of the same type
// and group size (and, for NV types, tensor scale) become one, which copies them. If
// that leaves a single part, it is the result.
//
// The error matches ErrShape: also if a part has not as many rows as of says.
func NewMixed(parts []*Matrix, of []uint8) (*Matrix, error) {
	if len(parts) < 1 || len(parts) > maxParts {
		return nil, shapeError("len(parts)", len(parts), "1 to %d", maxParts)
	}
	if uint64(len(of)) > math.MaxUint32 {
		return nil, shapeError("len(of)", len(of), "at most %d (rows)", uint32(math.MaxUint32))
	}
	var counts [maxParts]int
	for row, p := range of {
		if int(p) >= len(parts) {
			return nil, shapeError(fmt.Sprintf("of[%d]", row), int(p), "0 to %d (parts)", len(parts)-1)
		}
		counts[p]++
	}
	for i, p := range parts {
		switch {
		case p == nil || p.rows == 0:
			return nil, shapeError(fmt.Sprintf("parts[%d].Rows()", i), 0, "at least 1")
		case p.mixed != nil:
			return nil, shapeError(fmt.Sprintf("parts[%d].Parts()", i), p.Parts(), "1")
		case p.rows != counts[i]:
			return nil, shapeError(fmt.Sprintf("parts[%d].Rows()", i), p.rows, "%d, the rows that of has for it", counts[i])
		case p.cols != parts[0].cols:
			return nil, shapeError(fmt.Sprintf("parts[%d].Cols()", i), p.cols, "%d, as parts[0]", parts[0].cols)
		}
	}
	return newMixed(mergeParts(parts, of)), nil
}

// newMixed makes a Matrix of parts that are in the order of their first rows in of,
// and no two of them alike.
func newMixed(parts []*Matrix, of []uint8) *Matrix {
	first := parts[0]
	if len(parts) == 1 {
		return first
	}
	m := &Matrix{layout: layout{typ: several, groupSize: first.groupSize, groups: first.groups, rows: len(of), cols: first.cols}}
	for _, p := range parts {
		if p.groupSize != m.groupSize {
			m.groupSize = 0
		}
		if p.groups != m.groups {
			m.groups = 0
		}
	}
	x := &mixed{parts: parts, of: of}
	x.ranks = make([]uint32, 0, (len(of)-1)/x.rankRows()*len(parts))
	var counts [maxParts]uint32
	for row, p := range of {
		if row > 0 && row%x.rankRows() == 0 {
			x.ranks = append(x.ranks, counts[:len(parts)]...)
		}
		counts[p]++
	}
	m.mixed = x
	return m
}

// alike reports whether rows of two parts may be rows of one.
func (m *Matrix) alike(o *Matrix) bool {
	return m.typ == o.typ && m.groupSize == o.groupSize &&
		(m.typ.Scale() != datatype.E4M3 || m.storage.RowScales[0] == o.storage.RowScales[0])
}

// mergeParts puts parts in the order of their first rows, and those that are alike
// together. It returns slices of its own.
func mergeParts(parts []*Matrix, of []uint8) ([]*Matrix, []uint8) {
	var (
		seen, members [maxParts]int // number of the new part + 1, by old part; old parts, by new part
		firsts        []*Matrix     // of each new part, the old one
		order         = make([]uint8, len(of))
	)
	for row, p := range of {
		if seen[p] == 0 {
			i := slices.IndexFunc(firsts, parts[p].alike)
			if i < 0 {
				i = len(firsts)
				firsts = append(firsts, parts[p])
			}
			seen[p] = i + 1
			members[i]++
		}
		order[row] = uint8(seen[p] - 1)
	}
	merged := slices.Clone(firsts)
	for i, p := range firsts {
		if members[i] > 1 {
			l := p.layout
			l.rows = 0
			for j, q := range parts {
				if seen[j] == i+1 {
					l.rows += q.rows
				}
			}
			if p.typ.Scale() == datatype.RowStep {
				l.rowScales = l.rows
			}
			merged[i] = newMatrix(l)
		}
	}
	var from, to [maxParts]int // rows taken
	for row, p := range of {
		if i := order[row]; members[i] > 1 {
			merged[i].copyRow(to[i], parts[p], from[p])
			to[i]++
			from[p]++
		}
	}
	return merged, order
}

// copyRow copies a row of a part that is alike.
func (m *Matrix) copyRow(to int, p *Matrix, from int) {
	s, t := &m.storage, &p.storage
	copy(m.codeRow(to), p.codeRow(from))
	copy(s.Scales[to*m.groups:], t.Scales[from*m.groups:(from+1)*m.groups])
	copy(s.Selectors[to*m.selectorBytes:], t.Selectors[from*m.selectorBytes:(from+1)*m.selectorBytes])
	switch m.typ.Scale() {
	case datatype.RowStep:
		s.RowScales[to] = t.RowScales[from]
	case datatype.E4M3:
		s.RowScales[0] = t.RowScales[0]
	}
	runtime.KeepAlive(p)
}

// GroupMixed quantizes w, row-major with cols columns: row r as configs[of[r]] says,
// with the codes that [Group] finds for such rows alone. Configurations that no row
// has leave no part behind. For NV types, the scale of the tensor is one of the rows
// of that configuration.
//
// Besides what Group needs it copies the weights once. For errors see [Group]; the
// rows that they name are those of w.
func GroupMixed[T Weight](w []T, cols int, of []uint8, configs []Config) (*Matrix, error) {
	if len(configs) < 1 || len(configs) > maxParts {
		return nil, shapeError("len(configs)", len(configs), "1 to %d", maxParts)
	}
	if cols < 1 {
		return nil, shapeError("cols", cols, "at least 1")
	}
	if len(of) == 0 || len(of) > math.MaxInt/cols || len(w) != len(of)*cols {
		return nil, shapeError("len(w)", len(w), "%d rows × %d columns", len(of), cols)
	}
	rows := make([][]int, len(configs))
	for row, i := range of {
		if int(i) >= len(configs) {
			return nil, shapeError(fmt.Sprintf("of[%d]", row), int(i), "0 to %d (configs)", len(configs)-1)
		}
		rows[i] = append(rows[i], row)
	}
	var (
		parts  []*Matrix
		number [maxParts]uint8 // of the part, by config
		part   []T
		shared sharedFactor
	)
	for i, c := range configs {
		if len(rows[i]) == 0 {
			continue
		}
		part = part[:0]
		for _, row := range rows[i] {
			part = append(part, w[row*cols:(row+1)*cols]...)
		}
		if c.Feedback != nil {
			f := *c.Feedback
			f.shared = &shared
			c.Feedback = &f
		}
		m, err := Group(part, cols, c)
		if err != nil {
			var bad *WeightError
			if errors.As(err, &bad) {
				err = &WeightError{Row: rows[i][bad.Row], Col: bad.Col, Value: bad.Value}
			}
			return nil, err
		}
		number[i] = uint8(len(parts))
		parts = append(parts, m)
	}
	numbers := make([]uint8, len(of))
	for row, i := range of {
		numbers[row] = number[i]
	}
	return NewMixed(parts, numbers)
}

// Parts returns the number of parts, the matrices of one type that m is made of: 1 if
// all rows are of one type, and 0 for the zero Matrix.
func (m *Matrix) Parts() int {
	switch {
	case m == nil || m.rows == 0:
		return 0
	case m.mixed != nil:
		return len(m.mixed.parts)
	}
	return 1
}

// Part returns a part, which is m itself if there is one, and nil for a part that
// isn't there.
func (m *Matrix) Part(i int) *Matrix {
	switch {
	case uint(i) >= uint(m.Parts()):
		return nil
	case m.mixed == nil:
		return m
	}
	return m.mixed.parts[i]
}

// RowPart returns the part that a row is in, and which of its rows it is there; −1
// twice for a row that isn't there. It takes the same time for any row.
func (m *Matrix) RowPart(row int) (part, at int) {
	switch {
	case m == nil || uint(row) >= uint(m.rows):
		return -1, -1
	case m.mixed == nil:
		return 0, row
	}
	part = int(m.mixed.of[row])
	return part, m.mixed.rank(part, row)
}

// Order returns the part of every row, and nil if there are no several parts. It is
// the memory of the matrix itself and must not be written to.
func (m *Matrix) Order() []uint8 {
	if m == nil || m.mixed == nil {
		return nil
	}
	return m.mixed.of
}

// ofRow returns the matrix of one type that has a row, and which of its rows it is
// there. The row must be there.
func (m *Matrix) ofRow(row int) (*Matrix, int) {
	if m.mixed == nil {
		return m, row
	}
	part, at := m.RowPart(row)
	return m.mixed.parts[part], at
}

// rankRows is the number of rows of a block, so that ranks take no more than 1/16
// byte a row.
func (x *mixed) rankRows() int { return 64 * len(x.parts) }

// rank returns the number of rows of a part before a row.
func (x *mixed) rank(part, row int) int {
	n := 0
	block := row / x.rankRows()
	if block > 0 {
		n = int(x.ranks[(block-1)*len(x.parts)+part])
	}
	key := [1]byte{uint8(part)}
	return n + bytes.Count(x.of[block*x.rankRows():row], key[:])
}

// bytes returns the memory that x takes.
func (x *mixed) bytes() int {
	n := len(x.of) + 4*len(x.ranks)
	for _, p := range x.parts {
		n += p.Bytes()
	}
	return n
}

// dequantize writes all weights to dst.
func (x *mixed) dequantize(dst []float32) {
	var next [maxParts]int
	cols := x.parts[0].cols
	for row, p := range x.of {
		x.parts[p].dequantizeRow(dst[row*cols:(row+1)*cols], next[p])
		next[p]++
	}
}

// describe says what the parts are.
func (x *mixed) describe(sameGroups bool) string {
	s := ""
	for _, p := range x.parts {
		rows := "rows"
		if p.rows == 1 {
			rows = "row"
		}
		s += fmt.Sprintf("; %d %s %v", p.rows, rows, p.typ)
		if !sameGroups {
			s += fmt.Sprintf(" in groups of %d", p.groupSize)
		}
	}
	return s
}
