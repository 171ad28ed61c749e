// Package group quantizes one group of weights: it chooses the codebook, the
// scale and the codes.
//
//	w ──┬─ max|w| ─┬─ candidate 0: Δ, codes, error ─┐
//	    │          ├─ candidate 1: Δ, codes, error ─┼─ least error ─┬─ codebook, codes
//	    └──────────┴─ …                             ─┘               └─ Δ
//
//	the Δ of a row's groups ── RowScales ── one float32 step, a byte for each group
//
// The comment of package quant defines selection. [RowScales] is the rounding of a row's
// scales, and [ZeroScale] the exception for scales that round to 0.
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
