package kernel

import "math"

// fma returns a·b + c, rounded once, as a fused multiply-add of float32 does: Go
// has one for float64 only. A NaN may be any NaN.
func fma(a, b, c float32) float32 {
	p := float64(a) * float64(b) // exact
	s := p + float64(c)
	// Rounding s, itself rounded, is right unless s is halfway between two
	// float32 numbers, of which subnormal ones are further apart.
	const half, mask = 1 << 28, 1<<29 - 1
	if math.Float64bits(s)&mask != half && (s >= 0x1p-126 || s <= -0x1p-126) {
		return float32(s)
	}
	return float32(roundToOdd(s, p, float64(c)))
}

// roundToOdd returns p + c, of which s is the nearest float64, rounded so that no
// later rounding to fewer bits goes wrong: toward zero, with the last bit set if
// anything was cut off.
func roundToOdd(s, p, c float64) float64 {
	t := s - p
	e := (p - (s - t)) + (c - t) // s + e = p + c
	bits := math.Float64bits(s)
	if e == 0 || e != e || bits&1 != 0 {
		return s
	}
	if (e > 0) == (s > 0) {
		return math.Float64frombits(bits + 1)
	}
	return math.Float64frombits(bits - 1)
}
