// Package serial is BitMoD's processing element in software (arXiv 2411.11745, section
// IV), exact to the bit: weights as terms, the bit-serial element that adds up a group
// of them, and the bit-serial dequantizer. Tests compare the integer results of package
// kernel with it. A circuit can be compared with it cycle by cycle.
//
//	Terms, Table                 a code as signed powers of two
//	PE                           four lanes, FP16 or INT8 activations
//	Dequantize, Pipeline         8-bit scales, one bit a cycle, behind the next group
//	GEMV, GEMVFloat16            a whole quant.Matrix through all of these
//
//	Table     a group's codes      x, FP16 or INT8
//	   └─ terms ──┐                   │
//	      4 lanes: sign·man·2^exp  ×  x      one term of 4 weights a cycle
//	              └── adder tree ── · 2^bsig ── accumulator     PE
//	                                               │ at the end of the group
//	                        scale, a bit a cycle × sum          Dequantize
//	                                               │
//	                                            product
//
// Package serial/bbs runs pruned INT8 weights on the same element, and package
// serial/accelerator counts the cycles of whole models on arrays of elements.
//
// # Terms
//
// A weight is a sum of terms ±2^Exp·2^BSig, the same number for every code of a type. A
// processing element takes one term of four weights a cycle, all with the same BSig. A
// group of 128 therefore takes 64 cycles with bitmod3 and bitmod4 (two terms), 96 with
// int6 and int5, 128 with int8. [Terms] has the number for each type.
//
//	        bitmod4    cycle 1, BSig 0    cycle 2, BSig −1
//	        weight     Neg Man Exp        Neg Man Exp
//	lane 0   5          0   1   2          0   1   1            4 + 1
//	lane 1  −1.5        1   1   0          1   1   0           −1 − 0.5
//	lane 2   0.5        0   0   0          0   1   0            0 + 0.5
//	lane 3   3          0   1   1          0   1   1            2 + 1
//
// and −77 of int8 is −1 + 4 − 16 − 64, with BSig 0, 2, 4 and 6.
//
// # What the arithmetic of a processing element loses
//
// [Exact] mode loses nothing. The tests of this package measure the other modes on
// groups of 128 weights of bitmod3, bitmod4, int6 and int8. In parts of
// Σ|weight·activation|, the modes lose:
//
//	activations                          Paper              Truncate
//	                                 typical  worst     typical  worst     bias
//	normal                           1.9e-5   1.1e-4    2.5e-4   7.8e-4   -2.1e-4
//	normal, 1 in 64 ×100             6.4e-5   3.0e-4    8.2e-4   4.4e-3   -6.3e-4
//	any finite half                  3.8e-5   1.6e-4    6.0e-4   2.6e-3   -5.1e-4
//	one lane of four 2^12 × larger   2.9e-5   1.3e-4    4.6e-4   1.2e-3   -4.0e-4
//	falling by 2^16 over the group   4.8e-5   4.0e-4    8.3e-4   2.9e-3   -6.9e-4
//	halves that cancel               9.8e-6   4.9e-5    1.7e-4   6.2e-4   -1.3e-4
//	a language model's, groups of 64 2.8e-5   1.6e-4    2.4e-4   8.5e-4   -2.0e-4
//	searched for, groups of 32                2.5e-4             6.3e-2
//
// Cutting off instead of rounding thus costs more than three bits. The error is mostly
// downwards, as the accumulator is two's complement. Where a sum cancels, the loss
// relative to the result has no bound. The tests derive the largest loss from the
// widths, and search for groups that come near to it by changing one weight at a time.
// Such groups have large activations against zero terms, which decide the exponent and
// add nothing.
package serial
