package bbs

import "slices"

// Sparsity counts the bits of INT8 weights that need no work.
type Sparsity struct {
	Bits      int64 // all bits
	Zeros     int64 // bits that are skipped if only zeros are
	Skippable int64 // bits that are skipped if each column skips its commoner kind
}

// Measure counts the bits of w in columns of the given number of consecutive weights. The
// last column may be shorter. Skippable is at least half of Bits. The error wraps
// [ErrConfig].
func Measure(w []int8, weights int) (Sparsity, error) {
	if weights < 1 {
		return Sparsity{}, configError("weights", weights, "at least 1")
	}
	var s Sparsity
	for group := range slices.Chunk(w, weights) {
		var ones [8]int64
		for _, v := range group {
			for k := range ones {
				ones[k] += int64(uint8(v) >> k & 1)
			}
		}
		n := int64(len(group))
		for _, o := range ones {
			s.Bits += n
			s.Zeros += n - o
			s.Skippable += max(o, n-o)
		}
	}
	return s, nil
}
