package datatype

import "math"

// A ScaleFormat says what the 8-bit scale of a group means. A weight is
// value · [ScaleFormat.Value](byte) · outer, where outer is the float32 scale
// that the format goes with.
type ScaleFormat uint8

const (
	// RowStep is BitMoD's: an unsigned integer 0…255 that multiplies the step
	// of the row, one float32 a row.
	RowStep ScaleFormat = iota
	// E8M0 is OCP MX's: the power of two 2^(byte−127), with no outer scale.
	E8M0
	// E4M3 is NVFP4's: a non-negative 8-bit float, largest 448, times one
	// float32 for the whole tensor.
	E4M3
)

// String returns "row-step", "e8m0" or "e4m3".
func (f ScaleFormat) String() string {
	switch f {
	case RowStep:
		return "row-step"
	case E8M0:
		return "e8m0"
	case E4M3:
		return "e4m3"
	}
	return "ScaleFormat(?)"
}

const maxE4M3 = 0x7e // 448; 0x7f is NaN

// Valid reports whether b stands for a scale: every byte for RowStep, all but
// 255 (NaN) for E8M0, and 0…0x7e (no sign, no NaN) for E4M3.
func (f ScaleFormat) Valid(b uint8) bool {
	switch f {
	case RowStep:
		return true
	case E8M0:
		return b != 255
	case E4M3:
		return b <= maxE4M3
	}
	return false
}

// Value returns the number that b stands for, NaN if it is not valid.
func (f ScaleFormat) Value(b uint8) float32 {
	switch {
	case !f.Valid(b):
		return float32(math.NaN())
	case f == E8M0:
		if b == 0 {
			return 0x1p-127 // subnormal
		}
		return math.Float32frombits(uint32(b) << 23)
	case f == E4M3:
		if b < 8 {
			return float32(b) * 0x1p-9
		}
		return math.Float32frombits(uint32(b)<<20 + 120<<23)
	}
	return float32(b)
}

// Nearest returns the byte whose value is nearest to x, a tie going to the even
// byte, and saturates at the ends of the range: 0…255 for RowStep, 2^−127…2^127
// for E8M0 (whose ties are midway between two powers, and which floors instead
// where OCP MX asks for it: see [ScaleFormat.Floor]), 0…448 for E4M3. NaN gives
// 0.
func (f ScaleFormat) Nearest(x float64) uint8 {
	if f == E4M3 && x > 0 && x < 448 {
		// As Floor, but rounded; 16 carries over to the exponent.
		e := max(exponent(x), -6)
		return uint8((e+6)<<3 + int(math.RoundToEven(x*power(3-e))))
	}
	lo := f.Floor(x)
	if !f.Valid(lo+1) || lo == 255 {
		return lo
	}
	mid := (float64(f.Value(lo)) + float64(f.Value(lo+1))) / 2
	if x > mid || x == mid && lo&1 == 1 {
		lo++
	}
	return lo
}

// Floor returns the byte of the largest value that is not above x, and 0 where
// there is none or x is NaN.
func (f ScaleFormat) Floor(x float64) uint8 {
	switch f {
	case RowStep:
		if x >= 1 {
			return uint8(min(x, 255))
		}
	case E8M0:
		if x > 0 {
			return uint8(min(max(exponent(x)+127, 0), 254))
		}
	case E4M3:
		switch {
		case x >= 448:
			return maxE4M3
		case x > 0:
			e := max(exponent(x), -6)
			m := int(x * power(3-e)) // 0…15, 8 and up when normal
			return uint8((e+6)<<3 + m)
		}
	}
	return 0
}

// exponent returns the largest e with 2^e ≤ x, for x above 0, and what is below −1022
// for a subnormal x.
func exponent(x float64) int { return int(math.Float64bits(x)>>52) - 1023 }

// power returns 2^e, for e of normal numbers.
func power(e int) float64 { return math.Float64frombits(uint64(e+1023) << 52) }
