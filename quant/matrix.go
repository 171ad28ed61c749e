package quant

import (
	"math"
	"math/bits"
	"runtime"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/hugepage"
	"github.com/bitmod-go/bitmod/internal/pack"
)

// A Matrix is a quantized rows × cols matrix of weights. It is immutable and safe for
// concurrent use. Matrices are made by [Group], [New], [GroupMixed], [NewMixed] and
// [Matrix.UnmarshalBinary]; the zero Matrix and nil have no rows.
//
// Most matrices have rows of one type. A Matrix may also have rows of several types or
// group sizes. Such a Matrix consists of parts ([Matrix.Parts]), one Matrix for each
// type and group size, and takes up to 17/16 bytes a row more. Every function takes
// both kinds, and methods that take a row answer as the part of the row does.
type Matrix struct {
	layout
	codebooks []datatype.Codebook
	storage   Storage
	mixed     *mixed // instead of codebooks and storage, if there are several parts
}

// Storage is the memory of a [Matrix], laid out as the package documentation
// draws it.
type Storage struct {
	RowScales []float32
	Scales    []byte
	Selectors []byte
	Codes     []byte
	// Owner is nil if the memory is Go's own. Otherwise it is the owner of the memory,
	// such as a mapping of a file, which may be undone when Owner is no longer
	// reachable. A Matrix keeps Owner reachable, and so do the functions that take the
	// Matrix, until they return.
	Owner any
}

// layout is the shape of a matrix and the sizes that follow from it. If there are
// several parts, sizes that differ between them are 0, and typ is several.
type layout struct {
	typ           datatype.Type
	groupSize     int
	rows, cols    int
	groups        int // per row
	rowBytes      int // of codes
	selectorBits  int // per group
	selectorBytes int // per row
	rowScales     int
}

// newLayout checks a shape. It rejects a matrix if the size of any part of its storage
// would overflow an int.
func newLayout(c Config, rows, cols int) (layout, error) {
	if cols < 1 {
		return layout{}, shapeError("cols", cols, "at least 1")
	}
	if rows < 1 {
		return layout{}, shapeError("rows", rows, "at least 1")
	}
	// A weight takes at most two bytes, with its share of scales and selectors, and a
	// row takes less than 64 bytes besides.
	const most = math.MaxInt / 4
	hi, n := bits.Mul64(uint64(rows), uint64(cols))
	if hi != 0 || n > most || uint64(rows) > most/64 {
		return layout{}, shapeError("cols", cols, "fewer, with %d rows", rows)
	}
	l := layout{typ: c.Type, groupSize: c.GroupSize, rows: rows, cols: cols}
	l.groups = (cols-1)/c.GroupSize + 1
	l.rowBytes = pack.RowBytes(cols, c.Type.Bits())
	l.selectorBits = c.Type.SelectorBits()
	l.selectorBytes = (l.groups*l.selectorBits + 7) / 8
	switch c.Type.Scale() {
	case datatype.RowStep:
		l.rowScales = rows
	case datatype.E4M3:
		l.rowScales = 1
	}
	return l, nil
}

func newMatrix(l layout) *Matrix {
	return &Matrix{layout: l, codebooks: l.typ.Codebooks(), storage: Storage{
		RowScales: make([]float32, l.rowScales),
		Scales:    make([]byte, l.rows*l.groups),
		Selectors: make([]byte, l.rows*l.selectorBytes),
		Codes:     hugepage.Bytes(l.rows * l.rowBytes),
	}}
}

// New makes a Matrix of the storage s, without copying it: s must not be written to
// afterwards. New checks the lengths (ErrShape), and that every scale, selector and code
// is valid (ErrFormat, with the offset within the part), in one pass over the memory. A
// group size of 0 stands for the default of the type.
func New(t datatype.Type, groupSize, rows, cols int, s Storage) (*Matrix, error) {
	c, err := Config{Type: t, GroupSize: groupSize}.resolve()
	if err != nil {
		return nil, err
	}
	l, err := newLayout(c, rows, cols)
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		name      string
		got, want int
	}{
		{"len(RowScales)", len(s.RowScales), l.rowScales},
		{"len(Scales)", len(s.Scales), rows * l.groups},
		{"len(Selectors)", len(s.Selectors), rows * l.selectorBytes},
		{"len(Codes)", len(s.Codes), rows * l.rowBytes},
	} {
		if part.got != part.want {
			return nil, shapeError(part.name, part.got, "%d", part.want)
		}
	}
	m := &Matrix{layout: l, codebooks: t.Codebooks(), storage: s}
	if part, offset, reason := m.validate(); reason != "" {
		return nil, &FormatError{Offset: int64(offset), Reason: partNames[part] + ": " + reason}
	}
	return m, nil
}

// Rows returns the number of rows: output channels.
func (m *Matrix) Rows() int {
	if m == nil {
		return 0
	}
	return m.rows
}

// Cols returns the number of columns: input channels.
func (m *Matrix) Cols() int {
	if m == nil {
		return 0
	}
	return m.cols
}

