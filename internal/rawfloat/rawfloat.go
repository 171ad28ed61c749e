// Package rawfloat decodes and encodes the little-endian floats of checkpoint files.
package rawfloat

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A Format is how one number is stored.
type Format uint8

// The formats. BF16 is the upper half of a float32; the others are those of the
// OCP specifications of 8-bit floating point and of microscaling formats: E4M3
// has no infinities and two NaNs, E8M0 is a power of two without a sign, and a
// NaN.
const (
	F32 Format = iota
	F64
	F16
	BF16
	E4M3
	E5M2
	E8M0
)

// Size returns the bytes that one number takes.
func (f Format) Size() int {
	switch f {
	case F64:
		return 8
	case F32:
		return 4
	case E4M3, E5M2, E8M0:
		return 1
	}
	return 2
}

// Decode fills dst with the first len(dst) numbers of src. It panics if src holds
// fewer. Conversion is exact, except that F64 to float32 rounds to nearest even, and to
// infinity beyond the range.
func Decode[T float32 | float64](dst []T, src []byte, f Format) {
	le := binary.LittleEndian
	src = src[:len(dst)*f.Size()]
	switch f {
	case F32:
		for i := range dst {
			dst[i] = T(math.Float32frombits(le.Uint32(src[4*i:])))
		}
	case F64:
		for i := range dst {
			dst[i] = T(math.Float64frombits(le.Uint64(src[8*i:])))
		}
	case F16:
		for i := range dst {
			dst[i] = T(half(le.Uint16(src[2*i:])))
		}
	case BF16:
		// Most checkpoints are BF16, so this loop converts eight at a time.
		for len(dst) >= 8 && len(src) >= 16 {
			d, x, y := (*[8]T)(dst), le.Uint64(src), le.Uint64(src[8:])
			d[0] = T(math.Float32frombits(uint32(x) << 16))
			d[1] = T(math.Float32frombits(uint32(x) &^ 0xffff))
			d[2] = T(math.Float32frombits(uint32(x>>32) << 16))
			d[3] = T(math.Float32frombits(uint32(x>>32) &^ 0xffff))
			d[4] = T(math.Float32frombits(uint32(y) << 16))
			d[5] = T(math.Float32frombits(uint32(y) &^ 0xffff))
			d[6] = T(math.Float32frombits(uint32(y>>32) << 16))
			d[7] = T(math.Float32frombits(uint32(y>>32) &^ 0xffff))
			dst, src = dst[8:], src[16:]
		}
		for i := range dst {
			dst[i] = T(math.Float32frombits(uint32(le.Uint16(src[2*i:])) << 16))
		}
	case E4M3:
		for i := range dst {
			dst[i] = T(e4m3(src[i]))
		}
	case E5M2: // the upper half of a 16-bit float
		for i := range dst {
			dst[i] = T(half(uint16(src[i]) << 8))
		}
	case E8M0:
		for i := range dst {
			dst[i] = T(ExponentE8M0(src[i]))
		}
	default:
		panic(fmt.Sprintf("rawfloat: unknown format %d", f))
	}
}

// half converts a 16-bit float. No float32 on the way is subnormal, which
// processors multiply slowly.
func half(h uint16) float32 {
	u := uint32(h&0x7fff) << 13
	switch {
	case u >= 0x7c00<<13: // infinite or NaN
		u |= 0xff << 23
	case u >= 0x0400<<13:
		u += (127 - 15) << 23
	default:
		u = math.Float32bits(float32(int32(u>>13)) * 0x1p-24)
	}
	return math.Float32frombits(u | uint32(h&0x8000)<<16)
}

// e4m3 converts a byte of E4M3. Its exponent and mantissa, moved to where a
// float32 has them, are 2^120 times too small, subnormal or not.
func e4m3(b byte) float32 {
	f := math.Float32bits(math.Float32frombits(uint32(b&0x7f)<<20) * 0x1p120)
	if b&0x7f == 0x7f {
		f = 0x7fc00000
	}
	return math.Float32frombits(f | uint32(b&0x80)<<24)
}

// ExponentE8M0 returns 2^(b−127), NaN for 255.
func ExponentE8M0(b byte) float32 {
	switch b {
	case 0: // subnormal
		return 0x1p-127
	case 0xff:
		return math.Float32frombits(0x7fc00000)
	}
	return math.Float32frombits(uint32(b) << 23)
}
