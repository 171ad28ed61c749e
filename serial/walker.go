package serial

// A walker runs a processing element on INT8 activations, for a table. Its terms are in
// the order in which the lanes use them: step by step, by code.
type walker []step

type step struct {
	bsig  uint8 // above the table's LowBSig
	terms [256]laneTerm
}

// A laneTerm is a term as masks. The mask and selects the activation: it is all ones if
// Man is 1. The mask neg negates: it is all ones if Neg is set.
type laneTerm struct {
	and, neg int16
	exp      uint16
	_        uint16
}

func newWalker(t *Table) walker {
	w := make(walker, t.plan.steps)
	for code := range t.codes() {
		for k, term := range t.Terms(uint8(code)) {
			s := &w[k]
			s.bsig = uint8(term.BSig - t.plan.low)
			l := &s.terms[code]
			l.and = -int16(term.Man)
			l.exp = uint16(term.Exp)
			if term.Neg {
				l.neg = -1
			}
		}
	}
	return w
}

// lane is one lane in one cycle: the activation and the term's mantissa bit,
// negated by its sign, shifted by its exponent.
func (l *laneTerm) lane(x int8) int32 {
	return int32((int16(x)&l.and^l.neg)-l.neg) << (l.exp & 3)
}

// dot walks the terms of codes against x, four weights and one term of each at a
// time, and returns the sum in steps of 2^low and the cycles. The codes must be in the
// table; len(x) must be len(codes).
func (w walker) dot(codes []uint8, x []int8) (sum int64, cycles int) {
	x = x[:len(codes)]
	i := 0
	for ; i+Lanes <= len(codes); i += Lanes {
		c, a := codes[i:i+Lanes:i+Lanes], x[i:i+Lanes:i+Lanes]
		for k := range w {
			s := &w[k]
			tree := s.terms[c[0]].lane(a[0]) + s.terms[c[1]].lane(a[1]) +
				(s.terms[c[2]].lane(a[2]) + s.terms[c[3]].lane(a[3]))
			sum += int64(tree) << (s.bsig & 15)
		}
	}
	if i < len(codes) {
		for k := range w {
			s := &w[k]
			var tree int32
			for j, c := range codes[i:] {
				tree += s.terms[c].lane(x[i+j])
			}
			sum += int64(tree) << (s.bsig & 15)
		}
	}
	return sum, (len(codes) + Lanes - 1) / Lanes * len(w)
}
