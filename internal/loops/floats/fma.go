package floats

import "math"

// fma is FMA where Go has a fused multiply-add of float64 only.
func fma(a, b, c float32) float32 {
	p := float64(a) * float64(b) // exact
	s := p + float64(c)
	if Inexact(s, p, float64(c)) {
		s = roundToOdd(s, p, float64(c))
	}
	return float32(s)
}

// Inexact reports whether s, which is p + c rounded, differs from p + c. Subtracting
// the larger of the two from s is exact.
func Inexact(s, p, c float64) bool { return s-p != c || s-c != p }

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
