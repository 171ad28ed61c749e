//go:build amd64 && !purego

package kernel

import "github.com/bitmod-go/bitmod/datatype"

// floatRows is integerRows for float mode.
func floatRows(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) int {
	if impl == portable || p.bits > 4 || p.groupSize%16 != 0 {
		return lo
	}
	var meta runMeta
	whole := p.cols / step
	vector := impl == avx512 || p.exact
	direct := whole > 0 && p.direct() && vector
	args := floatArgs{rowArgs: p.directRows(p.signed), wide: &p.wide[0]}
	// So many steps that their activations stay in the first-level cache for all rows
	// of a tile.
	const most = 16
	parts := (whole + most - 1) / most
	part := (whole + parts - 1) / max(1, parts)
	small := whole > 0 && impl == avx512 && p.exact && p.fine() && p.bits >= 3
	var table [64]byte
	var groups groupStepArgs
	if small {
		p.groupTable(&table)
		groups = p.groupArgs(a, &table)
	}
	// Blocks after the whole steps.
	tails := vector && p.scale == datatype.RowStep && p.groupSize%block == 0 && p.bits > 2
	var last tail
	var acc [tileRows][floatLanes]float32
	for ; lo < hi; lo += tileRows {
		n := min(tileRows, hi-lo)
		s := 0
		if direct {
			for ; s < whole; s += args.steps {
				args.steps, args.more = min(part, whole-s), s
				args.x = &a.x[s*step]
				args.start(p, lo, s)
				floatSteps(&acc[0], &args, n, p.bits, p.selectorBits, impl)
			}
		} else {
			clear(acc[:n])
		}
		for i := 0; small && i < n; i++ {
			s = whole
			groups.row(p, lo+i)
			p.floatGroupSteps(&acc[i], &groups)
		}
		if s == whole && tails && p.cols%step > 0 {
			last.fill(p, lo, n)
			end := floatArgs{rowArgs: last.rows(p.signed), wide: &p.wide[0], x: &a.x[whole*step], steps: 1, more: 1}
			floatSteps(&acc[0], &end, n, p.bits, selectorBits(p), impl)
		} else if s*step < p.cols {
			for i := range n {
				meta.addFloats(&acc[i], p, a, lo+i, s, impl)
			}
		}
		floatSumsAVX2(&dst[lo], &acc[0], n)
		p.scaleRows(dst, lo, lo+n)
	}
	return hi
}

func floatSteps(acc *[floatLanes]float32, args *floatArgs, rows, bits, selectorBits int, impl implementation) {
	switch {
	case impl == avx512:
		floatStepsAVX512(acc, args, rows, bits, selectorBits)
	case bits == 4 && selectorBits == 0:
		floatSteps4x0AVX2(acc, args, rows)
	case bits == 4 && selectorBits == 2:
		floatSteps4x2AVX2(acc, args, rows)
	case bits == 4:
		floatSteps4x4AVX2(acc, args, rows)
	case selectorBits == 0:
		floatSteps3x0AVX2(acc, args, rows)
	case selectorBits == 2:
		floatSteps3x2AVX2(acc, args, rows)
	default:
		floatSteps3x4AVX2(acc, args, rows)
	}
}

func floatBlocks(acc *[floatLanes]float32, values *byte, x, k *float32, blocks int, impl implementation) {
	if impl == avx512 {
		floatBlocksAVX512(acc, values, x, k, blocks)
	} else {
		floatBlocksAVX2(acc, values, x, k, blocks)
	}
}

func floatTable(acc *[floatLanes]float32, codes *byte, x, k *float32, blocks int, table *float32, impl implementation) {
	if impl == avx512 {
		floatTableAVX512(acc, codes, x, k, blocks, table)
	} else {
		floatTableAVX2(acc, codes, x, k, blocks, table)
	}
}

// scaleRows multiplies the sums of rows lo to hi−1 by their outer factors.
func (p *plan) scaleRows(dst []float32, lo, hi int) {
	dst = dst[lo:hi]
	if p.scale == datatype.RowStep {
		scales := p.s.RowScales[lo:hi]
		for i := range dst {
			dst[i] = float32(dst[i] * float32(scales[i]*p.floatUnit))
		}
		return
	}
	outer := p.outer(lo, p.floatUnit)
	for i := range dst {
		dst[i] = float32(dst[i] * outer)
	}
}
