// Package rawfloat decodes the little-endian floats of checkpoint files.
package rawfloat

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A Format is how one number is stored.
type Format uint8

// The formats. BF16 is the upper half of a float32.
const (
	F32 Format = iota
	F64
	F16
	BF16
)

// Size returns the bytes that one number takes.
func (f Format) Size() int {
	switch f {
	case F64:
		return 8
	case F32:
		return 4
	}
	return 2
}

// Decode fills dst with the first len(dst) numbers of src, which must hold that
// many: it panics if it does not. Conversion is exact but for F64 to float32,
// which rounds to nearest even, and to infinity beyond the range.
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
		// Eight at a time: this is what most checkpoints are made of.
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

// AppendF32 appends the F32 bytes of vs to b.
func AppendF32(b []byte, vs []float32) []byte {
	for _, v := range vs {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}
