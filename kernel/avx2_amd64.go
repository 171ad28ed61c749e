//go:build amd64 && !purego

package kernel

// dotAVX2 returns the sum of v[i]·q[i] for i below n, a positive multiple of 16.
//
//go:noescape
func dotAVX2(v *int16, q *int8, n int) int32

// stepArgs are rows of codes, and what they are multiplied by, as the functions
// of steps want them: the first steps·512 columns of each row, with a scale for
// every 128 of them.
type stepArgs struct {
	codes     *byte
	scales    *byte
	selectors *byte
	// From row to row.
	codeStride, scaleStride, selectorStride int

	table *byte // 16 bytes per selector: tables.bytes
	q     *int8
	corr  *int32
	d     *float32
	steps int // at least 1
}

// The functions stepsNxS add steps·512 columns of N-bit codes, with selectors of
// S bits, to the lanes of rows rows:
//
//	for row := range rows {
//		for b := range 4 * steps {
//			sum := Σ (table[selector(b)][code] · q)    // over 128 columns
//			i := int32(scale[b]) * (sum - corr[b])
//			acc[row][b%4] += float32(float32(i) * d[b])
//		}
//	}
//
// Selectors of 2 bits are four to a byte, those of 4 bits four to two bytes, and
// those of 0 bits are not read. Codes are prefetched, some of them beyond the end.

//go:noescape
func steps4x0AVX2(acc *[lanes]float32, a *stepArgs, rows int)

//go:noescape
func steps4x2AVX2(acc *[lanes]float32, a *stepArgs, rows int)

//go:noescape
func steps4x4AVX2(acc *[lanes]float32, a *stepArgs, rows int)

//go:noescape
func steps3x0AVX2(acc *[lanes]float32, a *stepArgs, rows int)

//go:noescape
func steps3x2AVX2(acc *[lanes]float32, a *stepArgs, rows int)

//go:noescape
func steps3x4AVX2(acc *[lanes]float32, a *stepArgs, rows int)
