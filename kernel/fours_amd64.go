//go:build amd64 && !purego

package kernel

import (
	"math/bits"
	"sync"

	"github.com/bitmod-go/bitmod/internal/loops"
	"github.com/bitmod-go/bitmod/internal/pack"
)

// fourRows computes rows lo to hi−1 for one activation in integer mode, four rows at
// a time. plan.inFours or inFineFours must be true.
func fourRows(dst []float32, p *plan, a *Activation, lo, hi int) {
	var f fours
	var tail [step]int8
	if p.inFours() {
		rest := f.start(p, a, &tail, nil)
		f.args.TailQ = &tail[0]
		if rest >= 0 {
			f.args.NarrowQ[rest] = &tail[0]
		}
		f.rows(dst, p, lo, hi)
		return
	}
	var fine fineFours
	f.startFine(p, a, &tail, &fine)
	f.args.Table = &fine.table[0]
	f.args.TailQ, f.args.TailCorr4 = &tail[0], &fine.corr4[0]
	f.args.TailSpread = f.args.Spread
	if p.cols%block > 0 {
		f.args.TailSpread = &fine.spread
	}
	f.rows(dst, p, lo, hi)
}

// rows computes rows lo to hi−1. It has a copy of f, which so may point to its own
// variables without having them moved to the heap.
func (f fours) rows(dst []float32, p *plan, lo, hi int) {
	if hi-lo < 4 {
		// One at a time, four times over.
		f.args.CodeStride, f.args.ScaleStride, f.args.SelectorStride = 0, 0, 0
		f.back(p)
		var out, scales [4]float32
		f.args.Dst, f.args.RowScales = &out[0], &scales[0]
		for ; lo < hi; lo++ {
			scales[0] = p.s.RowScales[lo]
			f.run(p, lo, 1)
			dst[lo] = out[0]
		}
		return
	}
	n := (hi - lo) / 4
	f.args.Dst, f.args.RowScales = &dst[lo], &p.s.RowScales[lo]
	f.run(p, lo, n)
	if lo += 4 * n; lo < hi {
		f.args.Dst, f.args.RowScales = &dst[hi-4], &p.s.RowScales[hi-4]
		f.run(p, hi-4, 1) // some once more
	}
}

// fours are loops.RowArgs for some matrix.
type fours struct {
	args  loops.RowArgs
	group int
}

// start sets everything but the rows, and what points to tail: TailQ, and NarrowQ of the
// chunk that it returns, −1 if there is none. For spread see tail4.
func (f *fours) start(p *plan, a *Activation, tail *[step]int8, spread *loops.Spread) (rest int) {
	whole := p.cols / step
	f.group = p.groupSize
	if p.groups == 1 {
		f.group = 1 << 62
	}
	f.args = loops.RowArgs{
		CodeStride: p.rowBytes, ScaleStride: p.groups, SelectorStride: p.selectorBytes,
		Table: &p.bytes[0], Unit: p.unit,
		Q: &a.q[0], Corr: &a.corr[0], D: &a.d[0],
		Steps:        whole,
		SelectorBits: p.selectorBits, SelectorMask: 16<<p.selectorBits - 16,
		StepShift:  bits.Len(uint(f.group/step)) - 1,
		StepScales: 1<<max(1, step/f.group) - 1,
	}
	if p.selectorBits == 0 {
		f.args.SelectorStride = p.rowBytes // see run
	}
	f.back(p)
	// Codes are prefetched for the next four rows, or for those after them.
	f.args.Ahead = 4 * p.rowBytes
	for f.args.Ahead < 6<<10 {
		f.args.Ahead += 4 * p.rowBytes
	}
	if p.cols%step == 0 {
		return -1
	}
	first := whole * step
	f.args.TailScales = 1<<(p.groups-first/p.groupSize) - 1
	if p.bits == 3 {
		return f.tail3(p, a, first, tail)
	}
	f.tail4(p, a, first, tail, spread)
	return -1
}

// fineFours is what loops.RowArgs of fine groups point to.
type fineFours struct {
	table  [64]byte
	corr4  [step / 4]int32
	spread loops.Spread
}

