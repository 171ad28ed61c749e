//go:build arm64 && !purego

package loops

import "golang.org/x/sys/cpu"

// NEON returns the Set for all arm64 processors.
func NEON() *Set { return &neon }

// NEONDot returns the Set for processors with the dot product, or nil on others.
func NEONDot() *Set {
	if cpu.ARM64.HasASIMDDP {
		return &neonDot
	}
	return nil
}

// NEONMatrix returns the Set for processors that multiply matrices of bytes, or nil on
// others.
func NEONMatrix() *Set {
	if cpu.ARM64.HasASIMDDP && cpu.ARM64.HasI8MM {
		return &neonMatrix
	}
	return nil
}
