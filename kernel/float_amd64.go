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
	vector := impl == avx512 || p.ints != nil
	direct := whole > 0 && p.direct() && vector
	args := floatArgs{
		codeStride:     p.rowBytes,
		scaleStride:    p.groups,
		selectorStride: p.selectorBytes,
		table:          &p.signed[0],
		wide:           &p.wide[0],
	}
	// Steps whose activations stay in the first-level cache for all rows of a tile.
	const most = 16
	parts := (whole + most - 1) / most
	part := (whole + parts - 1) / max(1, parts)
	small := whole > 0 && impl == avx512 && p.smallGroups()
	var table [64]byte
	var groups groupStepArgs
	if small {
		p.groupTable(&table, p.signed)
		groups = p.groupArgs(a, &table)
	}
	// Blocks behind the whole steps.
	end := vector && p.scale == datatype.RowStep && p.groupSize%block == 0 && p.bits > 2 && p.cols%block == 0
	var last tail
	var acc [tileRows][floatLanes]float32
	for ; lo < hi; lo += tileRows {
		n := min(tileRows, hi-lo)
		s := 0
		if direct {
			for ; s < whole; s += args.steps {
				args.steps, args.more = min(part, whole-s), s
				args.x = &a.x[s*step]
				args.codes = &p.s.Codes[lo*p.rowBytes+s*step*p.bits/8]
				args.scales = &p.s.Scales[lo*p.groups+4*s]
				if p.selectorBits > 0 {
					args.selectors = &p.s.Selectors[lo*p.selectorBytes+s*p.selectorBits/2]
				}
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
		if s == whole && end && p.cols%step > 0 {
			last.fill(p, lo, n)
			args := floatArgs{
				codes: &last.codes[0][0], scales: &last.scales[0][0], selectors: &last.selectors[0][0],
				codeStride: 256, scaleStride: 4, selectorStride: 2,
				table: &p.signed[0], wide: &p.wide[0], x: &a.x[whole*step], steps: 1, more: 1,
			}
			floatSteps(&acc[0], &args, n, p.bits, selectorBits(p), impl)
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

// addFloats adds the steps of a row from step s on to the lanes of float mode.
func (r *runMeta) addFloats(acc *[floatLanes]float32, p *plan, a *Activation, row, s int, impl implementation) {
	for ; s*step < p.cols; s += runSteps {
		n := min(runSteps, (p.cols-1)/step+1-s)
		r.fill(p, row, s, n)
		r.fillRunK(p, s, n)
		r.decode(r.values[:], p, p.signed, row, s, n)
		x := &a.x[s*step]
		switch {
		case p.ints != nil && impl == avx512:
			floatBlocksAVX512(acc, &r.values[0], x, &r.runK[0], 4*n)
		case p.ints != nil:
			floatBlocksAVX2(acc, &r.values[0], x, &r.runK[0], 4*n)
		case impl == avx512:
			floatTableAVX512(acc, &r.values[0], x, &r.runK[0], 4*n, &p.wide[0])
		default:
			floatTableAVX2(acc, &r.values[0], x, &r.runK[0], 4*n, &p.wide[0])
		}
	}
}

// scaleRows multiplies the sums of rows lo to hi−1 by their outer factors.
func (p *plan) scaleRows(dst []float32, lo, hi int) {
	dst = dst[lo:hi]
	if p.scale == datatype.RowStep {
		scales := p.s.RowScales[lo:hi]
		for i := range dst {
			dst[i] = float32(dst[i] * float32(scales[i]*p.unit))
		}
		return
	}
	outer := p.outer(lo)
	for i := range dst {
		dst[i] = float32(dst[i] * outer)
	}
}