// startFine is start for groups of 16, 32 or 64 columns. It does not set what points to
// tail and fine.
func (f *fours) startFine(p *plan, a *Activation, tail *[step]int8, fine *fineFours) {
	f.start(p, a, tail, &fine.spread)
	p.groupTable(&fine.table, p.bytes)
	ones := func(n int) int { return int(^uint64(0) >> (64 - n)) }
	selectors := func(groups int) int { return 1<<((groups*p.selectorBits+7)/8) - 1 }
	groups := step / p.groupSize
	f.args.Corr4 = &a.corr4[0]
	f.args.Spread = &fineSpreads()[p.groupSize/32][p.selectorBits][p.bits-3]
	f.args.StepScales, f.args.StepSelectors = ones(groups), selectors(groups)
	if p.cols%step == 0 {
		return
	}
	first := p.cols / step * step
	left := p.groups - first/p.groupSize
	f.args.TailScales, f.args.TailSelectors = ones(left), selectors(left)
	whole := p.cols / block * block
	copy(fine.corr4[:], a.corr4[first/4:whole/4])
	if whole == p.cols {
		return
	}
	for i := (whole - first) / 4; i < (whole-first+block)/4; i++ {
		q := tail[4*i:][:4]
		fine.corr4[i] = -offset * (int32(q[0]) + int32(q[1]) + int32(q[2]) + int32(q[3]))
	}
}

// fineSpreads has those of a step for groups of 16, 32 and 64, selectors of 0, 1 and 2
// bits, and codes of 3 and 4 bits.
var fineSpreads = sync.OnceValue(func() *[3][3][2]loops.Spread {
	var all [3][3][2]loops.Spread
	for i := range all {
		for selectorBits := range all[i] {
			for j := range all[i][selectorBits] {
				for c := range step {
					spreadColumn(&all[i][selectorBits][j], c/64, c%64, c/(16<<i), selectorBits, 3+j)
				}
			}
		}
	}
	return &all
})

// spreadColumn sets where place c of half h has its selector and scale: those of group g
// of the step.
func spreadColumn(s *loops.Spread, h, c, g, selectorBits, bits int) {
	s.Selectors[h][c] = byte(g*selectorBits-bits) & 63
	s.Scales[h][c] = 63
	if c%4 == 0 {
		s.Scales[h][c] = byte(g)
	}
}

// back sets how pointers go from the fourth row of a step to the next step.
func (f *fours) back(p *plan) {
	a, codes := &f.args, step*p.bits/8
	scales, selectors := 0, 0
	if f.group < block || f.group == block && a.SelectorBits != 1 {
		scales, selectors = step/f.group, step/f.group*a.SelectorBits/8
	}
	a.CodeBack = codes - 3*a.CodeStride
	a.ScaleBack = scales - 3*a.ScaleStride
	a.SelectorBack = selectors - 3*a.SelectorStride
}

// tail4 sets the tail of rows of 4-bit codes, of which a last block that is not whole
// has chunks that are less high one behind the other. It sets that block of spread, if
// there is any.
func (f *fours) tail4(p *plan, a *Activation, first int, tail *[step]int8, spread *loops.Spread) {
	left := p.cols - first
	f.args.TailBlocks = (left-1)/block + 1
	whole := left / block * block
	copy(tail[:whole], a.q[first:])
	q, size := tail[whole:], block/2
	if whole < left {
		size = 0
		for at := first + whole; at < p.cols; {
			h, n := pack.Chunk(p.cols-at, 4)
			lo := a.q[at:][:min(h, n)]
			hi := a.q[at+len(lo):][:n-len(lo)]
			copy(q[size+block/2:], hi)
			for i := 0; spread != nil && i < n; i++ {
				half, c := 0, size+i
				if i >= h {
					half, c = 1, size+i-h
				}
				spreadColumn(spread, whole/64+half, c, (at+i-first)/p.groupSize, p.selectorBits, 4)
			}
			size += copy(q[size:], lo)
			at += n
		}
	}
	f.args.TailMask = int(^uint64(0) >> (64 - size))
}

// tail3 sets the tail of rows of 3-bit codes, and returns which narrow chunk's
// activations are in tail.
func (f *fours) tail3(p *plan, a *Activation, first int, tail *[step]int8) (rest int) {
	rest = -1
	for at := first; at < p.cols; {
		h, n := pack.Chunk(p.cols-at, 3)
		if h == 32 {
			f.args.TailWide = 1
			at += n
			continue
		}
		i := f.args.TailNarrow
		f.args.NarrowHeight[i], f.args.NarrowMask[i] = h, 1<<h-1
		f.args.NarrowQ[i] = &a.q[at]
		if n < block {
			rest = i
			for c := range n {
				tail[c/h*16+c%h] = a.q[at+c]
			}
		}
		f.args.TailNarrow++
		at += n
	}
	return rest
}

// run computes 4·n rows from row on.
func (f *fours) run(p *plan, row, n int) {
	a := &f.args
	a.Fours = n
	a.Codes = &p.s.Codes[row*p.rowBytes]
	a.Scales = &p.s.Scales[row*p.groups]
	a.Selectors = a.Codes // the loops ignore what they load
	if p.selectorBits > 0 {
		a.Selectors = &p.s.Selectors[row*p.selectorBytes]
	}
	loops.RowsAVX512(a, p.bits, f.group)
}
