package datatype

import (
	"fmt"
	"slices"
	"strings"
)

// A Codebook is the table of values that the codes of one group stand for. It
// is immutable, and safe for concurrent use. The zero Codebook is empty.
type Codebook struct {
	typ     Type
	name    string
	values  []float32
	special float32
}

// Name identifies the codebook among the candidates of its type: "bitmod4+5",
// "ant4/flint4", "int4_asym z=7", or the bare name of a type that has just one.
func (c Codebook) Name() string {
	switch t := c.typ.String(); {
	case len(c.values) == 0:
		return ""
	case c.name == "":
		return t
	case c.special != 0:
		return t + c.name
	case c.typ.Asymmetric():
		return t + " " + c.name
	default:
		return t + "/" + c.name
	}
}

// String returns the name and the values by code, as in
//
//	fp3_er+3{0 1 2 4 3 -1 -2 -4}
func (c Codebook) String() string {
	var b strings.Builder
	b.WriteString(c.Name())
	b.WriteByte('{')
	for i, v := range c.values {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%g", v)
	}
	b.WriteByte('}')
	return b.String()
}

// Type returns the type that the codebook is a candidate of.
func (c Codebook) Type() Type { return c.typ }

// Len returns the number of codes: 2^bits, or one less for the symmetric
// integers.
func (c Codebook) Len() int { return len(c.values) }

// Values returns a new slice of the values, indexed by code.
func (c Codebook) Values() []float32 { return slices.Clone(c.values) }

// Value returns the value of code, and 0 for a code that is not below Len.
func (c Codebook) Value(code uint8) float32 {
	if int(code) >= len(c.values) {
		return 0
	}
	return c.values[code]
}

// MaxAbs returns the largest magnitude of the values. The scale of a group is its largest
// magnitude divided by MaxAbs.
func (c Codebook) MaxAbs() float32 {
	var m float32
	for _, v := range c.values {
		m = max(m, v, -v)
	}
	return m
}

// Encode returns the code of the value nearest to x. A tie goes to the smaller value
// (−1 is smaller than 0). In MX and NV types, a tie goes to the even code first, as
// their standards say. Of two codes with the same value, Encode returns the lower one.
// NaN gives code 0. Encode compares x with midpoints, which are exact in float64, so
// that no rounding decides. It searches all values and is the definition; package group
// has the fast form.
func (c Codebook) Encode(x float64) uint8 {
	even := c.typ.Scale() != RowStep
	best := 0
	for code, v := range c.values {
		b := c.values[best]
		mid := (float64(b) + float64(v)) / 2
		up := even && best&1 != code&1
		if up {
			// Of b and v, a midpoint goes to the one whose code is even.
			up = (code&1 == 0) == (v > b)
		}
		if v > b && (x > mid || x == mid && up) || v < b && (x < mid || x == mid && !up) {
			best = code
		}
	}
	return uint8(best)
}
