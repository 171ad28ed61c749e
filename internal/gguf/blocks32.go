package gguf

import (
	"encoding/binary"
	"math"

	"github.com/bitmod-go/bitmod/internal/rawfloat"
)

// The types of this file have blocks of 32 elements. Codes of 4 bits lie two in a
// byte: the low halves of the 16 bytes are elements 0 to 15, the high halves 16
// to 31.
//
// Each function converts the blocks that fill dst. Its arithmetic is float32, in
// the order of ggml and of the Python package gguf: scale · code, and then the
// minimum. Products are rounded by a conversion, so that no compiler fuses them
// with the sum.

// ramp are the integers, which are faster to load than to convert.
var ramp = [32]float32{
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
	16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
}

// half returns the 16-bit float at the start of b.
func half(b []byte) float32 {
	var x [1]float32
	rawfloat.Decode(x[:], b, rawfloat.F16)
	return x[0]
}

// A block of Q4_0 is
//
//	scale F16  codes [16]byte
//
// and an element is scale · (code − 8).
func decodeQ40(dst []float32, src []byte) {
	var t [16]float32
	for len(dst) >= 32 {
		b := (*[18]byte)(src)
		d := half(b[:])
		for i := range t {
			t[i] = d * (ramp[i] - 8)
		}
		lookUp((*[32]float32)(dst), (*[16]byte)(b[2:]), &t)
		dst, src = dst[32:], src[18:]
	}
}

// A block of Q4_1 is
//
//	scale F16  minimum F16  codes [16]byte
//
// and an element is scale · code + minimum.
func decodeQ41(dst []float32, src []byte) {
	var t [16]float32
	for len(dst) >= 32 {
		b := (*[20]byte)(src)
		d, m := half(b[:]), half(b[2:])
		for i := range t {
			t[i] = float32(d*ramp[i]) + m
		}
		lookUp((*[32]float32)(dst), (*[16]byte)(b[4:]), &t)
		dst, src = dst[32:], src[20:]
	}
}

// levels are the values of the codes of IQ4_NL and IQ4_XS.
var levels = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// A block of IQ4_NL is
//
//	scale F16  codes [16]byte
//
// and an element is scale · levels[code].
func decodeIQ4NL(dst []float32, src []byte) {
	var t [16]float32
	for len(dst) >= 32 {
		b := (*[18]byte)(src)
		d := half(b[:])
		for i, x := range levels {
			t[i] = d * x
		}
		lookUp((*[32]float32)(dst), (*[16]byte)(b[2:]), &t)
		dst, src = dst[32:], src[18:]
	}
}

// doubledE2M1 are twice the values of FP4. The code of negative zero is zero.
var doubledE2M1 = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// A block of MXFP4 is
//
//	exponent uint8  codes [16]byte
//
// and an element is 2^(exponent − 128) · doubledE2M1[code]. Unlike the standard, ggml
// does not take the exponent 255 for NaN.
func decodeMXFP4(dst []float32, src []byte) {
	var t [16]float32
	for len(dst) >= 32 {
		b := (*[17]byte)(src)
		d := math.Float32frombits(uint32(b[0]-1) << 23)
		if b[0] < 2 { // subnormal
			d = math.Float32frombits(1 << 21 << b[0])
		}
		for i, x := range doubledE2M1 {
			t[i] = d * x
		}
		lookUp((*[32]float32)(dst), (*[16]byte)(b[1:]), &t)
		dst, src = dst[32:], src[17:]
	}
}

// lookUp decodes a block of codes of 4 bits by a table of their values.
func lookUp(dst *[32]float32, codes *[16]byte, t *[16]float32) {
	for i, c := range codes {
		dst[i] = t[c&15]
		dst[i+16] = t[c>>4]
	}
}

// A block of Q5_0 is
//
//	scale F16  fifth bits uint32  codes [16]byte
//
// and an element is scale · (code − 16).
func decodeQ50(dst []float32, src []byte) {
	for len(dst) >= 32 {
		w, b := (*[32]float32)(dst), (*[22]byte)(src)
		d := half(b[:])
		high := binary.LittleEndian.Uint32(b[2:])
		for i, c := range b[6:] {
			x := uint32(c)&15 | high>>(i&31)<<4&16
			y := uint32(c)>>4 | high>>((i+16)&31)<<4&16
			w[i] = d * (ramp[x] - 16)
			w[i+16] = d * (ramp[y] - 16)
		}
		dst, src = dst[32:], src[22:]
	}
}

// A block of Q5_1 is
//
//	scale F16  minimum F16  fifth bits uint32  codes [16]byte
//
// and an element is scale · code + minimum.
func decodeQ51(dst []float32, src []byte) {
	for len(dst) >= 32 {
		w, b := (*[32]float32)(dst), (*[24]byte)(src)
		d, m := half(b[:]), half(b[2:])
		high := binary.LittleEndian.Uint32(b[4:])
		for i, c := range b[8:] {
			x := uint32(c)&15 | high>>(i&31)<<4&16
			y := uint32(c)>>4 | high>>((i+16)&31)<<4&16
			w[i] = float32(d*ramp[x]) + m
			w[i+16] = float32(d*ramp[y]) + m
		}
		dst, src = dst[32:], src[24:]
	}
}

// A block of Q8_0 is
//
//	scale F16  codes [32]int8
//
// and an element is scale · code.
func decodeQ80(dst []float32, src []byte) {
	for len(dst) >= 32 {
		w, b := (*[32]float32)(dst), (*[34]byte)(src)
		d := half(b[:])
		for i, c := range b[2:] {
			w[i] = d * float32(int8(c))
		}
		dst, src = dst[32:], src[34:]
	}
}
