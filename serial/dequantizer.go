package serial

// scaleBits is the width of a group's scale, and so the cycles of a dequantizer.
const scaleBits = 8

// Dequantize returns sum·scale as the bit-serial dequantizer computes it, from a
// group's partial sum and its 8-bit scale, and the number of cycles: one for each bit
// of the scale, 8. The product is exact for |sum| up to 2^55, where it fits int64.
func Dequantize(sum int64, scale uint8) (product int64, cycles int) {
	var d dequantizer
	d.start(sum, scale)
	for done := false; !done; cycles++ {
		done = d.step()
	}
	return d.acc, cycles
}

// A dequantizer is the multiplier: each cycle doubles the product and adds the
// partial sum if the next bit of the scale, from the most significant on, is
// set.
type dequantizer struct {
	sum, acc int64
	scale    uint8
	left     int
}

func (d *dequantizer) start(sum int64, scale uint8) {
	*d = dequantizer{sum: sum, scale: scale, left: scaleBits}
}

// step is one cycle. It reports whether the product is finished; further steps
// change nothing.
func (d *dequantizer) step() bool {
	if d.left > 0 {
		d.left--
		bit := int64(d.scale >> d.left & 1)
		d.acc = d.acc<<1 + d.sum&-bit
	}
	return d.left == 0
}

// dequantize is Dequantize for an unrounded sum.
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
