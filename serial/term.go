package serial

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/bitmod-go/bitmod/datatype"
)

// A Term is the part of a weight that one lane of a processing element takes in one
// cycle: the number (−1)^Neg · Man · 2^Exp · 2^BSig. It is the unified bit-serial
// representation of BitMoD (arXiv 2411.11745, section IV-A), in true units: the terms
// of a weight sum to its value.
type Term struct {
	Neg  bool
	Man  uint8 // 0 or 1
	Exp  uint8 // 0…3, each lane's own
	BSig int8  // shared by the lanes of a step; −1 is the half of FP3 and FP4
}

// Value returns the number that t stands for, which is exact.
func (t Term) Value() float64 {
	v := math.Ldexp(float64(t.Man), int(t.Exp)+int(t.BSig))
	if t.Neg {
		return -v
	}
	return v
}

// String returns the value in the form "+2^2" (or "0").
func (t Term) String() string {
	switch {
	case t.Man == 0:
		return "0"
	case t.Neg:
		return fmt.Sprintf("-2^%d", int(t.Exp)+int(t.BSig))
	}
	return fmt.Sprintf("+2^%d", int(t.Exp)+int(t.BSig))
}

// Terms returns the terms whose sum is exactly cb.Value(code), in the order in which a
// processing element takes them. As lanes run in lockstep, every code of a codebook has
// the same number of terms, zero terms included, with the same BSig in each step:
//
//	symmetric integers    radix-4 Booth digits: INT8 and INT7 4, INT6 and INT5 3,
//	                      INT4 and INT3 2, INT2 1; BSig 0, 2, 4, 6
//	asymmetric integers   as one bit wider, because the zero-point is subtracted:
//	                      int8_asym 5, int4_asym 3
//	FP3, FP4, FLINT4      2: the leading one, then the remainder. BSig is 0 then
//	                      −1 (1 then 0 for FLINT4, which goes to 16). A value
//	                      of one half has its only term in the second step, as
//	                      a 2-bit Exp on BSig 0 does not reach it.
//	FP5, FP6              Booth digits of value/Unit: fp5_e2m2 3, fp6_e2m3 4,
//	                      fp5_e3m1 and fp6_e3m2 5
//
// The types that are FP3 or FP4 with special values (bitmod3, bitmod4, their one-sided
// forms, mxfp4, nvfp4, RaZeR, e2m1_sr, e2m1_sp) are FP3 and FP4 here. The error wraps
// [ErrNotBitSerial] for nf3, nf4, sf3, sf4 (and for apot4 and apot4_sp, whose values
// are multiples of 0.1: [NewTable] takes these), or [ErrConfig]. [Table.Terms] returns
// the same without allocating.
func Terms(cb datatype.Codebook, code uint8) ([]Term, error) {
	p, err := newPlan(cb)
	if err != nil {
		return nil, err
	}
	if p.scale != 1 {
		return nil, typeError(cb.Type(), "its values are multiples of 0.1, not sums of powers of two")
	}
	if int(code) >= cb.Len() {
		return nil, codeError(0, code, cb.Name())
	}
	return p.append(nil, cb.Value(code)), nil
}

// A plan describes the terms of one codebook. Each code stands for the integer
// n = value/(scale·2^low), which is a sum of as many terms as steps says.
type plan struct {
	booth bool
	steps int
	low   int8    // BSig of the least step
	scale float32 // 1, or a unit that is not a power of two
}

// newPlan chooses the plan. It reads the codebook but allocates nothing.
func newPlan(cb datatype.Codebook) (plan, error) {
	t := cb.Type()
	unit := t.Unit()
	if cb.Len() == 0 {
		return plan{}, configError("codebook", "empty", "one with values")
	}
	if unit == 0 {
		return plan{}, typeError(t, "its values are not multiples of a unit")
	}
	p := plan{steps: 2, scale: 1}
	frac, exp := math.Frexp(float64(unit))
	if frac == .5 {
		p.low = int8(exp - 1)
	} else {
		p.scale = unit
	}
	switch {
	case t.Asymmetric():
		p.booth = true
		p.steps = (t.Bits() + 2) / 2 // one bit more, two bits a digit
	case cb.Value(0) < 0: // integers ascend, sign-magnitude codes start at 0
		p.booth = true
		n := bits.Len(uint(p.integer(-cb.Value(0)))) + 1
		p.steps = (n + 1) / 2
	case t.Bits() > 4: // FP5, FP6
		p.booth = true
		n := bits.Len(uint(p.integer(cb.MaxAbs()))) + 1
		p.steps = (n + 1) / 2
	case p.scale == 1 && p.low == 0 && cb.MaxAbs() <= 8:
		p.low = -1 // FP3 shares FP4's fixed point, with one fraction bit
	}
	return p, nil
}

// integer returns value in steps of 2^low.
func (p plan) integer(v float32) int {
	return int(math.Round(math.Ldexp(float64(v)/float64(p.scale), -int(p.low))))
}

func (p plan) append(dst []Term, v float32) []Term {
	n := p.integer(v)
	if p.booth {
		return appendBooth(dst, n, p.steps, p.low)
	}
	return appendFixed(dst, n, p.low)
}

// appendFixed appends the two terms of a number of at most two one bits, ±n·2^low
// with n ≤ 16.
func appendFixed(dst []Term, n int, low int8) []Term {
	neg := n < 0
	if neg {
		n = -n
	}
	var terms [2]Term
	terms[0].BSig, terms[1].BSig = low+1, low
	// The first window is bits 4…1, the second bits 3…0. The leading one is removed
	// before the second is looked for, because two independent detections would find
	// the single bit of 2, 4 or 8 twice.
	if lead := bits.Len(uint(n)) - 1; lead > 0 {
		terms[0] = Term{neg, 1, uint8(lead - 1), low + 1}
		n -= 1 << lead
	}
	if n != 0 {
		terms[1] = Term{neg, 1, uint8(bits.Len(uint(n)) - 1), low}
	}
	return append(dst, terms[:]...)
}
