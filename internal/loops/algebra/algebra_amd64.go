//go:build amd64 && !purego

package algebra

import "golang.org/x/sys/cpu"

// Have reports whether there are loops for this processor.
func Have() bool {
	x := &cpu.X86
	return x.HasAVX2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
}

// Gram, Take1 and Take4 do what their arguments say. They need Have.
func Gram(a *GramArgs)  { gramAVX512(a) }
func Take1(a *TakeArgs) { take1AVX512(a) }
func Take4(a *TakeArgs) { take4AVX512(a) }

//go:noescape
func gramAVX512(a *GramArgs)

//go:noescape
func take1AVX512(a *TakeArgs)

//go:noescape
func take4AVX512(a *TakeArgs)
