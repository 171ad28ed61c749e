package serial

// scaleBits is the width of a group's scale, and so the cycles of a
// [Dequantizer].
const scaleBits = 8

// A Dequantizer is the bit-serial multiplier that applies a group's 8-bit scale
// to its finished partial sum: each cycle doubles the product and adds the
// partial sum if the next bit of the scale, from the most significant on, is
// set. The zero value is ready.
type Dequantizer struct {
	sum, acc int64
	scale    uint8
	left     int
}

// Start latches a partial sum and a scale, and clears the accumulator. The
// product is exact while it fits int64: |sum| up to 2^55.
func (d *Dequantizer) Start(sum int64, scale uint8) {
	*d = Dequantizer{sum: sum, scale: scale, left: scaleBits}
}

// Step is one cycle. It reports whether the product is finished, which it is
// after 8 cycles; further steps change nothing.
func (d *Dequantizer) Step() bool {
	if d.left > 0 {
		d.left--
		bit := int64(d.scale >> d.left & 1)
		d.acc = d.acc<<1 + d.sum&-bit
	}
	return d.left == 0
}

// Product returns what has been accumulated.
func (d *Dequantizer) Product() int64 { return d.acc }

// Dequantize returns sum·scale, from a run of a [Dequantizer], and its cycles.
func Dequantize(sum int64, scale uint8) (product int64, cycles int) {
	var d Dequantizer
	d.Start(sum, scale)
	for done := false; !done; cycles++ {
		done = d.Step()
	}
	return d.Product(), cycles
}

// dequantize is Dequantize for a sum that a processing element has not rounded.
func dequantize(sum fixed, scale uint8) fixed {
	var acc fixed
	for i := scaleBits - 1; i >= 0; i-- {
		acc = acc.double()
		if scale>>i&1 == 1 {
			acc = acc.add(sum)
		}
	}
	return acc
}
