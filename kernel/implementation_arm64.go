//go:build arm64 && !purego

package kernel

import (
	"golang.org/x/sys/cpu"

	"github.com/bitmod-go/bitmod/internal/loops"
)

// assembly says whether there is any in this build.
const assembly = true

// hasPrefix says whether an Activation has prefix.
const hasPrefix = false

// implementations returns those of this machine, the fastest last. All arm64
// processors that Go runs on have NEON; whether they have the dot product, and that
// of matrices, only the system can say.
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

// panelSet returns the loops for panels that an implementation has.
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
