package quant

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

const (
	mixedMagic      = "BITMIX\r\n"
	mixedVersion    = 1
	mixedHeaderSize = 24
)

// AppendBinary appends the binary form of m to b:
//
//	offset  size
//	0       8     "BITMIX\r\n"
//	8       4     version, 1
//	12      4     number of parts, n
//	16      8     rows
//	24      8·n   bytes of each part
//	        rows  part of each row
//	              the parts, each as [Matrix.AppendBinary] writes it
//	end−4   4     CRC-32C (Castagnoli) of all bytes before it
//
// all little-endian. It implements [encoding.BinaryAppender]. The error is for the
// zero Mixed, which has no binary form.
func (m *Mixed) AppendBinary(b []byte) ([]byte, error) {
	if len(m.of) == 0 {
		return b, shapeError("rows", 0, "at least 1")
	}
	start := len(b)
	b = append(b, mixedMagic...)
	b = binary.LittleEndian.AppendUint32(b, mixedVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.parts)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(m.of)))
	sizes := len(b)
	b = append(b, make([]byte, 8*len(m.parts))...)
	b = append(b, m.of...)
	for i, p := range m.parts {
		before := len(b)
		var err error
		if b, err = p.AppendBinary(b); err != nil {
			return b[:start], err
		}
		binary.LittleEndian.PutUint64(b[sizes+8*i:], uint64(len(b)-before))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli)), nil
}

// MarshalBinary returns the binary form of m. It implements
// [encoding.BinaryMarshaler].
func (m *Mixed) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary sets m to the matrix in data, of which it keeps no part. It
// implements [encoding.BinaryUnmarshaler]. Anything but exactly what AppendBinary
// writes is an error that matches ErrFormat, a *[FormatError] with the offset, and
// leaves m as it was. Nothing is allocated that data is too short for.
//
// It is the only method that writes to a Mixed: m must not be in use.
func (m *Mixed) UnmarshalBinary(data []byte) error {
	for i := range mixedMagic {
		if i >= len(data) || data[i] != mixedMagic[i] {
			return formatError(i, "not a matrix of mixed rows")
		}
	}
	if len(data) < mixedHeaderSize+4 {
		return formatError(len(data), "ends in the header")
	}
	if v := binary.LittleEndian.Uint32(data[8:]); v != mixedVersion {
		return formatError(8, "version %d, want %d", v, mixedVersion)
	}
	n, rows := binary.LittleEndian.Uint32(data[12:]), binary.LittleEndian.Uint64(data[16:])
	if n < 1 || n > maxParts {
		return formatError(12, "%d parts, want 1 to %d", n, maxParts)
	}
	end := len(data) - 4
	at := mixedHeaderSize + 8*int(n)
	if at > end || rows < 1 || rows > uint64(end-at) {
		return formatError(16, "%d rows and %d parts in %d bytes", rows, n, len(data))
	}
	if got, want := crc32.Checksum(data[:end], castagnoli), binary.LittleEndian.Uint32(data[end:]); got != want {
		return formatError(end, "checksum is %08x, but the data's is %08x", want, got)
	}
	of := slices.Clone(data[at : at+int(rows)])
	at += int(rows)
	var parts []*Matrix
	for i := range int(n) {
		size := binary.LittleEndian.Uint64(data[mixedHeaderSize+8*i:])
		if size > uint64(end-at) {
			return formatError(mixedHeaderSize+8*i, "part %d has %d bytes, of %d that are left", i, size, end-at)
		}
		p := &Matrix{}
		if err := p.UnmarshalBinary(data[at : at+int(size)]); err != nil {
			if bad, ok := err.(*FormatError); ok {
				bad.Offset += int64(at)
			}
			return err
		}
		parts = append(parts, p)
		at += int(size)
	}
	if at != end {
		return formatError(at, "%d bytes too many", end-at)
	}
	x, err := NewMixed(parts, of)
	if err != nil {
		return formatError(mixedHeaderSize, "%v", err)
	}
	*m = *x
	return nil
}
