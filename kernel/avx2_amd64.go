//go:build amd64 && !purego

package kernel

// dotAVX2 returns the sum of v[i]·q[i] for i below n, a positive multiple of 16.
//
//go:noescape
func dotAVX2(v *int16, q *int8, n int) int32
