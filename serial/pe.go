package serial

import (
	"fmt"
	"math"

	"github.com/x448/float16"
)

// Lanes is the number of weights that a processing element works on at a time.
const Lanes = 4

// A Mode is the arithmetic of a processing element for FP16 activations. INT8
// activations give integers, which no mode rounds.
type Mode uint8

const (
	// Exact loses nothing: a wide fixed-point accumulator. It is the reference.
	Exact Mode = iota
	// Paper is the arithmetic of the paper's text: products aligned to the
	// largest exponent of the lanes with 3 guard bits, and an accumulator of 14
	// significant bits, each rounded to nearest, ties to even.
	Paper
	// Truncate is the arithmetic of the published Verilog: the same widths, but bits that
	// do not fit are cut off, and the accumulator's exponent never falls within a group.
	// Three faults of the Verilog are mended: it does not shift a sum right that is below
	// the accumulator's exponent, it reads subnormals as normal numbers, and infinity and
	// NaN as large numbers.
	Truncate
)

// String returns "exact", "paper" or "truncate".
func (m Mode) String() string {
	switch m {
	case Exact:
		return "exact"
	case Paper:
		return "paper"
	case Truncate:
		return "truncate"
	}
	return fmt.Sprintf("serial.Mode(%d)", uint8(m))
}

// minBSig and maxBSig are the range of BSig in this package's terms.
const (
	minBSig = -4
	maxBSig = 8
)

// A PE is one processing element of the accelerator. In each cycle it multiplies one
// term of four weights by four activations, aligns the four products, and adds them to
// the partial sum of the group. The zero value is ready to use, with an empty
// accumulator in [Exact] mode. A PE must not be used concurrently.
//
// # Special activations
//
// Zeros of both signs and subnormals are as in IEEE 754: a subnormal has exponent 1 and
// no hidden bit. Lanes whose term or activation is 0 still take part in the search for
// the largest exponent, as in the Verilog, so that in Paper and Truncate mode a zero
// term against a large activation costs the other lanes precision. An infinity or NaN
// in any lane, even against a zero term, makes the sum NaN until Reset: the terms of a
// weight may have opposite signs (7 = 8 − 1), so that infinity and NaN cannot be told
// apart term by term. An empty sum and a sum of zeros are +0.
type PE struct {
	// Mode is the arithmetic.
	Mode Mode
	// LowBSig is the least BSig of the terms of a group: 0 for integers, −1 for FP3 and
	// FP4. The sum of a step is shifted left by its BSig − LowBSig. Group and GroupInt8
	// set it. Like Mode, it may be changed only while the accumulator is empty.
	LowBSig int8

	fix fixed // Exact, and INT8 products in any mode
	acc accumulator
	nan bool
}

// Reset empties the accumulator.
func (p *PE) Reset() {
	if p != nil {
		*p = PE{Mode: p.Mode, LowBSig: p.LowBSig}
	}
}

// Sum returns the partial sum, rounded to the nearest float64. In modes other than
// Exact, and for sums of INT8 activations up to 2^53, it is exactly the value of the
// accumulator.
func (p *PE) Sum() float64 {
	if p == nil {
		return 0
	}
	if p.nan {
		return math.NaN()
	}
	return p.total().float()
}

// total returns the exact value of the accumulators. Rounded sums, too, are multiples
// of 2^−31.
func (p *PE) total() fixed {
	if p.acc.man == 0 {
		return p.fix
	}
	return p.fix.add(shifted(p.acc.man, p.acc.exp+accumulatorPoint+int(p.acc.low)+fixedPoint))
}

// Step is one cycle: it multiplies one term of each of four weights by four activations.
// The terms must have the same BSig, from LowBSig to LowBSig+8 and at most 8. The error
// wraps [ErrConfig], also for an unknown Mode. After an error, the PE is as it was.
func (p *PE) Step(w *[Lanes]Term, x *[Lanes]float16.Float16) error {
	if err := p.check(w, x != nil); err != nil {
		return err
	}
	p.step(w, x)
	return nil
}

// StepInt8 is Step with INT8 activations. It is exact in every mode.
func (p *PE) StepInt8(w *[Lanes]Term, x *[Lanes]int8) error {
	if err := p.check(w, x != nil); err != nil {
		return err
	}
	var sum int64
	for i, t := range w {
		v := int64(x[i]) * int64(t.Man) << t.Exp
		if t.Neg {
			v = -v
		}
		sum += v
	}
	p.fix = p.fix.addInt(sum << (fixedPoint + w[0].BSig))
	return nil
}

