// Package pack stores the codes of one row of weights in as many bits as they
// have, in the order that vector code wants. Package quant's documentation draws
// it.
package pack

// A row is a sequence of chunks, each of which holds strips(bits)·h consecutive
// columns: strip s has columns s·h … s·h+h−1. The codes at position p of all
// strips share stripBytes(bits) bytes, at p, h+p, 2h+p, … of the chunk.
const (
	maxHeight = 64
	maxStrips = 8

	// MaxChunk is the largest number of codes in a chunk.
	MaxChunk = maxHeight * maxStrips
)

// strips returns the number of codes that fill whole bytes.
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
func Row(dst []byte, codes []uint8, bits int) {
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

// Next unpacks the chunk at the start of src, of a row that has cols columns
// left, and returns what is behind it and the number of columns in the chunk.
// Codes of padding, where there are any, lie behind those.
func Next(codes *[MaxChunk]uint8, src []byte, cols, bits int) (rest []byte, n int) {
	h, n := Chunk(cols, bits)
	s := strips(bits)
	size := h * s * bits / 8
	unpackChunk(codes[:h*s], src[:size], h, bits)
	return src[size:], n
}

func packChunk(dst []byte, c []uint8, h, bits int) {
	switch bits {
	case 2:
		for p := range h {
			dst[p] = c[p] | c[h+p]<<2 | c[2*h+p]<<4 | c[3*h+p]<<6
		}
	case 3:
		for p := range h {
			c6, c7 := c[6*h+p], c[7*h+p]
			dst[p] = c[p] | c[h+p]<<3 | c6<<6
			dst[h+p] = c[2*h+p] | c[3*h+p]<<3 | c7<<6
			dst[2*h+p] = c[4*h+p] | c[5*h+p]<<3 | c6>>2<<6 | c7>>2<<7
		}
	case 4:
		for p := range h {
			dst[p] = c[p] | c[h+p]<<4
		}
	case 5, 6, 7:
		packWide(dst, c, h, bits)
	case 8:
		copy(dst, c)
	}
}

func unpackChunk(c []uint8, src []byte, h, bits int) {
	switch bits {
	case 2:
		for p := range h {
			b := src[p]
			c[p], c[h+p], c[2*h+p], c[3*h+p] = b&3, b>>2&3, b>>4&3, b>>6
		}
	case 3:
		for p := range h {
			b0, b1, b2 := src[p], src[h+p], src[2*h+p]
			c[p], c[h+p] = b0&7, b0>>3&7
			c[2*h+p], c[3*h+p] = b1&7, b1>>3&7
			c[4*h+p], c[5*h+p] = b2&7, b2>>3&7
			c[6*h+p] = b0>>6 | b2>>4&4
			c[7*h+p] = b1>>6 | b2>>5&4
		}
	case 4:
		for p := range h {
			b := src[p]
			c[p], c[h+p] = b&15, b>>4
		}
	case 5, 6, 7:
		unpackWide(c, src, h, bits)
	case 8:
		copy(c, src)
	}
}

// packWide packs 5, 6 or 7 bits: the low four of every strip as 4-bit codes
// are, then the next two as 2-bit codes are (6, 7), then the top one, bit s of
// the byte for strip s (5, 7).
func packWide(dst []byte, c []uint8, h, bits int) {
	clear(dst)
	s := strips(bits)
	for i := range s {
		low := dst[i/2*h:]
		for p := range h {
			low[p] |= c[i*h+p] & 15 << (i % 2 * 4)
		}
	}
	high, shift := dst[s/2*h:], 4
	if bits != 5 {
		for i := range s {
			two := high[i/4*h:]
			for p := range h {
				two[p] |= c[i*h+p] >> 4 & 3 << (i % 4 * 2)
			}
		}
		high, shift = high[s/4*h:], 6
	}
	if bits != 6 {
		for i := range s {
			for p := range h {
				high[p] |= c[i*h+p] >> shift << i
			}
		}
	}
}

func unpackWide(c []uint8, src []byte, h, bits int) {
	s := strips(bits)
	for i := range s {
		low := src[i/2*h:]
		for p := range h {
			c[i*h+p] = low[p] >> (i % 2 * 4) & 15
		}
	}
	high, shift := src[s/2*h:], 4
	if bits != 5 {
		for i := range s {
			two := high[i/4*h:]
			for p := range h {
				c[i*h+p] |= two[p] >> (i % 4 * 2) & 3 << 4
			}
		}
		high, shift = high[s/4*h:], 6
	}
	if bits != 6 {
		for i := range s {
			for p := range h {
				c[i*h+p] |= high[p] >> i & 1 << shift
			}
		}
	}
}
