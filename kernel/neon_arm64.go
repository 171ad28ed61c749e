//go:build arm64 && !purego

package kernel

// Functions whose names end in Dot want the dot-product instructions; all others
// do without.

// dotNEON returns the sum of v[i]·q[i] for i below n, a positive multiple of 16.
//
//go:noescape
func dotNEON(v *int16, q *int8, n int) int32

// blockArgs are rows of codes, and what they are multiplied by, as the functions
// blockSums want them: the first steps·512 columns of each row, with a selector
// for every 128 of them.
type blockArgs struct {
	codes        *byte
	selectors    *byte // any byte, if they have no bits
	selectorBits int
	table        *byte // 16 bytes per selector: tables.signed
	q            *int8
	steps        int // at least 1

	// From row to row.
	codeStride, selectorStride int
}

// The functions blockSumsN write the sums of blocks of N-bit codes:
//
//	for row := range rows {
//		for b := range 4 * steps {
//			sums[row][b] = Σ table[selector(row, b)][code] · q // over 128 columns
//		}
//	}
//
// Codes are prefetched, some of them beyond the end.

//go:noescape
func blockSums4NEON(sums *int32, a *blockArgs, rows int)

//go:noescape
func blockSums3NEON(sums *int32, a *blockArgs, rows int)

//go:noescape
func blockSums4Dot(sums *int32, a *blockArgs, rows int)

//go:noescape
func blockSums3Dot(sums *int32, a *blockArgs, rows int)

// The functions decodeN unpack steps·512 columns of N-bit codes and look each up
// in the 16 bytes at table + runs[column/16].

//go:noescape
func decode4NEON(dst, codes, runs, table *byte, steps int)

//go:noescape
func decode3NEON(dst, codes, runs, table *byte, steps int)

//go:noescape
func decode2NEON(dst, codes, runs, table *byte, steps int)

// The functions runSums write the sums of values[i]·q[i] over 16 columns each.

//go:noescape
func runSumsNEON(sums *int32, values *byte, q *int8, blocks int)

//go:noescape
func runSumsDot(sums *int32, values *byte, q *int8, blocks int)

// scaleBlocksNEON adds the blocks of steps to the lanes:
//
//	for b := range 4 * steps {
//		i := int32(scales[b]) * sums[b]
//		acc[b%4] += float32(float32(i) * d[b])
//	}
//
//go:noescape
func scaleBlocksNEON(acc *[lanes]float32, sums *int32, scales *byte, d *float32, steps int)

// scaleRunsNEON is the same, with the sum and the scale of every run of 16
// columns: i is the sum of eight products.
//
//go:noescape
func scaleRunsNEON(acc *[lanes]float32, sums *int32, scales *byte, d *float32, steps int)

// floatBlocksNEON adds blocks of 128 columns, which have been decoded, to the lanes
// of a row in float mode. k has a scale for every 16 columns.
//
//go:noescape
func floatBlocksNEON(acc *[floatLanes]float32, values *byte, x, k *float32, blocks int)

// floatTableNEON is the same for codes that stand for table[code], 16 floats.
//
//go:noescape
func floatTableNEON(acc *[floatLanes]float32, codes *byte, x, k *float32, blocks int, table *float32)

// setRunsNEON writes n times 64 floats of x to dst in laneOrder, and returns the
// largest of their bits without the sign.
//
//go:noescape
func setRunsNEON(dst, x *float32, n int) uint32

// loadArgs are blocks of activations, as Activation has them.
type loadArgs struct {
	x      *float32
	q      *int8
	d      *float32
	corr   *int32
	corr16 *int16
	blocks int // at least 1
}

// loadBlocksNEON loads blocks, and returns how many before the first with a NaN
// or an infinity.
//
//go:noescape
func loadBlocksNEON(a *loadArgs) int
