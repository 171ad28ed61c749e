// Package group quantizes one group of weights: it chooses the codebook, the
// scale and the codes.
//
//	w ──┬─ max|w| ─┬─ candidate 0: Δ, codes, error ─┐
//	    │          ├─ candidate 1: Δ, codes, error ─┼─ least error ─┬─ codebook, codes
//	    └──────────┴─ …                             ─┘               └─ Δ
//
//	the Δ of a row's groups ── RowScales ── one float32 step, a byte for each group
//
// # Selection
//
// For each candidate codebook of the type, in order of trial, with everything
// in float64 (BitMoD, arXiv 2411.11745, Algorithm 1):
//
//	Δ     = max|w| / max|codebook|
//	q     = the codebook value nearest to w/Δ, a tie going to the smaller
//	error = Σ (w − Δ·q)², added up from the first weight to the last
//
// The least error wins; a later candidate must be strictly better than an
// earlier one to replace it. An asymmetric integer type has no trial: with
// lo = min(0, min w) and hi = max(0, max w), Δ = (hi − lo)/(2^bits − 1), and the
// zero-point is −lo/Δ rounded half to even. A group whose Δ is 0 takes the first
// candidate and the code nearest to 0 throughout.
//
// Codes are chosen with this unquantized Δ. Only then are the scales of a row
// rounded to 8 bits ([RowScales]). The OCP MX and NVFP4 standards define
// elements against the stored scale instead, and so the types with
// [datatype.E8M0] and [datatype.E4M3] scales round Δ before they choose codes, and of two
// values that are equally near they take that with the even code, as round-half-to-even
// does.
//
// A group that is not all zero may have a Δ below half a step, so that its scale rounds
// to 0. If scale 1 has the smaller error, the group takes scale 1 and the codes that
// are nearest with it ([ZeroScale]). Otherwise one large weight in a row could turn all
// other groups into zeros.
//
// # Definition and fast form
//
// [Reference] is the definition of selection in its plainest form. A [Selector]
// gives the same bits many times as fast (docs/speed.md has figures): one division and
// one table look-up find the interval between decision thresholds that w/Δ lies in,
// for all candidates of the same Δ at once. [Selector.SelectFloat32] does so for the
// groups of a row of float32 with vector instructions, where thresholds become float32
// weights and errors are added up in float32, as far as rounding can't have decided.
package group
