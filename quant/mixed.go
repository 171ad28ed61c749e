package quant

import (
	"errors"
	"fmt"
	"math"
)

// A Mixed is a quantized matrix of which rows are of different types, so that the
// rows that matter most may have more bits than the others. It is made of one
// [Matrix] for each type, its parts: row r of the whole is the next row of part
// [Mixed.Part] that no row before r has taken. It is immutable and safe for
// concurrent use. Package kernel multiplies it as it is.
//
// Which part a row is in takes a byte of memory per row, 8/cols bits a weight.
type Mixed struct {
	parts []*Matrix
	of    []uint8 // part, by row
	cols  int
}

// maxParts is what a byte per row can tell apart.
const maxParts = 256

// NewMixed makes a Mixed of its parts, which must have as many columns each; of has
// the part of every row. Neither is copied: of must not be written to afterwards.
// The error matches ErrShape: also if a part has not as many rows as of says.
func NewMixed(parts []*Matrix, of []uint8) (*Mixed, error) {
	if len(parts) < 1 || len(parts) > maxParts {
		return nil, shapeError("len(parts)", len(parts), "1 to %d", maxParts)
	}
	var counts [maxParts]int
	for row, p := range of {
		if int(p) >= len(parts) {
			return nil, shapeError(fmt.Sprintf("of[%d]", row), int(p), "0 to %d (parts)", len(parts)-1)
		}
		counts[p]++
	}
	for i, p := range parts {
		if p == nil || p.rows == 0 {
			return nil, shapeError(fmt.Sprintf("parts[%d].Rows()", i), 0, "at least 1")
		}
		if p.rows != counts[i] {
			return nil, shapeError(fmt.Sprintf("parts[%d].Rows()", i), p.rows, "%d, the rows that of has for it", counts[i])
		}
		if p.cols != parts[0].cols {
			return nil, shapeError(fmt.Sprintf("parts[%d].Cols()", i), p.cols, "%d, as parts[0]", parts[0].cols)
		}
	}
	return &Mixed{append([]*Matrix(nil), parts...), of, parts[0].cols}, nil
}

// GroupMixed quantizes w, row-major with cols columns: row r as configs[of[r]] says,
// with the codes that [Group] finds for such rows alone. Configurations that no row
// has leave no part behind. For NVFP4 types, the scale of the tensor is one of the
// rows of that type.
//
// Besides what Group needs it copies the weights once. For errors see [Group]; the
// rows that they name are those of w.
func GroupMixed[T Weight](w []T, cols int, of []uint8, configs []Config) (*Mixed, error) {
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
	)
	for i, c := range configs {
		if len(rows[i]) == 0 {
			continue
		}
		part = part[:0]
		for _, row := range rows[i] {
			part = append(part, w[row*cols:(row+1)*cols]...)
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

// Rows returns the number of rows: output channels.
func (m *Mixed) Rows() int { return len(m.of) }

// Cols returns the number of columns: input channels.
func (m *Mixed) Cols() int { return m.cols }

// Parts returns the number of parts.
func (m *Mixed) Parts() int { return len(m.parts) }

// Part returns a part, nil for one that isn't there.
func (m *Mixed) Part(i int) *Matrix {
	if uint(i) >= uint(len(m.parts)) {
		return nil
	}
	return m.parts[i]
}

// Order returns the part of every row. It is the memory of the matrix itself and
// must not be written to.
func (m *Mixed) Order() []uint8 { return m.of }

// Bytes returns all that is kept in memory for the weights: the parts and their
// order.
func (m *Mixed) Bytes() int {
	n := len(m.of)
	for _, p := range m.parts {
		n += p.Bytes()
	}
	return n
}

// BitsPerWeight returns 8·Bytes/(rows·cols), and 0 for the zero Mixed.
func (m *Mixed) BitsPerWeight() float64 {
	if len(m.of) == 0 {
		return 0
	}
	return 8 * float64(m.Bytes()) / (float64(len(m.of)) * float64(m.cols))
}

// DequantizeRow writes the weights of one row to dst, which must be cols long
// (ErrShape). It does not allocate. It goes through the parts of all rows before,
// a byte each, to find the row.
func (m *Mixed) DequantizeRow(dst []float32, row int) error {
	if uint(row) >= uint(len(m.of)) {
		return shapeError("row", row, "0 to %d", len(m.of)-1)
	}
	if len(dst) != m.cols {
		return shapeError("len(dst)", len(dst), "%d (columns)", m.cols)
	}
	part := m.of[row]
	at := 0
	for _, p := range m.of[:row] {
		if p == part {
			at++
		}
	}
	m.parts[part].dequantizeRow(dst, at)
	return nil
}

// Dequantize writes all weights to dst, row-major, which must be rows·cols long
// (ErrShape). It does not allocate.
func (m *Mixed) Dequantize(dst []float32) error {
	if n := len(m.of) * m.cols; len(dst) != n {
		return shapeError("len(dst)", len(dst), "%d (%d rows × %d columns)", n, len(m.of), m.cols)
	}
	var next [maxParts]int
	for row, p := range m.of {
		m.parts[p].dequantizeRow(dst[row*m.cols:(row+1)*m.cols], next[p])
		next[p]++
	}
	return nil
}

// String describes the matrix in a few words.
func (m *Mixed) String() string {
	s := fmt.Sprintf("%d×%d mixed, %.3f bits/weight", len(m.of), m.cols, m.BitsPerWeight())
	for _, p := range m.parts {
		s += fmt.Sprintf("; %d rows %v", p.rows, p.typ)
	}
	return s
}
