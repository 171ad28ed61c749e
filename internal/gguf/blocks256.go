package gguf

import "encoding/binary"

// The types of this file have blocks of 256 elements in sub-blocks of 16 or 32,
// whose scales are small integers, times a scale of the block. As in the other
// types with blocks, the order of the float32 operations is ggml's: the scale of
// the sub-block first, then that times the code, then the minimum.

// A block of Q2_K is
//
//	scales and minima [16]byte  codes [64]byte  scale F16  minimum F16
//
// with a sub-block of 16 for each of the first bytes, its scale in the low half.
// Codes of 2 bits: byte 32·h + i has elements 128·h + i, and 32, 64 and 96 on.
func decodeQ2K(dst []float32, src []byte) {
	for len(dst) >= 256 {
		b := (*[84]byte)(src)
		d, dmin := half(b[80:]), half(b[82:])
		for sub, s := range b[:16] {
			dl, ml := d*float32(s&15), dmin*float32(s>>4)
			var t [4]float32
			for i := range t {
				t[i] = float32(dl*float32(i)) - ml
			}
			w, codes := (*[16]float32)(dst[16*sub:]), (*[16]byte)(b[16+sub/8*32+sub%2*16:])
			shift := uint(sub / 2 % 4 * 2)
			for i, c := range codes {
				w[i] = t[c>>(shift&7)&3]
			}
		}
		dst, src = dst[256:], src[84:]
	}
}

// A block of Q3_K is
//
//	third bits [32]byte  codes [64]byte  scales [12]byte  scale F16
//
// with sub-blocks of 16. Codes of 2 bits lie as in Q2_K; bit j of byte i of the
// third bits belongs to element 32·j + i. An element is scale · (code − 4), a
// scale is of 6 bits, less 32: the low 4 of scales 0 to 7 in the low halves of 8
// bytes, those of 8 to 15 in the high halves, and 2 each in the last 4 bytes.
func decodeQ3K(dst []float32, src []byte) {
	var t [4][8]float32
	for len(dst) >= 256 {
		b := (*[110]byte)(src)
		d := half(b[108:])
		for run := range 4 { // of 16 bytes: the sub-blocks 8·(run/2) + run%2, and 2, 4 and 6 on
			first := run/2*8 + run%2
			for k := range t {
				sub := first + 2*k
				s := b[96+sub%8]>>(sub/8*4)&15 | b[104+sub%4]>>(sub/4*2)&3<<4
				dl := d * float32(int(s)-32)
				for i := range t[k] {
					t[k][i] = dl * (ramp[i] - 4)
				}
			}
			w := (*[112]float32)(dst[16*first:])
			third, shift := (*[16]byte)(b[run%2*16:]), uint(run/2*4)
			for i, c := range (*[16]byte)(b[32+16*run:]) {
				u := third[i] >> (shift & 7)
				w[i] = t[0][c&3|u<<2&4]
				w[i+32] = t[1][c>>2&3|u<<1&4]
				w[i+64] = t[2][c>>4&3|u&4]
				w[i+96] = t[3][c>>6|u>>1&4]
			}
		}
		dst, src = dst[256:], src[110:]
	}
}

// subScale returns the scale and the minimum, of 6 bits each, of one of the 8
// sub-blocks of Q4_K and Q5_K. Bytes 0 to 3 have the scales of the first four
// sub-blocks, and bytes 4 to 7 the minima. For the other four, the low halves of bytes
// 8 to 11 have the low 4 bits of the scales, the high halves those of the minima, and
// the upper 2 bits of bytes 0 to 7 are their upper 2 bits.
func subScale(b *[12]byte, sub int) (scale, minimum uint8) {
	if sub < 4 {
		return b[sub] & 63, b[sub+4] & 63
	}
	return b[sub+4]&15 | b[sub-4]>>6<<4, b[sub+4]>>4 | b[sub]>>6<<4
}

