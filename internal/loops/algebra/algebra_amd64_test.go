//go:build amd64 && !purego

package algebra

// sets returns the loops of each kind that the processor has.
func sets() []set {
	var all []set
	if haveAVX2 {
		all = append(all, set{"avx2", gramAVX2, takeAVX2, reduceAVX2})
	}
	if haveAVX512 {
		all = append(all, set{"avx512", gramAVX512, takeAVX512, reduceAVX512})
	}
	return all
}
