//go:build amd64 && !purego

package floats

import "testing"

// Processors without AVX-512 multiply by another's assembly.
func TestMultiplyAxpy(t *testing.T) {
	defer func(a bool) { available = a }(available)
	available = false
	TestMultiply(t)
}
