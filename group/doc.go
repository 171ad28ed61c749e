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
// Codes are chosen with this unquantized Δ. Only then are the scales of a row rounded to
// 8 bits ([RowScales]). The OCP MX and NVFP4 standards define elements against the stored
// scale instead. Types with [datatype.E8M0] and [datatype.E4M3] scales therefore round Δ
// before they choose codes. If two values are equally near, these types take the value
// with the even code, as round-half-to-even does.
//
// A group that is not all zero may have a Δ below half a step, so that its scale rounds
// to 0. If scale 1 has the smaller error, the group takes scale 1 and the codes that
// are nearest with it ([ZeroScale]). Otherwise one large weight in a row could turn all
// other groups into zeros.
//
// # Definition and fast form
//
// [Reference] is the definition of selection in its plainest form. A [Selector] gives the
// same bits many times as fast (docs/speed.md has figures). Decision thresholds cut the
// line of ratios w/Δ into intervals. One division and one table look-up find the interval
// of a ratio, for all candidates with the same Δ at once. [Selector.SelectFloat32] does
// this for the groups of a row of float32 with vector instructions. It compares float32
// weights with thresholds that are float32 weights, too. It adds errors up in float32,
// and decides by them only where rounding cannot change the decision.
package group
