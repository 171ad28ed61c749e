package serial

import (
	"math"
	"math/big"

	"github.com/x448/float16"
)

// The processing element is compared with these models: its definition in rational
// numbers, and the published Verilog.

// bigHalf is the definition of binary16.
func bigHalf(h float16.Float16) *big.Rat {
	e, m := int(h>>10&31), int64(h&1023)
	if e == 0 {
		e = 1
	} else {
		m += 1024
	}
	v := big.NewRat(m, 1)
	v.Mul(v, pow2(e-25))
	if h>>15 != 0 {
		v.Neg(v)
	}
	return v
}

func pow2(n int) *big.Rat {
	v := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(max(n, -n))))
	if n < 0 {
		v.Inv(v)
	}
	return v
}

func ratFloat(v *big.Rat) float64 {
	f, _ := v.Float64() // nearest, ties to even
	return f
}

// reference is the definition of Paper and Truncate in rational numbers. It says what is
// rounded at which place, and has no integer widths.
type reference struct {
	mode Mode
	low  int
	acc  *big.Rat
	exp  int // Truncate: exponent of the accumulator
}

func (p *reference) step(w *[Lanes]Term, x *[Lanes]float16.Float16) {
	top := 0
	var exp [Lanes]int
	for i, h := range x {
		exp[i] = max(int(h>>10&31), 1) + int(w[i].Exp)
		top = max(top, exp[i])
	}
	// The lanes share the place 2^(top−28), eleven bits and three guard bits
	// below a half with the largest exponent.
	sum, place := new(big.Rat), pow2(top-28)
	for i, h := range x {
		v := bigHalf(h)
		v.Mul(v, new(big.Rat).SetFloat64(w[i].Value()/math.Ldexp(1, int(w[i].BSig))))
		sum.Add(sum, multiple(v, place, p.mode))
	}
	sum.Mul(sum, pow2(int(w[0].BSig)))
	if p.mode == Paper {
		// big.Float rounds to 14 bits, ties to even.
		p.acc.Add(p.acc, sum)
		f := new(big.Float).SetPrec(14).SetRat(p.acc)
		f.Rat(p.acc)
		return
	}
	oldExp := p.exp
	p.exp = max(oldExp, top)
	place = pow2(p.exp - 28 + p.low)
	if p.exp-oldExp >= 14 {
		p.acc.SetInt64(0)
	}
	if p.exp-top >= 25 {
		sum.SetInt64(0)
	}
	p.acc = floor(p.acc, place)
	p.acc.Add(p.acc, floor(sum, place))
	limit := new(big.Rat).Mul(place, pow2(14))
	for new(big.Rat).Abs(p.acc).Cmp(limit) >= 0 {
		limit.Mul(limit, pow2(1))
		place.Mul(place, pow2(1))
		p.exp++
	}
	p.acc = floor(p.acc, place)
}

func floor(v, place *big.Rat) *big.Rat {
	q := new(big.Rat).Quo(v, place)
	n := new(big.Int).Div(q.Num(), q.Denom()) // Euclidean, denominators are positive
	return q.Mul(q.SetInt(n), place)
}

// multiple rounds v to a multiple of place: to nearest even, or towards 0.
func multiple(v, place *big.Rat, mode Mode) *big.Rat {
	if mode == Truncate {
		r := floor(new(big.Rat).Abs(v), place)
		if v.Sign() < 0 {
			r.Neg(r)
		}
		return r
	}
	lo := floor(v, place)
	rest := new(big.Rat).Sub(v, lo)
	rest.Quo(rest, place)
	switch n := new(big.Rat).Quo(lo, place).Num(); rest.Cmp(big.NewRat(1, 2)) {
	case 1:
		lo.Add(lo, place)
	case 0:
		if n.Bit(0) == 1 {
			lo.Add(lo, place)
		}
	}
	return lo
}

// verilog is the published group of exponent match, multiplier and group
// accumulator with its bit widths and its defects.
type verilog struct {
	man int64 // 15 bits, signed
	exp int   // 6 bits
}

func (p *verilog) step(w *[Lanes]Term, x *[Lanes]float16.Float16, bsig uint) {
	var exp [Lanes]uint
	var top uint
	for i, h := range x {
		exp[i] = (uint(h>>10&31) + uint(w[i].Exp)) & 63
		top = max(top, exp[i])
	}
	var sum int64
	for i, h := range x {
		man := uint64(1<<10|h&1023) * uint64(w[i].Man) // hidden bit always
		aligned := int64(0)
		if d := top - exp[i]; d <= 14 {
			aligned = int64(man << 14 >> d >> 11)
		}
		if w[i].Neg != (h>>15 != 0) {
			aligned = -aligned
		}
		sum += aligned
	}
	sum = sum << bsig << (64 - 23) >> (64 - 23)
	most := max(p.exp, int(top))
	old := int64(0)
	if d := most - p.exp; d <= 13 {
		old = p.man >> d
	}
	v := sum + old // the defect: the sum is not shifted
	k := 0
	for a := max(v, -v); a>>(14+k) != 0; k++ {
	}
	p.man = v >> k << (64 - 15) >> (64 - 15)
	p.exp = (k + most) & 63
}
