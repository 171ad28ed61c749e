package serial

import "math/bits"

const (
	guardBits  = 3
	laneBits   = 11 + guardBits // of an aligned product
	accBits    = 14             // of the accumulator, without its sign
	maxShift   = 8              // of the adder tree's sum; 6 in the Verilog, which is enough for INT8
	sumBits    = 17 + maxShift  // of that sum
	halfOffset = 25             // a half is an integer times 2^(exponent−25)
)

// accumulatorPoint is the exponent of an accumulator's least bit when exp is 0.
const accumulatorPoint = -halfOffset - guardBits

// An accumulator is the group accumulator of the modes that round:
// man·2^(exp + accumulatorPoint + low), with |man| ≤ 2^14, exp on the scale of
// the activations' biased exponents, and low the PE's LowBSig.
type accumulator struct {
	man int64
	exp int
	low int8
}

// add adds Σ man·2^exp·2^bsig over the four lanes.
func (a *accumulator) add(m Mode, man, exp *[Lanes]int, bsig, low int8) {
	a.low = low
	top := max(exp[0], exp[1], exp[2], exp[3])
	var sum int64
	for i, v := range man {
		sum += align(m, int64(v)<<guardBits, uint(top-exp[i]))
	}
	sum <<= bsig - low
	if m == Paper {
		a.addRounded(sum, top)
	} else {
		a.addTruncated(sum, top)
	}
}

// align shifts a product right to the largest exponent of its step. In Truncate mode it
// shifts the magnitude, so that rounding goes towards 0.
func align(m Mode, v int64, delta uint) int64 {
	if m == Paper {
		return roundShift(v, delta)
	}
	if delta >= laneBits {
		return 0
	}
	if v < 0 {
		return -(-v >> delta)
	}
	return v >> delta
}

// addTruncated is the group accumulator of the Verilog, except that it shifts the sum
// right where the accumulator's exponent is larger.
func (a *accumulator) addTruncated(sum int64, exp int) {
	top := max(a.exp, exp)
	v := floorShift(a.man, top-a.exp, accBits) + floorShift(sum, top-exp, sumBits)
	k := max(bits.Len64(magnitude(v))-accBits, 0)
	a.man = v >> k
	a.exp = top + k
}

// floorShift is an arithmetic right shift. Shifts by the width or more give 0, as the
// default case of the Verilog does.
func floorShift(v int64, n, width int) int64 {
	if n >= width {
		return 0
	}
	return v >> n
}

// addRounded adds exactly, then rounds once to accBits.
func (a *accumulator) addRounded(sum int64, exp int) {
	hi, lo := *a, accumulator{man: sum, exp: exp}
	switch {
	case sum == 0:
		return
	case a.man == 0:
		hi, lo = lo, *a
		lo.exp = hi.exp
	case hi.exp < lo.exp:
		hi, lo = lo, hi
	}
	// Beyond this distance the lower operand (below 2^26) is far below the place where
	// the sum is rounded. Its last bit then records whether bits were shifted out.
	const far = 32
	if d := hi.exp - lo.exp; d > far {
		lo.man, lo.exp = jamShift(lo.man, uint(d-far)), hi.exp-far
	}
	v := hi.man<<(hi.exp-lo.exp) + lo.man
	k := max(bits.Len64(magnitude(v))-accBits, 0)
	a.man, a.exp = roundShift(v, uint(k)), lo.exp+k
	if v == 0 {
		a.exp = 0
	}
}

// roundShift returns v·2^−n, rounded to the nearest integer, ties to even.
func roundShift(v int64, n uint) int64 {
	if n == 0 {
		return v
	}
	if n > 62 {
		return 0
	}
	q := v >> n
	rest, half := v-q<<n, int64(1)<<(n-1)
	if rest > half || rest == half && q&1 == 1 {
		q++
	}
	return q
}

// jamShift returns v·2^−n, rounded to odd: if any bit is lost, the last bit is set.
func jamShift(v int64, n uint) int64 {
	q := v >> min(n, 63)
	if q<<min(n, 63) != v {
		q |= 1
	}
	return q
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return uint64(-v)
	}
	return uint64(v)
}
