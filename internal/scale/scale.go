// Package scale rounds numbers to the scales that a [datatype.ScaleFormat] has.
package scale

import (
	"math"

	"github.com/bitmod-go/bitmod/datatype"
)

// Nearest returns the byte whose value is nearest to x, a tie going to the even byte.
// It saturates at the ends of the range: 0…255 for RowStep, 2^−127…2^127 for E8M0,
// 0…448 for E4M3. A tie of E8M0 is midway between two powers; where OCP MX asks for the
// lower power, use [Floor]. NaN gives 0.
func Nearest(f datatype.ScaleFormat, x float64) uint8 {
	if f == datatype.E4M3 && x > 0 && x < 448 {
		// As Floor, but rounded; 16 carries over to the exponent.
		e := max(exponent(x), -6)
		return uint8((e+6)<<3 + int(math.RoundToEven(x*power(3-e))))
	}
	lo := Floor(f, x)
	if lo == 255 {
		return lo
	}
	mid := (float64(f.Value(lo)) + float64(f.Value(lo+1))) / 2 // NaN above the last
	if x > mid || x == mid && lo&1 == 1 {
		lo++
	}
	return lo
}

// Floor returns the byte of the largest value that is not above x, and 0 if there is
// none or x is NaN.
func Floor(f datatype.ScaleFormat, x float64) uint8 {
	switch f {
	case datatype.RowStep:
		if x >= 1 {
			return uint8(min(x, 255))
		}
	case datatype.E8M0:
		if x > 0 {
			return uint8(min(max(exponent(x)+127, 0), 254))
		}
	case datatype.E4M3:
		switch {
		case x >= 448:
			return 0x7e
		case x > 0:
			e := max(exponent(x), -6)
			m := int(x * power(3-e)) // 0…15, 8 and up when normal
			return uint8((e+6)<<3 + m)
		}
	}
	return 0
}

// exponent returns the largest e with 2^e ≤ x, for x above 0, and −1023 for a subnormal
// x.
func exponent(x float64) int { return int(math.Float64bits(x)>>52) - 1023 }

// power returns 2^e, for e of normal numbers.
func power(e int) float64 { return math.Float64frombits(uint64(e+1023) << 52) }