func (p *PE) check(w *[Lanes]Term, given bool) error {
	if p == nil || w == nil || !given {
		return configError("PE, w or x", "nil", "none of them nil")
	}
	if p.Mode > Truncate {
		return configError("PE.Mode", p.Mode, "exact, paper or truncate")
	}
	if p.LowBSig < minBSig || p.LowBSig > maxBSig {
		return configError("PE.LowBSig", p.LowBSig, "-4…8")
	}
	for i, t := range w {
		switch {
		case t.Man > 1:
			return termError(i, t, "Man 0 or 1")
		case t.Exp > 3:
			return termError(i, t, "Exp 0…3")
		case t.BSig != w[0].BSig:
			return termError(i, t, "BSig %d, as in lane 0", w[0].BSig)
		case t.BSig < p.LowBSig || t.BSig > min(p.LowBSig+maxShift, maxBSig):
			return termError(i, t, "BSig %d…%d", p.LowBSig, min(p.LowBSig+maxShift, maxBSig))
		}
	}
	return nil
}

func termError(lane int, t Term, format string, args ...any) error {
	// The String method of Term leaves out fields that may be wrong.
	type fields Term
	return configError(fmt.Sprintf("w[%d]", lane), fmt.Sprintf("%+v", fields(t)), format, args...)
}

// step is Step without checks.
func (p *PE) step(w *[Lanes]Term, x *[Lanes]float16.Float16) {
	var man, exp [Lanes]int
	for i, h := range x {
		e, m := int(h>>10&31), int(h&1023)
		switch e {
		case 31:
			p.nan = true
		case 0:
			e = 1
		default:
			m |= 1 << 10
		}
		if w[i].Neg != (h>>15 != 0) {
			m = -m
		}
		man[i] = m * int(w[i].Man)
		exp[i] = e + int(w[i].Exp)
	}
	bsig := w[0].BSig
	if p.Mode == Exact {
		// A half is man·2^(e−25).
		var sum int64
		for i := range man {
			sum += int64(man[i]) << (exp[i] - 25 + fixedPoint + int(bsig))
		}
		p.fix = p.fix.addInt(sum)
		return
	}
	p.acc.add(p.Mode, &man, &exp, bsig, p.LowBSig)
}

// Group computes the dot product of a whole group from an empty accumulator: the values
// of codes in t, times x, of the same length. Lanes beyond the last weight hold zeros. It
// returns the sum in true units, as the float64 nearest to the accumulator. cycles is
// ⌈len(codes)/4⌉ times the number of terms of a code. The error wraps [ErrShape] or
// [ErrConfig].
func (p *PE) Group(t *Table, codes []uint8, x []float16.Float16) (sum float64, cycles int, err error) {
	if err := p.begin(t, codes, len(x)); err != nil {
		return 0, 0, err
	}
	s := t.plan.steps
	for i := 0; i < len(codes); i += Lanes {
		n := min(Lanes, len(codes)-i)
		var lanes [Lanes]float16.Float16
		copy(lanes[:], x[i:i+n])
		for k := range s {
			var w [Lanes]Term
			for j := range w {
				w[j].BSig = t.terms[k].BSig
			}
			for j, c := range codes[i : i+n] {
				w[j] = t.terms[int(c)*s+k]
			}
			p.step(&w, &lanes)
			cycles++
		}
	}
	return float64(t.plan.scale) * p.Sum(), cycles, nil
}

// GroupInt8 is Group with INT8 activations. The sum is an exact integer in steps
// of the type's unit, in every mode.
func (p *PE) GroupInt8(t *Table, codes []uint8, x []int8) (sum int64, cycles int, err error) {
	if err := p.begin(t, codes, len(x)); err != nil {
		return 0, 0, err
	}
	sum, cycles = t.walk.dot(codes, x)
	p.fix = shifted(sum, fixedPoint+int(t.plan.low))
	return sum >> t.shift, cycles, nil
}

func (p *PE) begin(t *Table, codes []uint8, n int) error {
	if p == nil {
		return configError("PE", "nil", "one")
	}
	if p.Mode > Truncate {
		return configError("PE.Mode", p.Mode, "exact, paper or truncate")
	}
	if t == nil || t.codes() == 0 {
		return configError("table", "empty", "one from NewTable")
	}
	if len(codes) != n {
		return shapeError("len(x)", n, "%d (codes)", len(codes))
	}
	for i, c := range codes {
		if int(c) >= t.codes() {
			return codeError(i, c, t.name)
		}
	}
	p.LowBSig = t.plan.low
	p.Reset()
	return nil
}
