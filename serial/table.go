package serial

import (
	"math"

	"github.com/bitmod-go/bitmod/datatype"
)

// A Table holds the terms of every code of one codebook; [NewTable] makes it. The zero
// Table has no codes, and nil is like it. Make a Table once for many groups: it is
// immutable and safe for concurrent use, and takes 2 KiB a step. There are Tables also
// for types whose unit is not a power of two, such as apot4: their terms sum to
// value/[Table.Scale].
type Table struct {
	name  string
	terms []Term // steps for each code
	plan  plan
	shift uint8 // unit = scale·2^(low+shift): FP3 has a fraction bit it does not use
	walk  walker
}

// NewTable returns the terms of the values of cb. The error wraps [ErrNotBitSerial].
func NewTable(cb datatype.Codebook) (*Table, error) {
	p, err := newPlan(cb)
	if err != nil {
		return nil, err
	}
	t := &Table{
		name:  cb.Name(),
		terms: make([]Term, 0, p.steps*cb.Len()),
		plan:  p,
	}
	for code := range cb.Len() {
		t.terms = p.append(t.terms, cb.Value(uint8(code)))
	}
	t.shift = uint8(math.Log2(float64(cb.Type().Unit()/p.scale))) - uint8(p.low)
	t.walk = newWalker(t)
	return t, nil
}

// codes returns the number of codes.
func (t *Table) codes() int {
	if t == nil {
		return 0
	}
	return len(t.terms) / max(t.plan.steps, 1)
}

// LowBSig returns the least BSig of the terms, for [PE.LowBSig].
func (t *Table) LowBSig() int8 {
	if t == nil {
		return 0
	}
	return t.plan.low
}

// Scale returns the factor by which the sum of a code's terms is multiplied to give the
// value: 0.1 for apot4 and apot4_sp, and 1 for all others.
func (t *Table) Scale() float32 {
	if t == nil {
		return 0
	}
	return t.plan.scale
}

// Terms returns the terms of code, which the caller must not change, or nil if the
// codebook has no such code. Every code has the same number of terms, which is the
// number of cycles that a processing element spends on four weights.
func (t *Table) Terms(code uint8) []Term {
	if int(code) >= t.codes() {
		return nil
	}
	lo := int(code) * t.plan.steps
	hi := lo + t.plan.steps
	return t.terms[lo:hi:hi]
}
