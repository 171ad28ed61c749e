//go:build !unix

package kernel

// guards are ordinary memory where pages cannot be protected.
type guards struct{}

func (*guards) bytes(n int) []byte { return make([]byte, n) }
func (*guards) free()              {}
