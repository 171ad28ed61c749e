//go:build arm64 && !purego

package kernel

import "github.com/bitmod-go/bitmod/internal/loops"

// integerRows computes rows lo to hi−1 by bySteps, the only loop.
func integerRows(dst []float32, p *plan, a *Activation, lo, hi int, _ loop, impl implementation) {
	for ; lo < hi; lo += tileRows {
		n := min(tileRows, hi-lo)
		var acc [tileRows][lanes]float32
		p.addSteps(acc[:n], a, lo, impl)
		for i := range n {
			dst[lo+i] = p.finish(&acc[i], lo+i)
		}
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

// addSteps adds the whole steps of rows from row on, up to tileRows, to their lanes.
// Codes have 3 or 4 bits, and scales are for every 128 columns, or a multiple.
func (p *plan) addSteps(acc [][lanes]float32, a *Activation, row int, impl implementation) {
	whole := p.cols / step
	for at := 0; at < whole; at += maxSteps {
		steps := min(maxSteps, whole-at)
		if p.groupSize == block {
			p.addBlocks(acc, a, row, at, steps, impl)
			continue
		}
		for i := range acc {
			p.expandBlocks(&acc[i], a, row+i, at, steps, impl)
		}
	}
}

// heads computes the whole steps of rows for one activation.
type heads struct {
	a    *Activation
	impl implementation
}

// start sets the arguments that are the same for all rows.
func (h *heads) start(_ *plan, a *Activation, impl implementation) { h.a, h.impl = a, impl }

// release drops pointers to memory of others.
func (h *heads) release() { h.a = nil }

// rows sets the lanes of n rows from row on.
func (h *heads) rows(acc *[loops.PanelRows][lanes]float32, p *plan, row, n int) {
	clear(acc[:])
	for lo := 0; lo < n; lo += tileRows {
		p.addSteps(acc[lo:min(n, lo+tileRows)], h.a, row+lo, h.impl)
	}
}

// addBlocks adds steps from step at on to the lanes of rows from row on, with
// scales and selectors, one of each to a block, as they are stored.
func (p *plan) addBlocks(acc [][lanes]float32, a *Activation, row, at, steps int, impl implementation) {
	args := blockArgs{
		codes:          &p.s.Codes[row*p.rowBytes+at*step*p.bits/8],
		scales:         &p.s.Scales[row*p.groups+at*4],
		selectors:      &p.signed[0],
		selectorBits:   p.selectorBits,
		table:          &p.signed[0],
		q:              &a.q[at*step],
		d:              &a.d[at*4],
		steps:          steps,
		codeStride:     p.rowBytes,
		scaleStride:    p.groups,
		selectorStride: p.selectorBytes,
	}
	if p.selectorBits > 0 {
		args.selectors = &p.s.Selectors[row*p.selectorBytes+at*4*p.selectorBits/8]
	}
	addBlocks(&acc[0], &args, len(acc), p.bits, impl)
}

// expandBlocks is addBlocks for one row, whose scales and selectors are for any
// multiple of a block.
func (p *plan) expandBlocks(acc *[lanes]float32, a *Activation, row, at, steps int, impl implementation) {
	var meta stepMeta
	meta.expand(p, row, at, steps)
	args := blockArgs{
		codes:        &p.s.Codes[row*p.rowBytes+at*step*p.bits/8],
		scales:       &meta.scales[0],
		selectors:    &meta.selectors[0],
		selectorBits: 4,
		table:        &p.signed[0],
		q:            &a.q[at*step],
		d:            &a.d[at*4],
		steps:        steps,
	}
	addBlocks(acc, &args, 1, p.bits, impl)
}

func addBlocks(acc *[lanes]float32, args *blockArgs, rows, bits int, impl implementation) {
	switch {
	case bits == 4 && impl != neon:
		addBlocks4Dot(acc, args, rows)
	case bits == 4:
		addBlocks4NEON(acc, args, rows)
	case impl != neon:
		addBlocks3Dot(acc, args, rows)
	default:
		addBlocks3NEON(acc, args, rows)
	}
}