// A block of Q4_K is
//
//	scale F16  minimum F16  scales and minima [12]byte  codes [128]byte
//
// with sub-blocks of 32. Byte 32·h + i has elements 64·h + i, and 32 on in its
// high half. An element is scale · code − minimum.
func decodeQ4K(dst []float32, src []byte) {
	var low, high [16]float32
	for len(dst) >= 256 {
		b := (*[144]byte)(src)
		d, dmin := half(b[:]), half(b[2:])
		for h := range 4 {
			scales := (*[12]byte)(b[4:])
			s, m := subScale(scales, 2*h)
			dl, ml := d*float32(s), dmin*float32(m)
			for i := range low {
				low[i] = float32(dl*ramp[i]) - ml
			}
			s, m = subScale(scales, 2*h+1)
			dl, ml = d*float32(s), dmin*float32(m)
			for i := range high {
				high[i] = float32(dl*ramp[i]) - ml
			}
			w := (*[64]float32)(dst[64*h:])
			for i, c := range (*[32]byte)(b[16+32*h:]) {
				w[i] = low[c&15]
				w[i+32] = high[c>>4]
			}
		}
		dst, src = dst[256:], src[144:]
	}
}

// A block of Q5_K is
//
//	scale F16  minimum F16  scales and minima [12]byte  fifth bits [32]byte  codes [128]byte
//
// as in Q4_K; bit j of byte i of the fifth bits belongs to element 32·j + i.
func decodeQ5K(dst []float32, src []byte) {
	for len(dst) >= 256 {
		b := (*[176]byte)(src)
		d, dmin := half(b[:]), half(b[2:])
		scales, fifth := (*[12]byte)(b[4:]), (*[32]byte)(b[16:])
		for h := range 4 {
			s, m := subScale(scales, 2*h)
			low, lowMin := d*float32(s), dmin*float32(m)
			s, m = subScale(scales, 2*h+1)
			high, highMin := d*float32(s), dmin*float32(m)
			w, shift := (*[64]float32)(dst[64*h:]), uint(2*h)
			for i, c := range (*[32]byte)(b[48+32*h:]) {
				u := fifth[i] >> (shift & 7)
				w[i] = float32(low*ramp[c&15|u<<4&16]) - lowMin
				w[i+32] = float32(high*ramp[c>>4|u<<3&16]) - highMin
			}
		}
		dst, src = dst[256:], src[176:]
	}
}

// A block of Q6_K is
//
//	low bits [128]byte  high bits [64]byte  scales [16]int8  scale F16
//
// with sub-blocks of 16. Byte 64·h + i of the low bits has the low 4 bits of
// elements 128·h + i, and 64 on in its high half; byte 32·h + i of the high bits
// has 2 bits of elements 128·h + i, and 32, 64 and 96 on. An element is scale ·
// (code − 32).
func decodeQ6K(dst []float32, src []byte) {
	for len(dst) >= 256 {
		b := (*[210]byte)(src)
		d := half(b[208:])
		for run := range 4 { // of 16 bytes: the sub-blocks 8·(run/2) + run%2, and 2, 4 and 6 on
			first := run/2*8 + run%2
			var dl [4]float32
			for k := range dl {
				dl[k] = d * float32(int8(b[192+first+2*k]))
			}
			w := (*[112]float32)(dst[16*first:])
			low := (*[48]byte)(b[run/2*64+run%2*16:])
			for i, u := range (*[16]byte)(b[128+16*run:]) {
				w[i] = dl[0] * float32(int32(low[i]&15|u<<4&48)-32)
				w[i+32] = dl[1] * float32(int32(low[i+32]&15|u<<2&48)-32)
				w[i+64] = dl[2] * float32(int32(low[i]>>4|u&48)-32)
				w[i+96] = dl[3] * float32(int32(low[i+32]>>4|u>>2&48)-32)
			}
		}
		dst, src = dst[256:], src[210:]
	}
}

// A block of IQ4_XS is
//
//	scale F16  upper bits of scales uint16  lower bits of scales [4]byte  codes [128]byte
//
// with sub-blocks of 32, whose scales have 6 bits, less 32, and whose codes are
// those of IQ4_NL.
func decodeIQ4XS(dst []float32, src []byte) {
	var t [16]float32
	for len(dst) >= 256 {
		b := (*[136]byte)(src)
		d := half(b[:])
		upper := binary.LittleEndian.Uint16(b[2:])
		for sub := range 8 {
			s := b[4+sub/2]>>(sub%2*4)&15 | uint8(upper>>(2*sub)&3<<4)
			dl := d * float32(int(s)-32)
			for i, x := range levels {
				t[i] = dl * x
			}
			lookUp((*[32]float32)(dst[32*sub:]), (*[16]byte)(b[8+16*sub:]), &t)
		}
		dst, src = dst[256:], src[136:]
	}
}
