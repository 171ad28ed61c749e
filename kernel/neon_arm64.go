//go:build arm64 && !purego

package kernel

// Functions whose names end in Dot need the dot-product instructions; the others do
// not.

// blockArgs point at rows of codes and the activations to multiply them by, for the
// functions addBlocks: the first steps·512 columns of each row, with a scale and a
// selector for every 128 of them.
type blockArgs struct {
	codes        *byte
	scales       *byte
	selectors    *byte // any byte, if they have no bits
	selectorBits int
	table        *byte // 16 bytes per selector: tables.signed
	q            *int8
	d            *float32 // by block
	steps        int      // at least 1

	// From row to row.
	codeStride, scaleStride, selectorStride int
}

// The functions addBlocksN add blocks of N-bit codes to the lanes of rows:
//
//	for row := range rows {
//		for b := range 4 * steps {
//			i := int32(scales[row][b]) * Σ table[selector(row, b)][code] · q // over 128 columns
//			acc[row][b%4] += float32(float32(i) * d[b])
//		}
//	}
//
// Codes are prefetched, some of them beyond the end.

//go:noescape
func addBlocks4NEON(acc *[lanes]float32, a *blockArgs, rows int)

//go:noescape
func addBlocks3NEON(acc *[lanes]float32, a *blockArgs, rows int)

//go:noescape
func addBlocks4Dot(acc *[lanes]float32, a *blockArgs, rows int)

//go:noescape
func addBlocks3Dot(acc *[lanes]float32, a *blockArgs, rows int)

// floatBlocksNEON adds decoded blocks of 128 columns to the lanes of a row in float
// mode. k has a scale for every 16 columns.
//
//go:noescape
func floatBlocksNEON(acc *[floatLanes]float32, values *byte, x, k *float32, blocks int)

// floatTableNEON is the same for codes that stand for table[code], 16 floats.
//
//go:noescape
func floatTableNEON(acc *[floatLanes]float32, codes *byte, x, k *float32, blocks int, table *float32)
