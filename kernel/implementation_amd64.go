//go:build amd64 && !purego

package kernel

import (
	"golang.org/x/sys/cpu"

	"github.com/bitmod-go/bitmod/internal/loops"
)

// assembly says whether there is any in this build.
const assembly = true

// hasPrefix says whether an Activation has prefix.
const hasPrefix = true

// implementations returns those of this machine, the fastest last.
func implementations() []implementation {
	is := []implementation{portable}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		is = append(is, avx2)
	}
	// avxVNNI and avx512 are the assembly for AVX2, and some for more of what a
	// processor has.
	if len(is) > 1 && loops.AVXVNNI() != nil {
		is = append(is, avxVNNI)
	}
	if loops.AVX512() != nil {
		is = append(is, avx512)
	}
	return is
}

// panelSet returns the loops for panels that an implementation has.
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
