package quant

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
)

// mixed takes the place of a Storage in a Matrix with rows of several types. Its form
// is canonical, see newMixed.
type mixed struct {
	parts []*Matrix // two or more, each of one type
	of    []uint8   // part, by row
	// ranks has, for each block of rankRows rows but the first, the number of rows of
	// each part before the block.
	ranks []uint32
}

// maxParts is the number of parts that a byte per row can tell apart.
const maxParts = 256

// several is what Type returns for a Matrix with rows of several types. It is not a valid
// type.
const several = datatype.Type(math.MaxUint8)

// NewMixed makes a Matrix with rows of several types, so that the rows that matter most
// may have more bits than the others. The rows of the Matrix take the rows of their parts
// in order: row r is the next row of parts[of[r]]. Each part must be of one type, and all
// must have the same number of columns. NewMixed copies the slice of, but not the storage
// of the parts, which must not be written to afterwards.
//
// The result depends only on the rows, not on how they were divided into parts. Its
// parts are in the order of their first rows. Parts of the same type and group size
// (and, for NV types, tensor scale) become one, which copies them. If a single part
// remains, it is the result.
//
// The error matches ErrShape, also if a part has more or fewer rows than of gives it.
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
			return nil, shapeError(fmt.Sprintf("parts[%d].Rows()", i), p.rows, "%d, the number of its rows in of", counts[i])
		case p.cols != parts[0].cols:
			return nil, shapeError(fmt.Sprintf("parts[%d].Cols()", i), p.cols, "%d, as parts[0]", parts[0].cols)
		}
	}
	return newMixed(mergeParts(parts, of)), nil
}

// newMixed makes a Matrix of parts that are in the order of their first rows in of. No
// two parts may be alike.
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

// alike reports whether rows of the two parts can be rows of one part.
func (m *Matrix) alike(o *Matrix) bool {
	return m.typ == o.typ && m.groupSize == o.groupSize &&
		(m.typ.Scale() != datatype.E4M3 || m.storage.RowScales[0] == o.storage.RowScales[0])
}

// mergeParts sorts parts by their first rows and merges parts that are alike. It
// returns new slices.
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

// copyRow copies row from of p to row to of m. The two parts must be alike.
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

// GroupMixed quantizes w, row-major with cols columns. Row r is quantized as
// configs[of[r]] says. Its codes, and the tensor scale of NV types, are those that [Group]
// gives for the rows of that configuration alone. A configuration without rows leaves no
// part.
//
// GroupMixed also needs memory for a copy of the weights. For errors see [GroupContext];
// they name rows of w.
func GroupMixed[T Weight](ctx context.Context, w []T, cols int, of []uint8, configs []Config) (*Matrix, error) {
	if ctx == nil {
		return nil, shapeError("number of contexts", 0, "1: ctx is nil")
	}
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
		m, err := GroupContext(ctx, part, cols, c)
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

// Part returns part i, which is m itself if m has one part, and nil if there is no such
// part.
func (m *Matrix) Part(i int) *Matrix {
	switch {
	case uint(i) >= uint(m.Parts()):
		return nil
	case m.mixed == nil:
		return m
	}
	return m.mixed.parts[i]
}

// RowPart returns the part of a row and the number of the row in that part, or −1, −1
// if there is no such row. It takes the same time for any row.
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

// Order returns the part of every row, or nil if m has at most one part. It is the
// memory of the matrix itself and must not be written to.
func (m *Matrix) Order() []uint8 {
	if m == nil || m.mixed == nil {
		return nil
	}
	return m.mixed.of
}

// ofRow returns the matrix of one type that has a row, and the number of the row in it.
// The row must exist.
func (m *Matrix) ofRow(row int) (*Matrix, int) {
	if m.mixed == nil {
		return m, row
	}
	part, at := m.RowPart(row)
	return m.mixed.parts[part], at
}

// rankRows returns the number of rows of a block. It lets ranks take at most 1/16 byte
// a row.
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

// describe returns a short description of the parts.
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
