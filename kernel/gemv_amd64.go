//go:build amd64 && !purego

package kernel

// integerRows computes the first of rows lo to hi−1 and returns the row behind
// the last that it has done.
func integerRows(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) int {
	switch impl {
	case avx2:
		return lo
	}
	return integerRowsPortable(dst, p, a, lo, hi)
}

// floatRows is integerRows for float mode.
func floatRows(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) int {
	return lo
}

// loadBlocks loads the first whole blocks of x, and returns the number of columns
// that it has done. It stops before a block with a NaN or an infinity.
func loadBlocks(a *Activation, x []float32, impl implementation) int { return 0 }

// dot returns Σ v·q, for at most block products.
func dot(v []int16, q []int8, impl implementation) int32 {
	if impl >= avx2 && len(v) >= 16 {
		n := len(v) &^ 15
		return dotAVX2(&v[0], &q[0], n) + dotGeneric(v[n:], q[n:])
	}
	return dotGeneric(v, q)
}

// batchRows is integerRows for a batch: row r of activation t goes to
// dst[t·p.rows+r].
func batchRows(dst []float32, p *plan, as []Activation, lo, hi int, impl implementation) int {
	return lo
}
