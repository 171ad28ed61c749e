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

// floatRows is integerRows for float mode.
func floatRows(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) int {
	if impl == portable || p.bits > 4 || p.groupSize%16 != 0 {
		return lo
	}
	const tile = 16
	var meta runMeta
	whole := p.cols / step
	direct := whole > 0 && p.direct() && (impl == avx512 || p.ints != nil)
	args := floatArgs{
		codeStride:     p.rowBytes,
		scaleStride:    p.groups,
		selectorStride: p.selectorBytes,
		table:          &p.signed[0],
		wide:           &p.wide[0],
		x:              &a.x[0],
		steps:          whole,
	}
	small := whole > 0 && impl == avx512 && p.smallGroups()
	var table [64]byte
	var groups groupStepArgs
	if small {
		p.groupTable(&table, p.signed)
		groups = p.groupSteps(a, &table)
	}
	var acc [tile][floatLanes]float32
	for ; lo < hi; lo += tile {
		n := min(tile, hi-lo)
		s := 0
		if direct {
			s = whole
			args.codes = &p.s.Codes[lo*p.rowBytes]
			args.scales = &p.s.Scales[lo*p.groups]
			if p.selectorBits > 0 {
				args.selectors = &p.s.Selectors[lo*p.selectorBytes]
			}
			floatSteps(&acc[0], &args, n, p.bits, p.selectorBits, impl)
		} else {
			clear(acc[:n])
		}
		for i := 0; small && i < n; i++ {
			s = whole
			groups.row(p, lo+i)
			if p.bits == 4 {
				floatGroupSteps4AVX512(&acc[i], &groups)
			} else {
				floatGroupSteps3AVX512(&acc[i], &groups)
			}
		}
		if s*step < p.cols {
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
	const tile = 16
	whole := p.cols / step
	direct := p.direct()
	args := stepArgs{
		table:          &p.bytes[0],
		codeStride:     p.rowBytes,
		scaleStride:    p.groups,
		selectorStride: p.selectorBytes,
	}
	for ; lo < hi; lo += tile {
		n := min(tile, hi-lo)
		var acc [tile][lanes]float32
		if direct && whole > 0 {
			args.codes = &p.s.Codes[lo*p.rowBytes]
			args.scales = &p.s.Scales[lo*p.groups]
			if p.selectorBits > 0 {
				args.selectors = &p.s.Selectors[lo*p.selectorBytes]
			}
			args.at(a, 0, whole)
			steps(&acc[0], &args, n, p.bits, p.selectorBits, impl)
		}
		for i := range n {
			if !direct {
				stepRow(&acc[i], p, a, lo+i, impl)
			}
			if left := p.cols - whole*step; left > 0 {
				if left%block == 0 && p.bits > 2 {
					stepRowEnd(&acc[i], p, a, lo+i, impl)
				} else {
					stepRowRagged(&acc[i], p, a, lo+i)
				}
			}
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

// stepRowEnd adds what is behind the whole steps of a row: one to three blocks.
func stepRowEnd(acc *[lanes]float32, p *plan, a *Activation, row int, impl implementation) {
	var meta stepMeta
	var codes [256]byte
	p.lastStep(&codes, row)
	at := p.cols / step
	meta.expand(p, row, at, 1)
	args := stepArgs{
		codes:     &codes[0],
		scales:    &meta.scales[0],
		selectors: &meta.selectors[0],
		table:     &p.bytes[0],
	}
	args.at(a, at, 1)
	steps(acc, &args, 1, p.bits, selectorBits(p), impl)
}

// stepRowRagged is stepRowEnd for any number of columns.
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

// groupRows computes rows with any other scales, for multiples of 16 columns.
func groupRows(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) int {
	var meta runMeta
	small := p.scale == datatype.RowStep && 64%p.groupSize == 0
	whole := p.cols / step
	direct := impl == avx512 && whole > 0 && p.smallGroups()
	var table [64]byte
	var args groupStepArgs
	if direct {
		p.groupTable(&table, p.bytes)
		args = p.groupSteps(a, &table)
	}
	for r := lo; r < hi; r++ {
		var acc [lanes]float32
		s := 0
		switch {
		case direct:
			s = whole
			args.row(p, r)
			if p.bits == 4 {
				groupSteps4AVX512(&acc, &args)
			} else {
				groupSteps3AVX512(&acc, &args)
			}
		case small:
			s = whole
			meta.addGroups(&acc, p, a, r)
		}
		meta.addSteps(&acc, p, a, r, s)
		dst[r] = p.finish(&acc, r)
	}
	return hi
}

// addGroups adds the whole steps of a row with scales for every 16, 32 or 64
// columns.
func (r *runMeta) addGroups(acc *[lanes]float32, p *plan, a *Activation, row int) {
	spread := &spreads[p.groupSize/32]
	for s := 0; s < p.cols/step; s += runSteps {
		n := min(runSteps, p.cols/step-s)
		r.fill(p, row, s, n)
		args := groupArgs{
			codes:     &p.s.Codes[row*p.rowBytes+s*step*p.bits/8],
			scales:    &r.scales[0],
			scaleStep: block / p.groupSize,
			spread:    spread,
			runs:      &r.tables[0],
			table:     &p.bytes[0],
			q:         &a.q[s*step],
			corr16:    &a.corr16[s*32],
			d:         &a.d[s*4],
			steps:     n,
		}
		switch p.bits {
		case 4:
			groups4AVX2(acc, &args)
		case 3:
			groups3AVX2(acc, &args)
		default:
			groups2AVX2(acc, &args)
		}
	}
}

// addSteps adds the steps of a row from step s on, whatever its scales.
func (r *runMeta) addSteps(acc *[lanes]float32, p *plan, a *Activation, row, s int) {
	for ; s*step < p.cols; s += runSteps {
		n := min(runSteps, (p.cols-1)/step+1-s)
		r.fill(p, row, s, n)
		if p.scale != datatype.RowStep {
			r.fillK(p, n*step/p.groupSize+2)
		}
		r.decode(r.values[:], p, p.bytes, row, s, n)
		runSumsAVX2(&r.sums[0], &r.values[0], &a.q[s*step], &a.corr16[s*32], 4*n)
		r.addSums(acc, p, a, s, 4*n)
	}
}

// decode writes to values what table has for the codes of n steps from step s on,
// for which r is filled.
func (r *runMeta) decode(values []byte, p *plan, table []byte, row, s, n int) {
	whole := min(n, p.cols/step-s)
	if whole > 0 {
		codes := &p.s.Codes[row*p.rowBytes+s*step*p.bits/8]
		decode(&values[0], codes, &r.tables[0], &table[0], p.bits, whole)
	}
	if whole == n {
		return
	}
	if p.cols%block == 0 && p.bits > 2 {
		p.lastStep(&r.codes, row)
		decode(&values[whole*step], &r.codes[0], &r.tables[whole*32], &table[0], p.bits, 1)
		return
	}
	r.decodeEnd(values, p, table, row, s, whole)
}

func decode(dst, codes, runs, table *byte, bits, steps int) {
	switch bits {
	case 4:
		decode4AVX2(dst, codes, runs, table, steps)
	case 3:
		decode3AVX2(dst, codes, runs, table, steps)
	default:
		decode2AVX2(dst, codes, runs, table, steps)
	}
}

// spreads are, for scales of 16, 32 and 64 columns, the byte shuffles that groupArgs
// wants.
var spreads = func() (s [3][5 * 32]byte) {
	for i, size := range []int{16, 32, 64} {
		for b := range s[i] {
			switch {
			case b%2 == 1:
				s[i][b] = 0x80 // the high byte of a word: 0
			case b < 128:
				s[i][b] = byte((b/32*32 + b%32/16*16) / size) // 16 bytes are 16 columns
			default:
				s[i][b] = byte((b - 128) / 2 * 16 / size) // a word is 16 columns
			}
		}
	}
	return s
}()
