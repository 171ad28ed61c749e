//go:build arm64 && !purego

package loops

import "golang.org/x/sys/cpu"

// NEON returns what all arm64 processors have.
func NEON() *Set { return &neon }

// NEONDot returns what processors with the dot product have, or nil on others.
func NEONDot() *Set {
	if cpu.ARM64.HasASIMDDP {
		return &neonDot
	}
	return nil
}

// NEONMatrix returns what processors have that multiply matrices of bytes, or nil on
// others.
func NEONMatrix() *Set {
	if cpu.ARM64.HasASIMDDP && cpu.ARM64.HasI8MM {
		return &neonMatrix
	}
	return nil
}
