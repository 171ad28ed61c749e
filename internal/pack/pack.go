// Package pack stores the codes of one row of weights without unused bits, in an order
// for vector instructions. The documentation of package quant draws it.
package pack

import (
	"encoding/binary"

	"github.com/bitmod-go/bitmod/internal/loops/coding"
)

// A row is a sequence of chunks. A chunk of height h holds strips(bits)·h consecutive
// columns: strip s has columns s·h … s·h+h−1. The codes at position p of all strips
// share StripBytes(bits) bytes, at p, h+p, 2h+p, … of the chunk.
const (
	maxHeight = 64
	maxStrips = 8

	// MaxChunk is the largest number of codes in a chunk.
	MaxChunk = maxHeight * maxStrips
)

// A Field is a part of a code: the bits from From on in the byte at Index are the bits
// from To on of the code. Every byte of Mask has as many low bits set as the field has
// bits.
type Field struct {
	Index    int
	From, To uint
	Mask     uint64
}

// Layout returns the fields of each strip, for codes of 2 to 8 bits. They must not
// be changed.
func Layout(bits int) [][]Field { return layouts[bits] }

// StripBytes returns the number of bytes that hold one code of each strip.
func StripBytes(bits int) int { return strips(bits) * bits / 8 }

// layouts has the fields that package quant's documentation draws.
var layouts = func() (all [9][][]Field) {
	for bits := 2; bits <= 8; bits++ {
		for s := range strips(bits) {
			all[bits] = append(all[bits], layout(bits, s))
		}
	}
	return all
}()

func layout(bits, s int) []Field {
	const each = 0x0101010101010101
	one := func(index, from, n, to int) Field {
		return Field{Index: index, From: uint(from), To: uint(to), Mask: (1<<n - 1) * each}
	}
	half := one(s/2, s%2*4, 4, 0)
	switch bits {
	case 3:
		if s < 6 {
			return []Field{one(s/2, s%2*3, 3, 0)}
		}
		return []Field{one(s-6, 6, 2, 0), one(2, s, 1, 2)}
	case 5:
		return []Field{half, one(4, s, 1, 4)}
	case 6:
		return []Field{half, one(2, s*2, 2, 4)}
	case 7:
		return []Field{half, one(4+s/4, s%4*2, 2, 4), one(6, s, 1, 6)}
	}
	return []Field{one(0, s*bits, bits, 0)}
}

// strips returns the least number of codes that fill whole bytes.
func strips(bits int) int {
	switch bits {
	case 2, 6:
		return 4
	case 4:
		return 2
	case 8:
		return 1
	}
	return 8
}

// Chunk returns the height of the next chunk of a row with cols columns left,
// and the number of columns that it holds, at most cols.
func Chunk(cols, bits int) (height, n int) {
	s := strips(bits)
	for h := maxHeight; h >= 16; h /= 2 {
		if cols >= h*s {
			return h, h * s
		}
	}
	return (cols + s - 1) / s, cols
}

// RowBytes returns the bytes that a row of cols codes takes. Only a last chunk
// of fewer than 16·strips columns is padded, by less than a code a strip.
func RowBytes(cols, bits int) int {
	s := strips(bits)
	full := cols / (maxHeight * s)
	size := full * maxHeight * s * bits / 8
	for left := cols % (maxHeight * s); left > 0; {
		h, n := Chunk(left, bits)
		size += h * s * bits / 8
		left -= n
	}
	return size
}

// Row packs codes, which must be below 2^bits, into dst, which must be
// RowBytes(len(codes), bits) long.
func Row(dst []byte, codes []uint8, bits int) { row(dst, codes, bits, coding.Best()) }

// row is Row with the loops of a processor, or without if they are nil.
func row(dst []byte, codes []uint8, bits int, loops *coding.Set) {
	if loops != nil {
		done, written := packChunks(dst, codes, bits, loops)
		dst, codes = dst[written:], codes[done:]
	}
	for len(codes) > 0 {
		h, n := Chunk(len(codes), bits)
		s := strips(bits)
		size := h * s * bits / 8
		if n < h*s {
			var padded [16 * maxStrips]uint8
			copy(padded[:], codes)
			packChunk(dst[:size], padded[:h*s], h, bits)
		} else {
			packChunk(dst[:size], codes[:n], h, bits)
		}
		codes, dst = codes[n:], dst[size:]
	}
}

// packChunks packs the chunks of a row that have no padding, and returns their numbers
// of codes and bytes.
func packChunks(dst []byte, codes []uint8, bits int, loops *coding.Set) (done, written int) {
	s := strips(bits)
	for h := maxHeight; h >= 16; h /= 2 {
		chunks := (len(codes) - done) / (h * s)
		if chunks == 0 {
			continue
		}
		n, size := chunks*h*s, chunks*h*s*bits/8
		out, in := dst[written:written+size], codes[done:done+n]
		loops.Pack[bits](&coding.PackArgs{Dst: &out[0], Src: &in[0], Height: h, Chunks: chunks})
		done, written = done+n, written+size
	}
	return done, written
}

// Next unpacks the chunk at the start of src, where the row has cols columns left. It
// returns the rest of src and the number n of columns in the chunk. Codes of padding,
// if any, follow the first n.
func Next(codes *[MaxChunk]uint8, src []byte, cols, bits int) (rest []byte, n int) {
	h, n := Chunk(cols, bits)
	s := strips(bits)
	size := h * s * bits / 8
	unpackChunk(codes[:h*s], src[:size], h, bits)
	return src[size:], n
}

func packChunk(dst []byte, c []uint8, h, bits int) {
	clear(dst)
	for s, fields := range layouts[bits] {
		strip := c[s*h:][:h]
		for _, f := range fields {
			out := dst[f.Index*h:][:h]
			for p, code := range strip {
				out[p] |= code >> f.To & uint8(f.Mask) << f.From
			}
		}
	}
}

func unpackChunk(c []uint8, src []byte, h, bits int) {
	at := 0
	switch bits {
	case 3:
		at = unpack3(c, src, h)
	case 5:
		at = unpack5(c, src, h)
	case 6:
		at = unpack6(c, src, h)
	case 7:
		at = unpack7(c, src, h)
	case 8:
		at = copy(c, src[:h])
	}
	if at == h {
		return
	}
	for s, fields := range layouts[bits] {
		strip := c[s*h : (s+1)*h][at:]
		for i, f := range fields {
			unpackField(strip, src[f.Index*h : (f.Index+1)*h][at:], f, i > 0)
		}
	}
}

// unpackField sets the bits of a field in all codes of a strip. If more is set, it
// keeps the other bits.
func unpackField(strip []uint8, in []byte, f Field, more bool) {
	var keep uint64
	if more {
		keep = ^uint64(0)
	}
	from, to, mask := f.From&63, f.To&63, f.Mask
	// Eight positions at a time. The mask clears the bits that a shift brings in from a
	// neighbour.
	for len(in) >= 8 && len(strip) >= 8 {
		v := binary.LittleEndian.Uint64(in) >> from & mask << to
		v |= binary.LittleEndian.Uint64(strip) & keep
		binary.LittleEndian.PutUint64(strip, v)
		in, strip = in[8:], strip[8:]
	}
	for i, b := range in {
		strip[i] = b>>from&uint8(mask)<<to | strip[i]&uint8(keep)
	}
}
