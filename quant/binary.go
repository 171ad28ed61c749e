package quant

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"runtime"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/pack"
)

const (
	magic      = "BITMOD\r\n"
	version    = 1 // a Matrix of one type
	headerSize = 48
	nameSize   = 16
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// AppendBinary appends the binary form of m, which the package documentation describes,
// to b. It implements [encoding.BinaryAppender]. It returns an error for the zero
// Matrix, which has no binary form.
func (m *Matrix) AppendBinary(b []byte) ([]byte, error) {
	if m == nil || m.rows == 0 {
		return b, shapeError("rows", 0, "at least 1")
	}
	start := len(b)
	if m.mixed != nil {
		b = m.mixed.append(b)
	} else {
		b = slices.Grow(b, headerSize+m.Bytes()+4)
		b = append(b, magic...)
		b = binary.LittleEndian.AppendUint32(b, version)
		b = m.appendType(b)
		b = binary.LittleEndian.AppendUint64(b, uint64(m.rows))
		b = binary.LittleEndian.AppendUint64(b, uint64(m.cols))
		b = m.appendStorage(b)
	}
	return binary.LittleEndian.AppendUint32(b, checksum(b[start:])), nil
}

// typeSize is what appendType appends.
const typeSize = 4 + nameSize

func (m *Matrix) appendType(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(m.groupSize))
	var name [nameSize]byte
	copy(name[:], m.typ.String())
	return append(b, name[:]...)
}

