package pack

import "encoding/binary"

// These functions unpack all strips of a chunk at once, eight positions at a time, for
// the widths with the most fields. They return the number of positions that are done.

const (
	bit1 = 0x0101010101010101
	bit2 = 3 * bit1
	bit3 = 7 * bit1
	bit4 = 15 * bit1
)

func load(src []byte, at int) uint64    { return binary.LittleEndian.Uint64(src[at:]) }
func store(c []uint8, at int, v uint64) { binary.LittleEndian.PutUint64(c[at:], v) }

func unpack3(c []uint8, src []byte, h int) int {
	at := 0
	for ; at+8 <= h; at += 8 {
		b0, b1, b2 := load(src, at), load(src, h+at), load(src, 2*h+at)
		store(c, at, b0&bit3)
		store(c, h+at, b0>>3&bit3)
		store(c, 2*h+at, b1&bit3)
		store(c, 3*h+at, b1>>3&bit3)
		store(c, 4*h+at, b2&bit3)
		store(c, 5*h+at, b2>>3&bit3)
		store(c, 6*h+at, b0>>6&bit2|b2>>6&bit1<<2)
		store(c, 7*h+at, b1>>6&bit2|b2>>7&bit1<<2)
	}
	return at
}

func unpack5(c []uint8, src []byte, h int) int {
	at := 0
	for ; at+8 <= h; at += 8 {
		high := load(src, 4*h+at)
		for s := 0; s < 8; s += 2 {
			b := load(src, s/2*h+at)
			store(c, s*h+at, b&bit4|high&bit1<<4)
			store(c, (s+1)*h+at, b>>4&bit4|high>>1&bit1<<4)
			high >>= 2
		}
	}
	return at
}

func unpack6(c []uint8, src []byte, h int) int {
	at := 0
	for ; at+8 <= h; at += 8 {
		b0, b1, high := load(src, at), load(src, h+at), load(src, 2*h+at)
		store(c, at, b0&bit4|high&bit2<<4)
		store(c, h+at, b0>>4&bit4|high>>2&bit2<<4)
		store(c, 2*h+at, b1&bit4|high>>4&bit2<<4)
		store(c, 3*h+at, b1>>4&bit4|high>>6&bit2<<4)
	}
	return at
}

func unpack7(c []uint8, src []byte, h int) int {
	at := 0
	for ; at+8 <= h; at += 8 {
		high := load(src, 6*h+at)
		for s := 0; s < 8; s += 4 {
			b0, b1, mid := load(src, s/2*h+at), load(src, (s/2+1)*h+at), load(src, (4+s/4)*h+at)
			store(c, s*h+at, b0&bit4|mid&bit2<<4|high&bit1<<6)
			store(c, (s+1)*h+at, b0>>4&bit4|mid>>2&bit2<<4|high>>1&bit1<<6)
			store(c, (s+2)*h+at, b1&bit4|mid>>4&bit2<<4|high>>2&bit1<<6)
			store(c, (s+3)*h+at, b1>>4&bit4|mid>>6&bit2<<4|high>>3&bit1<<6)
			high >>= 4
		}
	}
	return at
}
