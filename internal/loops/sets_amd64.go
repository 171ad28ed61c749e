//go:build amd64 && !purego

package loops

import "golang.org/x/sys/cpu"

// AVX512 returns the Set for processors with AVX-512, VBMI and VNNI, or nil on others.
func AVX512() *Set {
	x := &cpu.X86
	if x.HasAVX2 && x.HasFMA && x.HasBMI2 && x.HasAVX512F && x.HasAVX512BW &&
		x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VBMI && x.HasAVX512VNNI {
		return &avx512
	}
	return nil
}

// AVX2 returns the Set for processors with AVX2, or nil on others.
func AVX2() *Set {
	if cpu.X86.HasAVX2 {
		return &avx2
	}
	return nil
}

// AVXVNNI returns the Set for processors with AVX2 and AVX-VNNI, or nil on others.
func AVXVNNI() *Set {
	if cpu.X86.HasAVX2 && cpu.X86.HasAVXVNNI {
		return &avxVNNI
	}
	return nil
}
