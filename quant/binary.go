package quant

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/pack"
)

const (
	magic      = "BITMOD\r\n"
	version    = 1
	headerSize = 48
	nameSize   = 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendBinary appends the binary form of m, which the package documentation
// describes, to b. It implements [encoding.BinaryAppender]. The error is for the
// zero Matrix, which has no binary form.
func (m *Matrix) AppendBinary(b []byte) ([]byte, error) {
	if m.rows == 0 {
		return b, shapeError("rows", 0, "at least 1")
	}
	start := len(b)
	b = slices.Grow(b, headerSize+m.Bytes()+4)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint32(b, uint32(m.groupSize))
	var name [nameSize]byte
	copy(name[:], m.typ.String())
	b = append(b, name[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(m.rows))
	b = binary.LittleEndian.AppendUint64(b, uint64(m.cols))
	s := &m.storage
	for _, x := range s.RowScales {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	b = append(b, s.Scales...)
	b = append(b, s.Selectors...)
	b = append(b, s.Codes...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli)), nil
}

// MarshalBinary returns the binary form of m. It implements
// [encoding.BinaryMarshaler].
func (m *Matrix) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary sets m to the matrix in data, of which it keeps no part. It
// implements [encoding.BinaryUnmarshaler]. Anything but exactly what
// AppendBinary writes is an error that matches ErrFormat, a *[FormatError] with
// the offset, and leaves m as it was. Nothing is allocated before the sizes in
// the header are known to fit len(data) and the checksum to be right.
//
// It is the only method that writes to a Matrix: m must not be in use.
func (m *Matrix) UnmarshalBinary(data []byte) error {
	l, err := readHeader(data)
	if err != nil {
		return err
	}
	end := len(data) - 4
	if got, want := crc32.Checksum(data[:end], castagnoli), binary.LittleEndian.Uint32(data[end:]); got != want {
		return formatError(end, "checksum is %08x, but the data's is %08x", want, got)
	}
	n := newMatrix(l)
	s := &n.storage
	rest := data[headerSize:end]
	for i := range s.RowScales {
		s.RowScales[i] = math.Float32frombits(binary.LittleEndian.Uint32(rest))
		rest = rest[4:]
	}
	for _, part := range [][]byte{s.Scales, s.Selectors, s.Codes} {
		copy(part, rest)
		rest = rest[len(part):]
	}
	if part, offset, reason := n.validate(); reason != "" {
		for i, size := range []int{4 * len(s.RowScales), len(s.Scales), len(s.Selectors)} {
			if i < part {
				offset += size
			}
		}
		return formatError(headerSize+offset, "%s: %s", partNames[part], reason)
	}
	*m = *n
	return nil
}

// readHeader checks the header and that data has the size that it asks for.
func readHeader(data []byte) (layout, error) {
	for i := range magic {
		if i >= len(data) || data[i] != magic[i] {
			return layout{}, formatError(i, "not a bitmod matrix")
		}
	}
	if len(data) < headerSize+4 {
		return layout{}, formatError(len(data), "ends in the header")
	}
	if v := binary.LittleEndian.Uint32(data[8:]); v != version {
		return layout{}, formatError(8, "version %d, want %d", v, version)
	}
	groupSize := binary.LittleEndian.Uint32(data[12:])
	if groupSize < minGroupSize || groupSize > maxGroupSize {
		return layout{}, formatError(12, "group size %d, want %d to %d", groupSize, minGroupSize, maxGroupSize)
	}
	name := strings.TrimRight(string(data[16:16+nameSize]), "\x00")
	typ, err := datatype.Parse(name)
	if err != nil {
		return layout{}, formatError(16, "data type %q is unknown", name)
	}
	rows, cols := binary.LittleEndian.Uint64(data[32:]), binary.LittleEndian.Uint64(data[40:])
	if rows < 1 || rows > uint64(len(data)) {
		return layout{}, formatError(32, "%d rows in %d bytes", rows, len(data))
	}
	// A row of cols columns is at least cols·bits/8 bytes of codes, which bounds
	// cols before anything is computed from it.
	hi, rowBits := bits.Mul64(cols, uint64(typ.Bits()))
	if cols < 1 || hi != 0 || rowBits/8/uint64(len(data)) > 0 {
		return layout{}, formatError(40, "%d columns in %d bytes", cols, len(data))
	}
	l, err := newLayout(Config{Type: typ, GroupSize: int(groupSize)}, int(rows), int(cols))
	if err != nil {
		return layout{}, formatError(32, "%d rows × %d columns in %d bytes", rows, cols, len(data))
	}
	row := uint64(l.rowBytes + l.groups + l.selectorBytes)
	hi, size := bits.Mul64(row, rows)
	size += headerSize + 4*uint64(l.rowScales) + 4
	switch {
	case hi != 0 || size > uint64(len(data)):
		return layout{}, formatError(len(data), "ends too early for %d rows × %d columns", rows, cols)
	case size < uint64(len(data)):
		return layout{}, formatError(int(size), "%d bytes too many", uint64(len(data))-size)
	}
	return l, nil
}

func formatError(offset int, format string, args ...any) error {
	return &FormatError{Offset: int64(offset), Reason: fmt.Sprintf(format, args...)}
}

var partNames = [...]string{"row scales", "scales", "selectors", "codes"}

// validate looks for content that no quantizer writes. It returns the index of
// the part in partNames, the offset in bytes within it, and a reason, which is
// empty if all is well.
func (m *Matrix) validate() (part, offset int, reason string) {
	s := &m.storage
	for i, x := range s.RowScales {
		// The sign bit is excluded so that −0 is, too.
		if b := math.Float32bits(x); b >= 0x7f800000 {
			return 0, 4 * i, fmt.Sprintf("scale %g of row %d", x, i)
		}
	}
	for i, b := range s.Scales {
		if !m.typ.Scale().Valid(b) {
			return 1, i, fmt.Sprintf("%#x is not an %v scale", b, m.typ.Scale())
		}
	}
	b := m.typ.SelectorBits()
	for row := range m.rows {
		if b == 0 {
			break
		}
		for g := range m.groups {
			if sel := m.selector(row, g); sel >= len(m.codebooks) {
				return 2, row*m.selectorBytes + g*b/8, fmt.Sprintf("selector %d of %d codebooks", sel, len(m.codebooks))
			}
		}
		if used := m.groups * b % 8; used > 0 {
			last := (row+1)*m.selectorBytes - 1
			if s.Selectors[last]>>used != 0 {
				return 2, last, "bits set behind the last group"
			}
		}
	}
	if row, ok := m.validateCodes(); !ok {
		return 3, row * m.rowBytes, fmt.Sprintf("row %d has a code that its codebook has not, or padding that is not 0", row)
	}
	return 0, 0, ""
}

// validateCodes returns the first row with a code without a value, or a set bit
// where no code is.
func (m *Matrix) validateCodes() (row int, ok bool) {
	full := true
	for _, cb := range m.codebooks {
		full = full && cb.Len() == 1<<m.typ.Bits()
	}
	if full && 8*m.rowBytes == m.cols*m.typ.Bits() {
		return 0, true // every bit pattern is a row
	}
	var chunk [pack.MaxChunk]uint8
	for row := range m.rows {
		src := m.codeRow(row)
		for col := 0; col < m.cols; {
			before := len(src)
			var n int
			src, n = pack.Next(&chunk, src, m.cols-col, m.typ.Bits())
			for _, c := range chunk[n : (before-len(src))*8/m.typ.Bits()] {
				if c != 0 {
					return row, false
				}
			}
			for i, c := range chunk[:n] {
				if !full && int(c) >= m.codebooks[m.selector(row, (col+i)/m.groupSize)].Len() {
					return row, false
				}
			}
			col += n
		}
	}
	return 0, true
}
