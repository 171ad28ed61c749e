package datatype

import "math"

// A ScaleFormat is the meaning of a group's 8-bit scale. A weight is value ·
// [ScaleFormat.Value](byte) · outer, where outer is a float32 scale shared by the row
// or the tensor.
type ScaleFormat uint8

const (
	// RowStep is the format of BitMoD: an unsigned integer 0…255 that multiplies the
	// step of the row, a float32.
	RowStep ScaleFormat = iota
	// E8M0 is the format of OCP MX: the power of two 2^(byte−127), with no outer scale.
	E8M0
	// E4M3 is the format of NVFP4: a non-negative 8-bit float of at most 448, times one
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

// Value returns the number that b stands for. It is NaN for byte 255 of E8M0 and for
// the bytes above 0x7e of E4M3, which are negative or NaN.
func (f ScaleFormat) Value(b uint8) float32 {
	switch {
	case f == RowStep:
		return float32(b)
	case f == E8M0 && b == 0:
		return 0x1p-127 // subnormal
	case f == E8M0 && b < 255:
		return math.Float32frombits(uint32(b) << 23)
	case f == E4M3 && b < 8:
		return float32(b) * 0x1p-9
	case f == E4M3 && b <= 0x7e:
		return math.Float32frombits(uint32(b)<<20 + 120<<23)
	}
	return float32(math.NaN())
}
