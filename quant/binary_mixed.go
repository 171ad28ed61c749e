package quant

import (
	"encoding/binary"
	"math"
	"slices"
)

// The binary form of a Matrix with several parts, which the package documentation
// describes.
const (
	mixedVersion    = 2
	mixedHeaderSize = 32
)

// append appends all but the checksum.
func (x *mixed) append(b []byte) []byte {
	b = slices.Grow(b, mixedHeaderSize+typeSize*len(x.parts)+x.bytes()+4)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, mixedVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(x.parts)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(x.of)))
	b = binary.LittleEndian.AppendUint64(b, uint64(x.parts[0].cols))
	for _, p := range x.parts {
		b = p.appendType(b)
	}
	b = append(b, x.of...)
	for _, p := range x.parts {
		b = p.appendStorage(b)
	}
	return b
}

// readMixed reads a matrix with several parts. It refuses parts that newMixed would
// order or merge differently, so that a matrix has one binary form.
func readMixed(data []byte) (*Matrix, error) {
	n := int(binary.LittleEndian.Uint32(data[12:]))
	if n < 2 || n > maxParts {
		return nil, formatError(12, "%d parts, want 2 to %d", uint32(n), maxParts)
	}
	rows, cols, err := readShape(data, 16)
	if err != nil {
		return nil, err
	}
	if uint64(rows) > math.MaxUint32 {
		return nil, formatError(16, "%d rows in several parts", rows)
	}
	order := mixedHeaderSize + typeSize*n
	at := order + rows // of the first part
	end := len(data) - 4
	if at < 0 || at > end {
		return nil, formatError(len(data), "ends too early for %d rows in %d parts", rows, n)
	}
	counts, err := countOrder(data[order:at], n, order)
	if err != nil {
		return nil, err
	}
	layouts, size := make([]layout, n), at
	for i, rows := range counts {
		c, err := readType(data, mixedHeaderSize+typeSize*i)
		if err != nil {
			return nil, err
		}
		l, err := newLayout(c, rows, cols)
		if err != nil || l.storageBytes() > end-size {
			return nil, formatError(len(data), "ends too early for %d rows × %d columns of %v", rows, cols, c.Type)
		}
		layouts[i] = l
		size += l.storageBytes()
	}
	if err := wantSize(data, size+4, rows, cols); err != nil {
		return nil, err
	}
	if err := checkSum(data); err != nil {
		return nil, err
	}
	parts := make([]*Matrix, n)
	for i, l := range layouts {
		if parts[i], err = readStorage(l, data, at); err != nil {
			return nil, err
		}
		at += l.storageBytes()
		if j := slices.IndexFunc(parts[:i], parts[i].alike); j >= 0 {
			return nil, formatError(mixedHeaderSize+typeSize*i, "part %d is of the same type, group size and tensor scale as part %d", i, j)
		}
	}
	return newMixed(parts, slices.Clone(data[order:order+rows])), nil
}

// countOrder counts the rows of each of n parts, which must be in the order of their
// first rows. of lies at byte at.
func countOrder(of []byte, n, at int) ([]int, error) {
	counts := make([]int, n)
	next := 0
	for row, p := range of {
		switch {
		case int(p) >= n:
			return nil, formatError(at+row, "row %d is in part %d of %d", row, p, n)
		case int(p) > next:
			return nil, formatError(at+row, "row %d is in part %d, and no row before it in part %d", row, p, next)
		case int(p) == next:
			next++
		}
		counts[p]++
	}
	if next < n {
		return nil, formatError(at, "no row is in part %d", next)
	}
	return counts, nil
}
