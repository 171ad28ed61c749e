//go:build amd64 && !purego

package kernel

import "github.com/bitmod-go/bitmod/datatype"

// integerRows computes the first of rows lo to hi−1 and returns the row behind
// the last that it has done.
func integerRows(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) int {
	switch {
	case impl == portable:
		return integerRowsPortable(dst, p, a, lo, hi)
	case p.bits == 8 && p.linear && p.scale == datatype.RowStep && p.groupSize%block == 0:
		return byteRows(dst, p, a, lo, hi, impl)
	case p.bits > 4 || p.groupSize%16 != 0:
		return lo
	case p.scale == datatype.RowStep && p.groupSize%block == 0:
		return stepRows(dst, p, a, lo, hi, impl)
	}
	return groupRows(dst, p, a, lo, hi, impl)
}

// loadBlocks loads the first whole blocks of x, and returns the number of columns
// that it has done. It stops before a block with a NaN or an infinity.
func loadBlocks(a *Activation, x []float32, impl implementation) int {
	if impl == portable || len(x) < block {
		return 0
	}
	return block * loadBlocksAVX2(&loadArgs{
		x: &x[0], q: &a.q[0], d: &a.d[0],
		corr: &a.corr[0], corr16: &a.corr16[0], corr4: &a.corr4[0], blocks: len(x) / block,
	})
}

// setRuns sets a.x to the first whole runs of x, and returns the number of columns
// that it has done and whether all of them are finite.
func setRuns(a *Activation, x []float32, impl implementation) (int, bool) {
	const infinity = 0x7f800000
	n := len(x) / laneRun
	if impl == portable || n == 0 {
		return 0, true
	}
	return n * laneRun, setRunsAVX2(&a.x[0], &x[0], n) < infinity
}

// dot returns Σ v·q, for at most block products.
func dot(v []int16, q []int8, impl implementation) int32 {
	if impl >= avx2 && len(v) >= 16 {
		n := len(v) &^ 15
		return dotAVX2(&v[0], &q[0], n) + dotGeneric(v[n:], q[n:])
	}
	return dotGeneric(v, q)
}

// direct reports whether the scales and selectors of a row are as the functions of
// steps want them: one of each to a block.
func (p *plan) direct() bool {
	return p.scale == datatype.RowStep && p.groupSize == block && p.bits > 2 &&
		(p.selectorBits == 0 || p.selectorBits == 2 || p.selectorBits == 4)
}

// stepRows computes rows with scales for every 128 columns, or a multiple.
func stepRows(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) int {
	whole, left := p.cols/step, p.cols%step
	direct := p.direct()
	args := stepArgs{
		table:          &p.bytes[0],
		codeStride:     p.rowBytes,
		scaleStride:    p.groups,
		selectorStride: p.selectorBytes,
	}
	var last tail
	for ; lo < hi; lo += tileRows {
		n := min(tileRows, hi-lo)
		var acc [tileRows][lanes]float32
		if direct && whole > 0 {
			args.codes = &p.s.Codes[lo*p.rowBytes]
			args.scales = &p.s.Scales[lo*p.groups]
			if p.selectorBits > 0 {
				args.selectors = &p.s.Selectors[lo*p.selectorBytes]
			}
			args.at(a, 0, whole)
			steps(&acc[0], &args, n, p.bits, p.selectorBits, impl)
		}
		for i := 0; !direct && i < n; i++ {
			stepRow(&acc[i], p, a, lo+i, impl)
		}
		switch {
		case left > 0 && left%block == 0 && p.bits > 2:
			last.fill(p, lo, n)
			end := stepArgs{
				codes: &last.codes[0][0], scales: &last.scales[0][0], selectors: &last.selectors[0][0],
				codeStride: 256, scaleStride: 4, selectorStride: 2,
				table: &p.bytes[0],
			}
			end.at(a, whole, 1)
			steps(&acc[0], &end, n, p.bits, selectorBits(p), impl)
		case left > 0:
			for i := range n {
				stepRowRagged(&acc[i], p, a, lo+i)
			}
		}
		for i := range n {
			dst[lo+i] = p.finish(&acc[i], lo+i)
		}
	}
	return hi
}

// stepRow adds the whole steps of a row whose scales and selectors are not as
// the assembly wants them.
func stepRow(acc *[lanes]float32, p *plan, a *Activation, row int, impl implementation) {
	var meta stepMeta
	whole := p.cols / step
	for at := 0; at < whole; at += maxSteps {
		n := min(maxSteps, whole-at)
		meta.expand(p, row, at, n)
		args := stepArgs{
			codes:     &p.s.Codes[row*p.rowBytes+at*step*p.bits/8],
			scales:    &meta.scales[0],
			selectors: &meta.selectors[0],
			table:     &p.bytes[0],
		}
		args.at(a, at, n)
		steps(acc, &args, 1, p.bits, selectorBits(p), impl)
	}
}

// stepRowRagged adds what is behind the whole steps of a row, any number of columns.
func stepRowRagged(acc *[lanes]float32, p *plan, a *Activation, row int) {
	var meta runMeta
	meta.addSteps(acc, p, a, row, p.cols/step)
}

// byteRows computes rows of 8-bit integers, whose values are their codes less a
// number that makes the correction.
func byteRows(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) int {
	var meta stepMeta
	var corr [4 * maxSteps]int32
	whole := p.cols / step
	perGroup := p.groupSize / block
	for r := lo; r < hi; r++ {
		var acc [lanes]float32
		for at := 0; at < whole; at += maxSteps {
			n := min(maxSteps, whole-at)
			meta.expand(p, r, at, n)
			codes := &p.s.Codes[r*p.rowBytes+at*step]
			args := stepArgs{codes: codes, scales: &meta.scales[0], table: codes} // of which nothing is used
			args.at(a, at, n)
			for i, c := range a.corr[4*at:][:4*n] {
				value := p.ints[p.selector(r, (4*at+i)/perGroup)][0] // of code 0
				corr[i] = c / offset * -int32(value)
			}
			args.corr = &corr[0]
			if impl == avx512 {
				steps8AVX512(&acc, &args, 1)
			} else {
				steps8AVX2(&acc, &args, 1)
			}
		}
		p.integerRow(&acc, a, r, whole*step, impl)
		dst[r] = p.finish(&acc, r)
	}
	return hi
}

// at sets the part of a that n steps from step s on are multiplied by.
func (args *stepArgs) at(a *Activation, s, n int) {
	args.q, args.corr, args.d = &a.q[s*step], &a.corr[s*4], &a.d[s*4]
	args.steps = n
}

func steps(acc *[lanes]float32, args *stepArgs, rows, bits, selectorBits int, impl implementation) {
	switch {
	case impl == avx512:
		stepsAVX512(acc, args, rows, bits, selectorBits)
	case bits == 2:
		steps2x4AVX2(acc, args, rows)
	case bits == 4 && selectorBits == 0:
		steps4x0AVX2(acc, args, rows)
	case bits == 4 && selectorBits == 2:
		steps4x2AVX2(acc, args, rows)
	case bits == 4:
		steps4x4AVX2(acc, args, rows)
	case selectorBits == 0:
		steps3x0AVX2(acc, args, rows)
	case selectorBits == 2:
		steps3x2AVX2(acc, args, rows)
	default:
		steps3x4AVX2(acc, args, rows)
	}
}

// selectorBits returns the size of the selectors that stepMeta has for p.
func selectorBits(p *plan) int {
	if p.selectorBits == 0 {
		return 0
	}
	return 4
}
