package quant

import (
	"fmt"
	"runtime"

	"github.com/bitmod-go/bitmod/internal/pack"
)

// Dequantize writes all weights to dst, row-major, which must be rows·cols long
// (ErrShape). It runs on the caller's goroutine and does not allocate.
func (m *Matrix) Dequantize(dst []float32) error {
	if m.Rows() == 0 {
		return shapeError("Rows()", 0, "at least 1")
	}
	if n := m.rows * m.cols; len(dst) != n {
		return shapeError("len(dst)", len(dst), "%d (%d rows × %d columns)", n, m.rows, m.cols)
	}
	if m.mixed != nil {
		m.mixed.dequantize(dst)
		return nil
	}
	for r := range m.rows {
		m.dequantizeRow(dst[r*m.cols:(r+1)*m.cols], r)
	}
	return nil
}

// DequantizeRow writes the weights of one row to dst, which must be cols long
// (ErrShape). It does not allocate.
func (m *Matrix) DequantizeRow(dst []float32, row int) error {
	if err := m.checkRow(len(dst), row); err != nil {
		return err
	}
	m.dequantizeRow(dst, row)
	return nil
}

// Codes unpacks the codes of one row to dst, which must be cols long (ErrShape).
// It does not allocate.
func (m *Matrix) Codes(dst []uint8, row int) error {
	if err := m.checkRow(len(dst), row); err != nil {
		return err
	}
	m, row = m.ofRow(row)
	var chunk [pack.MaxChunk]uint8
	for src := m.codeRow(row); len(dst) > 0; {
		var n int
		src, n = pack.Next(&chunk, src, len(dst), m.typ.Bits())
		copy(dst, chunk[:n])
		dst = dst[n:]
	}
	runtime.KeepAlive(m)
	return nil
}

func (m *Matrix) checkRow(n, row int) error {
	if m.Rows() == 0 {
		return shapeError("Rows()", 0, "at least 1")
	}
	if uint(row) >= uint(m.rows) {
		return shapeError("row", row, "0 to %d", m.rows-1)
	}
	if n != m.cols {
		return shapeError("len(dst)", n, "%d (columns)", m.cols)
	}
	return nil
}

func (m *Matrix) dequantizeRow(dst []float32, row int) {
	m, row = m.ofRow(row)
	var chunk [pack.MaxChunk]uint8
	s := m.rowScale(row)
	src := m.codeRow(row)
	for col := 0; col < m.cols; {
		var n int
		src, n = pack.Next(&chunk, src, m.cols-col, m.typ.Bits())
		for codes := chunk[:n]; len(codes) > 0; {
			g := col / m.groupSize
			n := min(len(codes), (g+1)*m.groupSize-col)
			cb, k := m.codebooks[m.selector(row, g)], m.groupScale(row, g)
			for i, c := range codes[:n] {
				dst[col+i] = float32(cb.Value(c)*k) * s
			}
			codes = codes[n:]
			col += n
		}
	}
	runtime.KeepAlive(m)
}

// String describes the matrix in a few words.
func (m *Matrix) String() string {
	if m == nil {
		m = new(Matrix)
	}
	s := fmt.Sprintf("%d×%d", m.rows, m.cols)
	if m.mixed == nil {
		s += fmt.Sprintf(" %v", m.typ)
	} else {
		s += " mixed"
	}
	if m.groupSize > 0 || m.mixed == nil {
		s += fmt.Sprintf(", group %d", m.groupSize)
	}
	s += fmt.Sprintf(", %.3f bits/weight", m.BitsPerWeight())
	if m.mixed != nil {
		s += m.mixed.describe(m.groupSize > 0)
	}
	return s
}
