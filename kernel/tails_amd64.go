//go:build amd64 && !purego

package kernel

import (
	"sync/atomic"
	"unsafe"

	"github.com/bitmod-go/bitmod/internal/loops"
	"github.com/bitmod-go/bitmod/internal/pack"
)

// A rowTail has the offsets by which loops.RowsAVX512 finds codes after the last whole
// step of a row.
type rowTail struct {
	halves, wide, whole, last int // see loops.RowArgs
	parts                     []loops.RowPart
}

// rowTails caches rowTails by bits and columns.
var rowTails [9][step]atomic.Pointer[rowTail]

// rowTailOf returns the tail for a number of columns.
func rowTailOf(bits, cols int) *rowTail {
	t := rowTails[bits][cols].Load()
	if t == nil {
		t = newRowTail(bits, cols)
		rowTails[bits][cols].Store(t)
	}
	return t
}

func newRowTail(bits, cols int) *rowTail {
	t := &rowTail{halves: (cols + 63) / 64}
	layout := pack.Layout(bits)
	type place struct{ offset, height, at int } // of a column's chunk, and in it
	places := make([]place, 0, cols)
	fields, offset, done, leading := 0, 0, 0, true
	for len(places) < cols {
		h, n := pack.Chunk(cols-len(places), bits)
		full := n == h*len(layout)
		switch {
		case leading && full && bits == 3 && h == 32:
			t.wide++
			done += n
		case leading && full && (bits == 3 && h == 16 || (bits == 4 || bits == 6) && h == 64):
			t.whole++
			done += n
		case leading && n == 64 && (bits == 3 || bits == 4):
			t.last++
			done += n
			leading = false
		default:
			leading = false
		}
		for i := range n {
			places = append(places, place{offset, h, i})
		}
		offset += h * pack.StripBytes(bits)
	}
	for _, f := range layout {
		fields = max(fields, len(f))
	}
	for lo := done; lo < cols; lo += 64 {
		for i := range fields {
			var part loops.RowPart
			first, last := offset, 0
			at := make([]int, 0, 64)
			for c, pl := range places[lo:min(lo+64, cols)] {
				at = append(at, -1)
				f := layout[pl.at/pl.height]
				if i >= len(f) {
					continue
				}
				at[c] = pl.offset + f[i].Index*pl.height + pl.at%pl.height
				first, last = min(first, at[c]), max(last, at[c])
				part.Shift[c] = byte(8*(c%8)+int(f[i].From)-int(f[i].To)) & 63
				part.Keep[c] = byte(f[i].Mask << f[i].To)
			}
			if first <= last {
				part.Offset, part.Mask = first, ^uint64(0)>>(63-(last-first))
			}
			for c, b := range at {
				if b >= 0 {
					part.Index[c] = byte(b - first)
				}
			}
			t.parts = append(t.parts, part)
		}
	}
	return t
}

// bytesOf returns a pointer to the first byte of s.
func bytesOf[T any](s []T) *byte { return (*byte)(unsafe.Pointer(unsafe.SliceData(s))) }
