package serial

// maxBoothBits is the width of the widest integer that [appendDigits] takes apart. Its
// digits reach BSig 8, one step beyond the INT8 of the paper, for int8_asym and the 9-bit
// fixed points of FP5 and FP6.
const maxBoothBits = 10

// appendDigits appends the ⌈width/2⌉ radix-4 Booth digits of v, a two's
// complement integer of 1 to 10 bits, the least significant digit first. Digit
// i is −2, −1, 0, 1 or 2 at BSig 2i, chosen by the bits 2i+1, 2i and 2i−1 of v:
//
//	000 0   001 +1   010 +1   011 +2   100 −2   101 −1   110 −1   111 0
//
// The error wraps [ErrConfig]; it allocates only to grow dst.
func appendDigits(dst []Term, v, width int) ([]Term, error) {
	if width < 1 || width > maxBoothBits {
		return dst, configError("width", width, "1…10 bits")
	}
	if half := 1 << (width - 1); v < -half || v >= half {
		return dst, configError("v", v, "an integer of that width")
	}
	return appendBooth(dst, v, (width+1)/2, 0), nil
}

func appendBooth(dst []Term, v, digits int, low int8) []Term {
	// Bit −1 is 0. Go's shift of a negative int extends the sign.
	window := v << 1
	for i := range digits {
		t := Term{BSig: low + int8(2*i)}
		switch window & 7 {
		case 1, 2:
			t.Man = 1
		case 3:
			t.Man, t.Exp = 1, 1
		case 4:
			t.Man, t.Exp, t.Neg = 1, 1, true
		case 5, 6:
			t.Man, t.Neg = 1, true
		}
		dst = append(dst, t)
		window >>= 2
	}
	return dst
}