// GroupSize returns the number of columns that share a scale; the last group of a row may
// have fewer. It returns 0 if rows have different group sizes.
func (m *Matrix) GroupSize() int {
	if m == nil {
		return 0
	}
	return m.groupSize
}

// Groups returns the number of groups in a row, or 0 if rows have different numbers.
func (m *Matrix) Groups() int {
	if m == nil {
		return 0
	}
	return m.groups
}

// Type returns the data type. If there are several parts, each has its own, and Type
// returns a type that is not valid ([datatype.Type.Valid]).
func (m *Matrix) Type() datatype.Type {
	if m == nil {
		return 0
	}
	return m.typ
}

// Bytes returns the size of all memory for the weights: codes, selectors, scales of
// both levels and, if there are several parts, the part of each row.
func (m *Matrix) Bytes() int {
	if m == nil {
		return 0
	}
	if m.mixed != nil {
		return m.mixed.bytes()
	}
	s := &m.storage
	return 4*len(s.RowScales) + len(s.Scales) + len(s.Selectors) + len(s.Codes)
}

// BitsPerWeight returns 8·Bytes/(rows·cols), and 0 for the zero Matrix.
func (m *Matrix) BitsPerWeight() float64 {
	if m == nil || m.rows == 0 {
		return 0
	}
	return 8 * float64(m.Bytes()) / (float64(m.rows) * float64(m.cols))
}

// Storage returns the memory of the matrix itself, for code that reads the packed form:
// a kernel, a file format, a transfer to a device. It must not be written to. If there
// are several parts, each has its own, and the result is empty. The caller must keep
// the Matrix or [Storage.Owner] reachable while it reads.
func (m *Matrix) Storage() Storage {
	if m == nil {
		return Storage{}
	}
	return m.storage
}

// Codebook returns the codebook of a group. It is empty if there is no such row or
// group.
func (m *Matrix) Codebook(row, group int) datatype.Codebook {
	p, at := m.find(row, group)
	if p == nil {
		return datatype.Codebook{}
	}
	return p.codebooks[p.selector(at, group)]
}

// Selector returns the index of a group's codebook in Codebooks of the row's type, and
// −1 if there is no such row or group.
func (m *Matrix) Selector(row, group int) int {
	p, at := m.find(row, group)
	if p == nil {
		return -1
	}
	return p.selector(at, group)
}

// Scale returns the scale of a group, k·s, by which the values of its codebook are
// multiplied, and NaN if there is no such row or group.
func (m *Matrix) Scale(row, group int) float32 {
	p, at := m.find(row, group)
	if p == nil {
		return float32(math.NaN())
	}
	return p.groupScale(at, group) * p.rowScale(at)
}

// ScaleCode returns the stored 8-bit scale of a group, k for most types, and 0 if there
// is no such row or group.
func (m *Matrix) ScaleCode(row, group int) uint8 {
	p, at := m.find(row, group)
	if p == nil {
		return 0
	}
	k := p.storage.Scales[at*p.groups+group]
	runtime.KeepAlive(p)
	return k
}

// RowScale returns s, the float32 that all scales of a row are multiples of. For NV
// types it is the scale of the tensor, or of the row's part, and for MX types 1. It is
// NaN if there is no such row.
func (m *Matrix) RowScale(row int) float32 {
	if m == nil || uint(row) >= uint(m.rows) {
		return float32(math.NaN())
	}
	p, at := m.ofRow(row)
	return p.rowScale(at)
}

func (m *Matrix) rowScale(row int) float32 {
	switch m.rowScales {
	case 0:
		return 1
	case 1:
		row = 0
	}
	s := m.storage.RowScales[row]
	runtime.KeepAlive(m)
	return s
}

// find returns the part that has the row, and the number of the row in the part, or nil
// if there is no such row or group.
func (m *Matrix) find(row, group int) (p *Matrix, at int) {
	if m == nil || uint(row) >= uint(m.rows) {
		return nil, 0
	}
	if p, at = m.ofRow(row); uint(group) >= uint(p.groups) {
		return nil, 0
	}
	return p, at
}

// groupColumns returns the columns of a group, lo to hi−1.
func (l *layout) groupColumns(g int) (lo, hi int) {
	return g * l.groupSize, min((g+1)*l.groupSize, l.cols)
}

func (m *Matrix) groupScale(row, group int) float32 {
	k := m.storage.Scales[row*m.groups+group]
	runtime.KeepAlive(m)
	return m.typ.Scale().Value(k)
}

func (m *Matrix) selector(row, group int) int {
	b := m.selectorBits
	if b == 0 {
		return 0
	}
	at := group * b
	s := m.storage.Selectors[row*m.selectorBytes+at/8]
	runtime.KeepAlive(m)
	return int(s) >> (at % 8) & (1<<b - 1)
}

// codeRow returns the packed codes of a row. The caller keeps m alive while it reads
// them.
func (m *Matrix) codeRow(row int) []byte {
	return m.storage.Codes[row*m.rowBytes : (row+1)*m.rowBytes]
}
