package serial

import (
	"math"
	"math/bits"
)

// fixedPoint is the place of the least bit of a fixed: 2^−32. The least product
// of a subnormal half, 2^−24, and a term at BSig −4, with three guard bits
// below it, is 2^−31.
const fixedPoint = 32

// A fixed is a 128-bit two's complement number in units of 2^−fixedPoint. Sums of
// products of halves and terms are exact in it: a step of four lanes is below 2^62
// units, so that 2^65 steps fit.
type fixed struct {
	hi int64
	lo uint64
}

func (f fixed) add(g fixed) fixed {
	lo, carry := bits.Add64(f.lo, g.lo, 0)
	return fixed{f.hi + g.hi + int64(carry), lo}
}

func (f fixed) addInt(v int64) fixed { return f.add(fixed{v >> 63, uint64(v)}) }

func (f fixed) double() fixed {
	return fixed{f.hi<<1 | int64(f.lo>>63), f.lo << 1}
}

// shifted returns v·2^n, for 0 ≤ n < 128.
func shifted(v int64, n int) fixed {
	f := fixed{v >> 63, uint64(v)}
	if n >= 64 {
		return fixed{int64(f.lo << (n - 64)), 0}
	}
	return fixed{f.hi<<n | int64(f.lo>>1>>(63-n)), f.lo << n}
}

// float returns the nearest float64, ties to even.
func (f fixed) float() float64 {
	neg := f.hi < 0
	hi, lo := uint64(f.hi), f.lo
	if neg {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	exp := -fixedPoint
	if hi != 0 {
		// Keep 64 bits. The last one records whether lower bits were lost; it is below
		// the place where the conversion to float64 rounds.
		n := bits.Len64(hi)
		lost := lo << (64 - n)
		lo = hi<<(64-n) | lo>>n
		if lost != 0 {
			lo |= 1
		}
		exp += n
	}
	v := math.Ldexp(float64(lo), exp)
	if neg {
		return -v
	}
	return v
}
