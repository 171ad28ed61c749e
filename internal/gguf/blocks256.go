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
		w, b := (*[256]float32)(dst), (*[84]byte)(src)
		d, dmin := half(b[80:]), half(b[82:])
		for sub, s := range b[:16] {
			dl, ml := d*float32(s&15), dmin*float32(s>>4)
			var t [4]float32
			for i := range t {
				t[i] = float32(dl*float32(i)) - ml
			}
			codes := (*[16]byte)(b[16+sub/8*32+sub%2*16:])
			shift := sub / 2 % 4 * 2
			for i, c := range codes {
				w[16*sub+i] = t[c>>shift&3]
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
	for len(dst) >= 256 {
		w, b := (*[256]float32)(dst), (*[110]byte)(src)
		d := half(b[108:])
		scales := b[96:108]
		for sub := range 16 {
			s := scales[sub%8]>>(sub/8*4)&15 | scales[8+sub%4]>>(sub/4*2)&3<<4
			dl := d * float32(int(s)-32)
			var t [8]float32
			for i := range t {
				t[i] = dl * float32(i-4)
			}
			third := (*[16]byte)(b[sub%2*16:])
			codes := (*[16]byte)(b[32+sub/8*32+sub%2*16:])
			bit, shift := sub/2, sub/2%4*2
			for i, c := range codes {
				w[16*sub+i] = t[c>>shift&3|third[i]>>bit&1<<2]
			}
		}
		dst, src = dst[256:], src[110:]
	}
}

// subScale returns the scale and the minimum, of 6 bits each, of one of the 8
// sub-blocks of Q4_K and Q5_K. Those of the first four are in bytes 0 to 3 and 4
// to 7. Of the others, bytes 8 to 11 have the low 4 bits, the scales' in the low
// half, and the upper 2 bits of bytes 0 to 7 the upper 2.
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
	for len(dst) >= 256 {
		w, b := (*[256]float32)(dst), (*[144]byte)(src)
		d, dmin := half(b[:]), half(b[2:])
		for sub := range 8 {
			s, m := subScale((*[12]byte)(b[4:]), sub)
			dl, ml := d*float32(s), dmin*float32(m)
			var t [16]float32
			for i := range t {
				t[i] = float32(dl*float32(i)) - ml
			}
			codes := (*[32]byte)(b[16+sub/2*32:])
			shift := sub % 2 * 4
			for i, c := range codes {
				w[32*sub+i] = t[c>>shift&15]
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
		w, b := (*[256]float32)(dst), (*[176]byte)(src)
		d, dmin := half(b[:]), half(b[2:])
		fifth := (*[32]byte)(b[16:])
		for sub := range 8 {
			s, m := subScale((*[12]byte)(b[4:]), sub)
			dl, ml := d*float32(s), dmin*float32(m)
			codes := (*[32]byte)(b[48+sub/2*32:])
			shift := sub % 2 * 4
			for i, c := range codes {
				q := c>>shift&15 | fifth[i]>>sub&1<<4
				w[32*sub+i] = float32(dl*float32(q)) - ml
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
		w, b := (*[256]float32)(dst), (*[210]byte)(src)
		d := half(b[208:])
		for sub := range 16 {
			dl := d * float32(int8(b[192+sub]))
			low := (*[16]byte)(b[sub/8*64+sub%4*16:])
			high := (*[16]byte)(b[128+sub/8*32+sub%2*16:])
			lowShift, highShift := sub/4%2*4, sub/2%4*2
			for i, c := range low {
				q := c>>lowShift&15 | high[i]>>highShift&3<<4
				w[16*sub+i] = dl * float32(int(q)-32)
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
