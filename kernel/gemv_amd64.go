//go:build amd64 && !purego

package kernel

import "github.com/bitmod-go/bitmod/internal/pack"

// integerRows computes rows lo to hi−1 by a loop.
func integerRows(dst []float32, p *plan, a *Activation, lo, hi int, l loop, _ implementation) {
	switch l {
	case byFours:
		fourRows(dst, p, a, lo, hi)
	case bySteps:
		stepRows(dst, p, a, lo, hi)
	default:
		groupRows(dst, p, a, lo, hi)
	}
}

// stepRows computes rows with scales for every 128 columns, or a multiple. It computes
// whole steps and, for direct codes of 4 and 8 bits, also the columns after them.
func stepRows(dst []float32, p *plan, a *Activation, lo, hi int) {
	whole, left := p.cols/step, p.cols%step
	direct, table := p.direct() || p.directBytes(), p.bytes
	bits := p.bits
	switch {
	case p.bits == 8:
		table = p.lookup[:] // not read
	case !p.exact:
		bits, table = wideBits, p.int8s
	}
	args := stepArgs{rowArgs: p.directRows(table)}
	var last tail
	var end stripEnd
	inPlace := 0 // rows before this one have their last columns multiplied in place
	if left > 0 {
		inPlace = end.start(p, a)
	}
	for lo < hi {
		n := min(tileRows, hi-lo)
		if lo < inPlace {
			n = min(n, inPlace-lo)
		}
		var acc [tileRows][lanes]float32
		if direct && whole > 0 {
			args.start(p, lo, 0)
			args.at(a, 0, whole)
			steps(&acc[0], &args, n, bits, p.selectorBits)
		}
		for i := 0; !direct && i < n; i++ {
			stepRow(&acc[i], p, a, lo+i)
		}
		switch {
		case lo < inPlace:
			args.start(p, lo, whole)
			args.at(a, whole, 1)
			args.q = &end.q[0]
			steps(&acc[0], &args, n, bits, p.selectorBits)
		case left > 0:
			last.fill(p, lo, n)
			args := stepArgs{rowArgs: last.rows(table)}
			args.at(a, whole, 1)
			steps(&acc[0], &args, n, bits, selectorBits(p))
		}
		for i := range n {
			dst[lo+i] = p.finish(&acc[i], lo+i)
		}
		lo += n
	}
}

// A stripEnd has the activations for the last columns of a row of codes of 4 or 8 bits,
// fewer than a step. They are in the order for the codes of a whole step, as if the
// last chunks, which are lower, were one chunk of full height. Bytes after the row are
// multiplied by 0.
type stripEnd struct{ q [step]int8 }

// start sets the activations, and returns the row before which a whole step can be read
// in place, because codes, scales and selectors of later rows follow.
func (e *stripEnd) start(p *plan, a *Activation) int {
	first := p.cols / step * step
	q := e.q[:]
	if p.bits == 8 {
		copy(q, a.q[first:p.cols])
		first = p.cols
	}
	for at := first; at < p.cols; {
		h, n := pack.Chunk(p.cols-at, 4)
		lo := a.q[at:][:min(h, n)]
		hi := a.q[at+len(lo):][:n-len(lo)]
		copy(q, lo)
		copy(q[block/2:], hi)
		q = q[h:]
		if h == block/2 {
			q = q[h:] // a whole block
		}
		at += n
	}
	return p.inPlace(p.cols/step, 1, 0)
}

// inPlace returns a number of rows. In the rows before it, some whole steps, from step s
// on, can be read in place, and more scales after them, because the codes, scales and
// selectors of later rows follow.
func (p *plan) inPlace(s, steps, more int) int {
	per := step / p.groupSize
	behind := func(size, stride, begin, need int) int {
		switch {
		case need == 0:
			return p.rows
		case size < begin+need:
			return 0
		}
		return (size-begin-need)/stride + 1
	}
	codes := step * p.bits / 8
	return max(0, min(
		behind(len(p.s.Codes), p.rowBytes, s*codes, steps*codes),
		behind(len(p.s.Scales), p.groups, s*per, steps*per+more),
		behind(len(p.s.Selectors), p.selectorBytes, s*per*p.selectorBits/8, steps*per*p.selectorBits/8),
	))
}

// stepRow adds the whole steps of a row whose scales and selectors must be rearranged
// for the assembly.
func stepRow(acc *[lanes]float32, p *plan, a *Activation, row int) {
	var meta stepMeta
	whole := p.cols / step
	for at := 0; at < whole; at += maxSteps {
		n := min(maxSteps, whole-at)
		meta.expand(p, row, at, n)
		args := stepArgs{rowArgs: rowArgs{
			codes:     &p.s.Codes[row*p.rowBytes+at*step*p.bits/8],
			scales:    &meta.scales[0],
			selectors: &meta.selectors[0],
			table:     &p.bytes[0],
		}}
		args.at(a, at, n)
		steps(acc, &args, 1, p.bits, selectorBits(p))
	}
}

// at sets the activations for n steps from step s on.
func (args *stepArgs) at(a *Activation, s, n int) {
	args.q, args.corr, args.d = &a.q[s*step], &a.corr[s*4], &a.d[s*4]
	args.steps = n
}

// wideBits is the argument bits of steps for codes of 4 bits that stand for values of 8.
const wideBits = -4

func steps(acc *[lanes]float32, args *stepArgs, rows, bits, selectorBits int) {
	switch {
	case bits == wideBits:
		steps4WideAVX2(acc, args, rows)
	case bits == 8:
		steps8x0AVX2(acc, args, rows)
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
