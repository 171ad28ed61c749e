// Package datatype defines the number formats a weight can be stored in: the
// BitMoD 3- and 4-bit family, and the integer, minifloat, ANT, MX, NV,
// normal-float and additive-power-of-two types it is compared and mixed with.
//
// A [Type] is a name such as "bitmod4", a width in bits, a [ScaleFormat], and
// one or more [Codebook] candidates. A group of weights that share a scale Δ
// uses one of the candidates; a weight w is stored as the code of the codebook
// value nearest to w/Δ. Which candidate a group uses is recorded in
// [Type.SelectorBits] bits a group.
//
//	          -8     -6  -5  -4  -3  -2  -1   0   1   2   3   4   5   6       8
//	fp4               ┼───────┼───┼───┼─┼─┼─┼─┼─┼─┼─┼─┼───┼───┼───────┼
//	bitmod4   ○       ┼───○───┼───┼───┼─┼─┼─┼─┼─┼─┼─┼─┼───┼───┼───○───┼       ○
//
// Each group of bitmod4 has one of the four ○, the special value, which takes the
// code that negative zero would waste.
//
// # Codes
//
//	minifloat-like   sign-magnitude: the top bit is the sign. The code of
//	                 negative zero is the special value where the type has
//	                 one, and otherwise reads as 0 and is never written.
//	integers         unsigned: value = code − zero-point. The zero-point of a
//	                 symmetric type is 2^(bits−1) − 1, so that its largest
//	                 code is unused; an asymmetric type has one candidate
//	                 codebook for every zero-point.
//	nf, sf           the index of the value in ascending order.
//
// Definitions are those of BitMoD (arXiv 2411.11745, section III), with FP4 in
// true units: 0, ±0.5, ±1, ±1.5, ±2, ±3, ±4, ±6.
package datatype
