//go:build amd64 && !purego

package kernel

// stepArgs point at rows and the activations to multiply them by. Assembly relies on
// rowArgs being first.
type stepArgs struct {
	rowArgs
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
// Four selectors of 2 bits are in a byte, four of 4 bits in two bytes; selectors of 0
// bits are not read. Codes are prefetched, some of them beyond the end.

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

// steps8x0AVX2 uses code − 127 as the value, and no corrections.
//
//go:noescape
func steps8x0AVX2(acc *[lanes]float32, a *stepArgs, rows int)

// steps4WideAVX2 has int8 for values, and no corrections.
//
//go:noescape
func steps4WideAVX2(acc *[lanes]float32, a *stepArgs, rows int)

//go:noescape
func steps2x4AVX2(acc *[lanes]float32, a *stepArgs, rows int)

// groupArgs point at a row with a scale for every 16, 32 or 64 columns.
type groupArgs struct {
	codes     *byte
	scales    *byte // one per group, readable for 8 bytes beyond the last
	scaleStep int   // groups in a block
	spread    *[5 * 32]byte
	runs      *byte // offset of the table of every 16 columns, or selectors of 2 bits
	table     *byte
	q         *int8
	corr16    *int16
	d         *float32
	steps     int // at least 1
	blocks    int // if this is 1, the last step of codes of 4 bits ends after its first block
}

// The functions groupsN add steps·512 columns of N-bit codes of a row to its
// lanes.

//go:noescape
func groups4AVX2(acc *[lanes]float32, a *groupArgs)

//go:noescape
func groups3AVX2(acc *[lanes]float32, a *groupArgs)

//go:noescape
func groups2AVX2(acc *[lanes]float32, a *groupArgs)

// Functions named x0 read no runs. Functions named x2 read selectors of groups of 32 or
// 64 columns instead.

//go:noescape
func groups4x0AVX2(acc *[lanes]float32, a *groupArgs)

//go:noescape
func groups4x2By32AVX2(acc *[lanes]float32, a *groupArgs)

//go:noescape
func groups4x2By64AVX2(acc *[lanes]float32, a *groupArgs)

//go:noescape
func groups3x0AVX2(acc *[lanes]float32, a *groupArgs)

//go:noescape
func groups3x2By32AVX2(acc *[lanes]float32, a *groupArgs)

//go:noescape
func groups3x2By64AVX2(acc *[lanes]float32, a *groupArgs)

// The functions for 4-bit codes with scales of E8M0 for every 32 and E4M3 for every 16
// columns, with several codebooks and with one, do not use scaleStep and spread.

//go:noescape
func groupsE8M0AVX2(acc *[lanes]float32, a *groupArgs)

//go:noescape
func groupsE8M0x0AVX2(acc *[lanes]float32, a *groupArgs)

//go:noescape
func groupsE4M3AVX2(acc *[lanes]float32, a *groupArgs)

//go:noescape
func groupsE4M3x0AVX2(acc *[lanes]float32, a *groupArgs)

// floatArgs are stepArgs for float mode.
type floatArgs struct {
	rowArgs
	wide  *float32 // 16 per selector: tables.wide
	x     *float32
	steps int // at least 1
	more  int // if 0, the lanes are set instead of added to
}

// The functions floatStepsNxS add steps·512 columns of N-bit codes, with selectors
// of S bits, to the lanes of rows in float mode. A group has 128 columns. They move
// scales and selectors of their arguments on.

//go:noescape
func floatSteps4x0AVX2(acc *[floatLanes]float32, a *floatArgs, rows int)

//go:noescape
func floatSteps4x2AVX2(acc *[floatLanes]float32, a *floatArgs, rows int)

//go:noescape
func floatSteps4x4AVX2(acc *[floatLanes]float32, a *floatArgs, rows int)

//go:noescape
func floatSteps3x0AVX2(acc *[floatLanes]float32, a *floatArgs, rows int)

//go:noescape
func floatSteps3x2AVX2(acc *[floatLanes]float32, a *floatArgs, rows int)

//go:noescape
func floatSteps3x4AVX2(acc *[floatLanes]float32, a *floatArgs, rows int)

// floatBlocksAVX2 adds decoded blocks of 128 columns to the lanes of a row in float
// mode. k has a scale for every 16 columns.
//
//go:noescape
func floatBlocksAVX2(acc *[floatLanes]float32, values *byte, x, k *float32, blocks int)

// floatTableAVX2 is the same for codes that stand for table[code], 16 floats.
//
//go:noescape
func floatTableAVX2(acc *[floatLanes]float32, codes *byte, x, k *float32, blocks int, table *float32)

// floatSumsAVX2 adds up the lanes of rows in float mode.
//
//go:noescape
func floatSumsAVX2(dst *float32, acc *[floatLanes]float32, rows int)
