//go:build amd64 && !purego

package kernel

// The functions floatSteps for AVX-512 are like those for AVX2.

//go:noescape
func floatSteps4x0AVX512(acc *[floatLanes]float32, a *floatArgs, rows int)

//go:noescape
func floatSteps4x2AVX512(acc *[floatLanes]float32, a *floatArgs, rows int)

//go:noescape
func floatSteps4x4AVX512(acc *[floatLanes]float32, a *floatArgs, rows int)

//go:noescape
func floatSteps3x0AVX512(acc *[floatLanes]float32, a *floatArgs, rows int)

//go:noescape
func floatSteps3x2AVX512(acc *[floatLanes]float32, a *floatArgs, rows int)

//go:noescape
func floatSteps3x4AVX512(acc *[floatLanes]float32, a *floatArgs, rows int)

func floatStepsAVX512(acc *[floatLanes]float32, args *floatArgs, rows, bits, selectorBits int) {
	switch {
	case bits == 4 && selectorBits == 0:
		floatSteps4x0AVX512(acc, args, rows)
	case bits == 4 && selectorBits == 2:
		floatSteps4x2AVX512(acc, args, rows)
	case bits == 4:
		floatSteps4x4AVX512(acc, args, rows)
	case selectorBits == 0:
		floatSteps3x0AVX512(acc, args, rows)
	case selectorBits == 2:
		floatSteps3x2AVX512(acc, args, rows)
	default:
		floatSteps3x4AVX512(acc, args, rows)
	}
}

// These functions are like those for AVX2.

//go:noescape
func floatBlocksAVX512(acc *[floatLanes]float32, values *byte, x, k *float32, blocks int)

//go:noescape
func floatTableAVX512(acc *[floatLanes]float32, codes *byte, x, k *float32, blocks int, table *float32)
