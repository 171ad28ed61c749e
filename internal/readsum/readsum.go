// Package readsum reads memory as fast as one thread can, to know what share of
// that a kernel reaches that reads the same bytes.
package readsum

// Sum adds up the bytes of b, 8 at a time as little-endian integers; those behind
// the last multiple of 256 are left out.
func Sum(b []byte) uint64 {
	b = b[:len(b)&^255]
	if len(b) == 0 {
		return 0
	}
	return sum(b)
}
