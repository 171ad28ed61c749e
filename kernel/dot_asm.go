//go:build (amd64 || arm64) && !purego

package kernel

// dotVector returns the sum of v[i]·q[i] for i below n, a positive multiple of 16.
//
//go:noescape
func dotVector(v *int16, q *int8, n int) int32

// dot returns Σ v·q, for at most block products.
func dot(v []int16, q []int8, impl implementation) int32 {
	if impl != portable && len(v) >= 16 {
		n := len(v) &^ 15
		return dotVector(&v[0], &q[0], n) + dotGeneric(v[n:], q[n:])
	}
	return dotGeneric(v, q)
}
