//go:build arm64 && !purego

package kernel

import (
	"golang.org/x/sys/cpu"

	"github.com/bitmod-go/bitmod/internal/loops"
)

// assembly reports whether this build has assembly.
const assembly = true

// hasPrefix reports whether Activations have a prefix.
const hasPrefix = false

// implementations returns the implementations for this machine, the fastest last. All
// arm64 processors that Go supports have NEON; the system knows whether they have the
// dot product and the matrix product.
func implementations() []implementation {
	is := []implementation{portable, neon}
	if cpu.ARM64.HasASIMDDP {
		is = append(is, neonDot)
	}
	if loops.NEONMatrix() != nil {
		is = append(is, neonMatrix)
	}
	return is
}

// panelSet returns the loops for panels of an implementation.
func panelSet(impl implementation) *loops.Set {
	switch impl {
	case neon:
		return loops.NEON()
	case neonDot:
		return loops.NEONDot()
	case neonMatrix:
		return loops.NEONMatrix()
	}
	return nil
}
