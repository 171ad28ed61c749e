//go:build amd64 && !purego

package kernel

import (
	"golang.org/x/sys/cpu"

	"github.com/bitmod-go/bitmod/internal/loops"
)

// assembly reports whether this build has assembly.
const assembly = true

// hasPrefix reports whether Activations have a prefix.
const hasPrefix = true

// implementations returns the implementations for this machine, the fastest last.
func implementations() []implementation {
	is := []implementation{portable}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		is = append(is, avx2)
	}
	// avxVNNI and avx512 use the assembly for AVX2, and some for further instructions.
	if len(is) > 1 && loops.AVXVNNI() != nil {
		is = append(is, avxVNNI)
	}
	if loops.AVX512() != nil {
		is = append(is, avx512)
	}
	return is
}

// panelSet returns the loops for panels of an implementation.
func panelSet(impl implementation) *loops.Set {
	switch impl {
	case avx2:
		return loops.AVX2()
	case avxVNNI:
		return loops.AVXVNNI()
	case avx512:
		return loops.AVX512()
	}
	return nil
}
