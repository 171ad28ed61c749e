//go:build amd64 && !purego

package algebra

import "golang.org/x/sys/cpu"

const (
	avx2 Set = 1 + iota
	avx512
)

var sets = [...]Set{avx2, avx512}

// Sets returns all loops for this processor, the best last.
func Sets() []Set {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA:
		return nil
	case !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL:
		return sets[:1]
	}
	return sets[:]
}

// String returns the name of the processor's feature.
func (s Set) String() string { return [...]string{"none", "avx2", "avx512"}[s] }

// Gram computes what GramArgs describe.
func (s Set) Gram(a *GramArgs) {
	if s == avx512 {
		gramAVX512(a)
		return
	}
	gramAVX2(a)
}

// Take computes what TakeArgs describe.
func (s Set) Take(a *TakeArgs) {
	if s == avx512 {
		takeAVX512(a)
		return
	}
	takeAVX2(a)
}

// Reduce computes what ReduceArgs describe.
func (s Set) Reduce(a *ReduceArgs) {
	if s == avx512 {
		reduceAVX512(a)
		return
	}
	reduceAVX2(a)
}

//go:noescape
func gramAVX2(a *GramArgs)

//go:noescape
func takeAVX2(a *TakeArgs)

//go:noescape
func reduceAVX2(a *ReduceArgs)

//go:noescape
func gramAVX512(a *GramArgs)

//go:noescape
func takeAVX512(a *TakeArgs)

//go:noescape
func reduceAVX512(a *ReduceArgs)
