//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

// assembly says whether there is any in this build.
const assembly = true

// hasCorr4 says whether an Activation has corr4.
const hasCorr4 = true

// implementations returns those of this machine, the fastest last.
func implementations() []implementation {
	is := []implementation{portable}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		is = append(is, avx2)
	}
	// avx512 is the assembly for AVX-512 together with that for AVX2, which does
	// the rest.
	if x := &cpu.X86; x.HasAVX2 && x.HasFMA && x.HasBMI2 && x.HasAVX512F && x.HasAVX512BW &&
		x.HasAVX512VL && x.HasAVX512VBMI && x.HasAVX512VNNI {
		is = append(is, avx512)
	}
	return is
}
