//go:build amd64 && !purego

package kernel

import "github.com/bitmod-go/bitmod/datatype"

// integerRows computes the first of rows lo to hi−1 and returns the row behind
// the last that it has done.
func integerRows(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) int {
	switch {
	case impl == portable:
		return integerRowsPortable(dst, p, a, lo, hi)
	case p.scale == datatype.RowStep && p.groupSize%block == 0 && (p.bits == 3 || p.bits == 4):
		return stepRows(dst, p, a, lo, hi)
	}
	return lo
}

// floatRows is integerRows for float mode.
func floatRows(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) int {
	return lo
}

// batchRows is integerRows for a batch: row r of activation t goes to
// dst[t·p.rows+r].
func batchRows(dst []float32, p *plan, as []Activation, lo, hi int, impl implementation) int {
	return lo
}

// loadBlocks loads the first whole blocks of x, and returns the number of columns
// that it has done. It stops before a block with a NaN or an infinity.
func loadBlocks(a *Activation, x []float32, impl implementation) int { return 0 }

// dot returns Σ v·q, for at most block products.
func dot(v []int16, q []int8, impl implementation) int32 {
	if impl >= avx2 && len(v) >= 16 {
		n := len(v) &^ 15
		return dotAVX2(&v[0], &q[0], n) + dotGeneric(v[n:], q[n:])
	}
	return dotGeneric(v, q)
}

// stepRows computes rows of 3- and 4-bit codes with scales for every 128 columns,
// or a multiple.
func stepRows(dst []float32, p *plan, a *Activation, lo, hi int) int {
	const tile = 16
	whole := p.cols / step
	// A row's own scales and selectors do where there is one of each to a block.
	direct := p.groupSize == block && (p.selectorBits == 0 || p.selectorBits == 2 || p.selectorBits == 4)
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
			steps(&acc[0], &args, n, p.bits, p.selectorBits)
		}
		for i := range n {
			if !direct {
				stepRow(&acc[i], p, a, lo+i)
			}
			if left := p.cols - whole*step; left > 0 {
				if left%block == 0 {
					stepRowEnd(&acc[i], p, a, lo+i)
				} else {
					p.integerRow(&acc[i], a, lo+i, whole*step, avx2)
				}
			}
			dst[lo+i] = p.finish(&acc[i], lo+i)
		}
	}
	return hi
}

// stepRow adds the whole steps of a row whose scales and selectors are not as
// the assembly wants them.
func stepRow(acc *[lanes]float32, p *plan, a *Activation, row int) {
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
		steps(acc, &args, 1, p.bits, min(p.selectorBits, 1)*4)
	}
}

// stepRowEnd adds what is behind the whole steps of a row: one to three blocks.
func stepRowEnd(acc *[lanes]float32, p *plan, a *Activation, row int) {
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
	steps(acc, &args, 1, p.bits, min(p.selectorBits, 1)*4)
}

// at sets the part of a that n steps from step s on are multiplied by.
func (args *stepArgs) at(a *Activation, s, n int) {
	args.q, args.corr, args.d = &a.q[s*step], &a.corr[s*4], &a.d[s*4]
	args.steps = n
}

func steps(acc *[lanes]float32, args *stepArgs, rows, bits, selectorBits int) {
	switch {
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
