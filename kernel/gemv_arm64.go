//go:build arm64 && !purego

package kernel

import "github.com/bitmod-go/bitmod/datatype"

func integerRows([]float32, *plan, *Activation, int, int, loop, implementation) {}

// floatPanelRows is never called: there are no sets for float mode.
func floatPanelRows([]float32, *plan, []Activation, int, int, implementation) {}

// panelRows computes rows lo to hi−1 for all activations.
func panelRows(dst []float32, p *plan, as []Activation, lo, hi int, _ bool, impl implementation) {
	for i := range as {
		vectorRows(dst[i*p.rows:(i+1)*p.rows], p, &as[i], lo, hi, impl)
	}
}

func vectorRows(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) {
	switch {
	case p.bits > 4 || p.groupSize%16 != 0:
	case p.scale == datatype.RowStep && p.groupSize%block == 0 && p.bits > 2:
		lo = blockRows(dst, p, a, lo, hi, impl)
	default:
		var meta runMeta
		for ; lo < hi; lo++ {
			var acc [lanes]float32
			meta.addSteps(&acc, p, a, lo, 0, impl)
			dst[lo] = p.finish(&acc, lo)
		}
	}
	for ; lo < hi; lo++ {
		var acc [lanes]float32
		p.integerRow(&acc, a, lo, 0, impl)
		dst[lo] = p.finish(&acc, lo)
	}
}

// floatRows is integerRows for float mode.
func floatRows(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) int {
	if impl == portable || p.bits > 4 || p.groupSize%16 != 0 {
		return lo
	}
	var meta runMeta
	for r := lo; r < hi; r++ {
		var acc [floatLanes]float32
		meta.addFloats(&acc, p, a, r, 0, impl)
		dst[r] = p.finishFloat(&acc, r)
	}
	return hi
}

func floatBlocks(acc *[floatLanes]float32, values *byte, x, k *float32, blocks int, _ implementation) {
	floatBlocksNEON(acc, values, x, k, blocks)
}

func floatTable(acc *[floatLanes]float32, codes *byte, x, k *float32, blocks int, table *float32, _ implementation) {
	floatTableNEON(acc, codes, x, k, blocks, table)
}

// blockRows computes rows with scales for every 128 columns, or a multiple, of
// codes of 3 and 4 bits.
func blockRows(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) int {
	whole := p.cols / step
	var sums [tileRows * 4 * maxSteps]int32
	for ; lo < hi; lo += tileRows {
		n := min(tileRows, hi-lo)
		var acc [tileRows][lanes]float32
		for at := 0; at < whole; at += maxSteps {
			steps := min(maxSteps, whole-at)
			if p.groupSize == block {
				p.addBlocks(acc[:n], &sums, a, lo, at, steps, impl)
				continue
			}
			for i := range n {
				p.expandBlocks(&acc[i], &sums, a, lo+i, at, steps, impl)
			}
		}
		for i := range n {
			if p.cols > whole*step {
				p.expandBlocks(&acc[i], &sums, a, lo+i, whole, 1, impl)
			}
			dst[lo+i] = p.finish(&acc[i], lo+i)
		}
	}
	return hi
}

// addBlocks adds steps from step at on to the lanes of rows from row on, with
// scales and selectors, one of each to a block, as they are stored.
func (p *plan) addBlocks(acc [][lanes]float32, sums *[tileRows * 4 * maxSteps]int32, a *Activation, row, at, steps int, impl implementation) {
	args := blockArgs{
		codes:          &p.s.Codes[row*p.rowBytes+at*step*p.bits/8],
		selectors:      &p.signed[0],
		selectorBits:   p.selectorBits,
		table:          &p.signed[0],
		q:              &a.q[at*step],
		steps:          steps,
		codeStride:     p.rowBytes,
		selectorStride: p.selectorBytes,
	}
	if p.selectorBits > 0 {
		args.selectors = &p.s.Selectors[row*p.selectorBytes+at*4*p.selectorBits/8]
	}
	blockSums(&sums[0], &args, len(acc), p.bits, impl)
	for i := range acc {
		scaleBlocksNEON(&acc[i], &sums[i*4*steps], &p.s.Scales[(row+i)*p.groups+at*4], &a.d[at*4], steps)
	}
}

// expandBlocks is addBlocks for one row, whose scales and selectors are for any
// multiple of a block, and for a last step that is not whole.
func (p *plan) expandBlocks(acc *[lanes]float32, sums *[tileRows * 4 * maxSteps]int32, a *Activation, row, at, steps int, impl implementation) {
	var meta stepMeta
	meta.expand(p, row, at, steps)
	var last [256]byte
	args := blockArgs{
		selectors:    &meta.selectors[0],
		selectorBits: 4,
		table:        &p.signed[0],
		q:            &a.q[at*step],
		steps:        steps,
	}
	if (at+steps)*step <= p.cols {
		args.codes = &p.s.Codes[row*p.rowBytes+at*step*p.bits/8]
	} else {
		p.lastStep(&last, row)
		args.codes = &last[0]
	}
	blockSums(&sums[0], &args, 1, p.bits, impl)
	scaleBlocksNEON(acc, &sums[0], &meta.scales[0], &a.d[at*4], steps)
}

func blockSums(sums *int32, args *blockArgs, rows, bits int, impl implementation) {
	switch {
	case bits == 4 && impl == neonDot:
		blockSums4Dot(sums, args, rows)
	case bits == 4:
		blockSums4NEON(sums, args, rows)
	case impl == neonDot:
		blockSums3Dot(sums, args, rows)
	default:
		blockSums3NEON(sums, args, rows)
	}
}

// addSteps adds the steps of a row from step s on, whatever its scales.
func (r *runMeta) addSteps(acc *[lanes]float32, p *plan, a *Activation, row, s int, impl implementation) {
	for ; s*step < p.cols; s += runSteps {
		n := min(runSteps, (p.cols-1)/step+1-s)
		r.fill(p, row, s, n)
		r.decode(r.values[:], p, p.signed, row, s, n)
		if impl == neonDot {
			runSumsDot(&r.sums[0], &r.values[0], &a.q[s*step], 4*n)
		} else {
			runSumsNEON(&r.sums[0], &r.values[0], &a.q[s*step], 4*n)
		}
		if p.scale == datatype.RowStep {
			var scales [32 * runSteps]byte
			r.spreadScales(&scales, p, s, n)
			scaleRunsNEON(acc, &r.sums[0], &scales[0], &a.d[s*4], n)
		} else {
			r.fillK(p, n*step/p.groupSize+2)
			r.addSums(acc, p, a, s, 4*n)
		}
	}
}

// spreadScales sets dst to the scale of each run of n steps from step s on.
func (r *runMeta) spreadScales(dst *[32 * runSteps]byte, p *plan, s, n int) {
	runs := p.groupSize / 16
	end := runs - s*32%runs // of group g
	for at, g := 0, 0; at < 32*n; g++ {
		k := r.scales[g]
		for ; at < min(end, 32*n); at++ {
			dst[at] = k
		}
		end += runs
	}
}
