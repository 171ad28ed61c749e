//go:build amd64 && !purego

package algebra

import "golang.org/x/sys/cpu"

var (
	haveAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	haveAVX512 = haveAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL
)

// Have reports whether there are loops for this processor.
func Have() bool { return haveAVX2 }

// Gram does what its arguments say. It needs Have.
func Gram(a *GramArgs) {
	if haveAVX512 {
		gramAVX512(a)
		return
	}
	gramAVX2(a)
}

// Take does what its arguments say. It needs Have.
func Take(a *TakeArgs) {
	if haveAVX512 {
		takeAVX512(a)
		return
	}
	takeAVX2(a)
}

// Reduce does what its arguments say. It needs Have.
func Reduce(a *ReduceArgs) {
	if haveAVX512 {
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
