package group

import (
	"math"
	"slices"
)

// A weighting has the importances of a row for the loops: float32s a, which are the
// importances times a power of two, so that none is above 1.
//
// With importances, a loop adds up (a·e)·e instead of e², and the exact sum E is that of
// a·(w − Δ·q)². In the terms of the comment on fast,
//
//	a·e has a factor of 1 ± u for the rounding of the importance, and another for the product;
//	the square root of the sum of a·d² is at most u·A·√Σa,
//	and underflow of importances and products is less than n·2^−149·(1 + A + A²).
//
// so that
//
//	|S − E| ≤ (n/8 + 12)·u·S + 3·u·A·√(Σa·S) + 4·Σa·u²·A²
//
// if Σa is at least n·2^−50 and A is at least 2^−20; the last term is then above what
// underflow adds. The definition itself hardly underflows if the largest importance is
// within 2^±900.
type weighting struct {
	of     []float64 // a copy of the importances that scaled and roots are made from
	size   int       // of a group
	scaled []float32 // a
	roots  []float64 // by group, a bound of √Σa; +Inf if all are 0, which counts as all 1
}

// weightedMin is the largest weight of a group below which errors with importances are
// added up again.
const weightedMin = 0x1p-20

// set prepares the importances of a row, which are mostly the same as those of the row
// before. It reports whether the loops can take them.
func (q *weighting) set(importance []float64, size int) bool {
	if size == q.size && slices.Equal(importance, q.of) {
		return len(q.scaled) > 0
	}
	q.of, q.size = append(q.of[:0], importance...), size
	q.scaled, q.roots = q.scaled[:0], q.roots[:0]
	var most float64
	for _, a := range importance {
		if !(a >= 0) {
			return false
		}
		most = max(most, a)
	}
	if !(most >= 0x1p-900 && most <= 0x1p900) {
		return false
	}
	_, exponent := math.Frexp(most)
	scale := math.Ldexp(1, -exponent)
	for group := range slices.Chunk(importance, size) {
		var sum float64
		for _, a := range group {
			x := float32(a * scale)
			q.scaled = append(q.scaled, x)
			sum += float64(x)
		}
		root := math.Sqrt(sum*(1+0x1p-20) + float64(len(group))*0x1p-50)
		if sum == 0 && slices.Max(group) == 0 {
			root = math.Inf(1)
		}
		q.roots = append(q.roots, root)
	}
	return true
}