func (m *Matrix) appendStorage(b []byte) []byte {
	s := &m.storage
	for _, x := range s.RowScales {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	b = append(b, s.Scales...)
	b = append(b, s.Selectors...)
	b = append(b, s.Codes...)
	runtime.KeepAlive(m)
	return b
}

// MarshalBinary returns the binary form of m. It implements
// [encoding.BinaryMarshaler].
func (m *Matrix) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// MarshalJSON returns an error: a Matrix has no form in JSON.
func (Matrix) MarshalJSON() ([]byte, error) {
	return nil, errors.New("quant: a Matrix has no JSON form; AppendBinary gives its bytes")
}

// UnmarshalBinary sets m to the matrix in data, which it copies. It implements
// [encoding.BinaryUnmarshaler]. It accepts only data that AppendBinary writes. For other
// data it leaves m as it was and returns a *[FormatError] with the offset, which matches
// ErrFormat. It allocates nothing before it has checked the sizes in the header and the
// checksum.
//
// No other method writes to a Matrix. m must not be in use.
func (m *Matrix) UnmarshalBinary(data []byte) error {
	if m == nil {
		return fmt.Errorf("quant: UnmarshalBinary of a nil Matrix: %w", ErrShape)
	}
	v, err := readVersion(data)
	if err != nil {
		return err
	}
	if v == mixedVersion {
		n, err := readMixed(data)
		if err != nil {
			return err
		}
		*m = *n
		return nil
	}
	l, err := readHeader(data)
	if err != nil {
		return err
	}
	if err := checkSum(data); err != nil {
		return err
	}
	n, err := readStorage(l, data, headerSize)
	if err != nil {
		return err
	}
	*m = *n
	return nil
}

// readVersion checks the magic and the length of the header, and returns the version.
func readVersion(data []byte) (uint32, error) {
	for i := range magic {
		if i >= len(data) || data[i] != magic[i] {
			return 0, formatError(i, "not a bitmod matrix")
		}
	}
	if len(data) < headerSize+4 {
		return 0, formatError(len(data), "ends in the header")
	}
	v := binary.LittleEndian.Uint32(data[8:])
	if v != version && v != mixedVersion {
		return 0, formatError(8, "version %d, want %d or %d", v, version, mixedVersion)
	}
	return v, nil
}

// checkSum compares the checksum at the end with the checksum of all bytes before it.
func checkSum(data []byte) error {
	end := len(data) - 4
	if got, want := checksum(data[:end]), binary.LittleEndian.Uint32(data[end:]); got != want {
		return formatError(end, "checksum is %08x, but the data's is %08x", want, got)
	}
	return nil
}

// readHeader checks the header of a matrix of one type, and the length of data against
// it.
func readHeader(data []byte) (layout, error) {
	c, err := readType(data, 12)
	if err != nil {
		return layout{}, err
	}
	rows, cols, err := readShape(data, 32)
	if err != nil {
		return layout{}, err
	}
	l, err := newLayout(c, rows, cols)
	if err != nil {
		return layout{}, formatError(32, "%d rows × %d columns in %d bytes", rows, cols, len(data))
	}
	return l, wantSize(data, headerSize+l.storageBytes()+4, rows, cols)
}

// readType reads a group size and a type at byte at of data, as appendType appends
// them.
func readType(data []byte, at int) (Config, error) {
	groupSize := binary.LittleEndian.Uint32(data[at:])
	if groupSize < minGroupSize || groupSize > maxGroupSize {
		return Config{}, formatError(at, "group size %d, want %d to %d", groupSize, minGroupSize, maxGroupSize)
	}
	name := strings.TrimRight(string(data[at+4:at+4+nameSize]), "\x00")
	typ, err := datatype.Parse(name)
	if err != nil {
		return Config{}, formatError(at+4, "data type %q is unknown", name)
	}
	return Config{Type: typ, GroupSize: int(groupSize)}, nil
}

// readShape reads the numbers of rows and columns at byte at of data. data must have at
// least a byte for each row and two bits for each column, so that sizes computed from
// the two do not overflow.
func readShape(data []byte, at int) (rows, cols int, err error) {
	r, c := binary.LittleEndian.Uint64(data[at:]), binary.LittleEndian.Uint64(data[at+8:])
	if r < 1 || r > uint64(len(data)) {
		return 0, 0, formatError(at, "%d rows in %d bytes", r, len(data))
	}
	if c < 1 || c/4 > uint64(len(data)) {
		return 0, 0, formatError(at+8, "%d columns in %d bytes", c, len(data))
	}
	return int(r), int(c), nil
}

// storageBytes returns the number of bytes that appendStorage appends. It does not
// overflow: see newLayout.
func (l *layout) storageBytes() int {
	return 4*l.rowScales + l.rows*(l.groups+l.selectorBytes+l.rowBytes)
}

// wantSize checks the length of data.
func wantSize(data []byte, size, rows, cols int) error {
	switch {
	case size > len(data):
		return formatError(len(data), "ends too early for %d rows × %d columns", rows, cols)
	case size < len(data):
		return formatError(size, "%d bytes too many", len(data)-size)
	}
	return nil
}

// readStorage returns the matrix of one type at byte at of data, as appendStorage
// appends it, and checks it.
func readStorage(l layout, data []byte, at int) (*Matrix, error) {
	m := newMatrix(l)
	s := &m.storage
	rest := data[at:]
	for i := range s.RowScales {
		s.RowScales[i] = math.Float32frombits(binary.LittleEndian.Uint32(rest))
		rest = rest[4:]
	}
	for _, part := range [][]byte{s.Scales, s.Selectors, s.Codes} {
		copy(part, rest)
		rest = rest[len(part):]
	}
	if part, offset, reason := m.validate(); reason != "" {
		for i, size := range []int{4 * len(s.RowScales), len(s.Scales), len(s.Selectors)} {
			if i < part {
				offset += size
			}
		}
		return nil, formatError(at+offset, "%s: %s", partNames[part], reason)
	}
	return m, nil
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
		// A set sign bit makes this fail, too, so that −0 is refused.
		if b := math.Float32bits(x); b >= 0x7f800000 {
			return 0, 4 * i, fmt.Sprintf("scale %g of row %d", x, i)
		}
	}
	for i, b := range s.Scales {
		if math.IsNaN(float64(m.typ.Scale().Value(b))) {
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
		return 3, row * m.rowBytes, fmt.Sprintf("row %d has a code beyond its codebook, or padding that is not 0", row)
	}
	return 0, 0, ""
}

// validateCodes returns the first row with a code that has no value, or with a set bit
// outside of the codes.
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
