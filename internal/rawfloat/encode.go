package rawfloat

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/x448/float16"
)

// Append appends vs to b, each rounded once to the format, one of F32, F64, F16 and
// BF16, to nearest and ties to even. NaNs stay NaNs. It returns the index of the first
// finite number that is too large for the format, or −1 if there is none.
func Append[T float32 | float64](b []byte, vs []T, f Format) ([]byte, int) {
	le := binary.LittleEndian
	bad := -1
	overflow := func(i int, v T, inf bool) {
		if inf && bad < 0 && !math.IsInf(float64(v), 0) {
			bad = i
		}
	}
	switch f {
	case F64:
		for _, v := range vs {
			b = le.AppendUint64(b, math.Float64bits(float64(v)))
		}
	case F32:
		for i, v := range vs {
			u := math.Float32bits(float32(v))
			overflow(i, v, u&^(1<<31) == 0x7f800000)
			b = le.AppendUint32(b, u)
		}
	case F16:
		for i, v := range vs {
			u := float16.Fromfloat32(narrow(v)).Bits()
			overflow(i, v, u&^(1<<15) == 0x7c00)
			b = le.AppendUint16(b, u)
		}
	case BF16:
		for i, v := range vs {
			u := upper(narrow(v))
			overflow(i, v, u&^(1<<15) == 0x7f80)
			b = le.AppendUint16(b, u)
		}
	default:
		panic(fmt.Sprintf("rawfloat: format %d is not written", f))
	}
	return b, bad
}

// upper rounds to the 16 bits of a BF16.
func upper(v float32) uint16 {
	u := math.Float32bits(v)
	if u&^(1<<31) > 0x7f800000 {
		return uint16(u>>16) | 0x40 // or a NaN whose lower bits alone are set would be an infinity
	}
	return uint16((u + 0x7fff + u>>16&1) >> 16)
}

// narrow converts v to a float32 that, rounded to fewer bits, gives what v itself would
// give. Rounding to nearest twice is not the same as rounding once, so narrow rounds to
// odd: a number between two float32s becomes the one whose last bit is 1, which is
// never midway between two numbers of fewer bits.
func narrow[T float32 | float64](v T) float32 {
	f := float32(v)
	if T(f) == v || v != v {
		return f
	}
	u := math.Float32bits(f)
	if math.Abs(float64(f)) > math.Abs(float64(v)) { // also if f is infinite
		u--
	}
	return math.Float32frombits(u | 1)
}
