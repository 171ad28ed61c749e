//go:build amd64 && !purego

package algebra

import "golang.org/x/sys/cpu"

// Have reports whether there are loops for this processor.
func Have() bool {
	x := &cpu.X86
	return x.HasAVX2 && x.HasFMA && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
}

// Gram, Take and Reduce do what their arguments say. They need Have.
func Gram(a *GramArgs)     { gramAVX512(a) }
func Take(a *TakeArgs)     { takeAVX512(a) }
func Reduce(a *ReduceArgs) { reduceAVX512(a) }

//go:noescape
func gramAVX512(a *GramArgs)

//go:noescape
func takeAVX512(a *TakeArgs)

//go:noescape
func reduceAVX512(a *ReduceArgs)
