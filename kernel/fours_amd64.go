//go:build amd64 && !purego

package kernel

import (
	"math/bits"
	"sync"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/loops"
)

// fourRows computes rows lo to hi−1 for one activation in integer mode, four rows at
// a time. plan.inFours must be true.
func fourRows(dst []float32, p *plan, a *Activation, lo, hi int) {
	var f fours
	f.start(p, a)
	f.rows(dst, p, lo, hi)
}

// fours has loops.RowArgs for a matrix.
type fours struct {
	args loops.RowArgs
	kind int        // how scales are written: see loops.RowsCoarse
	outs [4]float32 // the common scale of rows without their own
}

// ones returns n ones.
func ones(n int) int { return 1<<n - 1 }

// start sets everything but the rows.
func (f *fours) start(p *plan, a *Activation) {
	f.kind, _ = p.rowKind()
	whole := p.cols / step
	args := &f.args
	*args = loops.RowArgs{
		CodeStride: p.rowBytes, ScaleStride: p.groups, SelectorStride: p.selectorBytes, RowScaleStride: 16,
		Table: &p.lookup[0], Unit: p.unit, Offset: int32(p.shift),
		Q: &a.q[0], D: &a.d[0],
		Steps:        whole,
		SelectorBits: p.selectorBits,
	}
	args.Ahead = ahead(p.rowBytes, byAMD)
	switch p.scale {
	case datatype.E8M0:
		f.outs = [4]float32{1, 1, 1, 1}
	case datatype.E4M3:
		s := p.s.RowScales[0]
		f.outs = [4]float32{s, s, s, s}
	}
	if tail := p.cols % step; tail > 0 {
		t := rowTailOf(p.bits, tail)
		args.TailHalves, args.TailWide, args.TailWhole, args.TailLast = t.halves, t.wide, t.whole, t.last
		if len(t.parts) > 0 {
			args.TailParts = &t.parts[0]
		}
	}
	if f.kind == loops.RowsCoarse {
		f.startCoarse(p, a)
	} else {
		f.startFine(p, a)
	}
	f.back(p)
}

// ahead returns how far ahead codes are prefetched: a multiple of four rows, and 6 KiB or
// more except for short rows on AMD's processors. From memory, bitmod3 and bitmod4 of 384
// to 960 columns run 1.2 to 1.4 times as fast on an Emerald Rapids when they are fetched as
// far ahead as longer rows, and 1.2 to 1.9 times as fast on a Zen 4 when only the next four
// rows are.
func ahead(rowBytes int, amd bool) int {
	four := 4 * rowBytes
	if amd && rowBytes < 512 {
		return four
	}
	return (6<<10 + four - 1) / four * four
}

// startCoarse sets what depends on groups of 128 columns or more.
func (f *fours) startCoarse(p *plan, a *Activation) {
	args := &f.args
	args.Sums = bytesOf(a.corr)
	args.BlockShift = 32 // a whole row
	if p.groups > 1 {
		args.BlockShift = bits.Len(uint(p.groupSize/block)) - 1
	}
	if p.bits <= 4 {
		args.Table = &p.spread[0]
	}
	args.SelectorMask = 16<<p.selectorBits - 16
	for b := range args.SelectorAt {
		args.SelectorAt[b] = b >> args.BlockShift * p.selectorBits
	}
	args.Spread = &rowSpreads().coarse[min(args.BlockShift, 2)]
	groups := max(1, 4>>args.BlockShift)
	left := 0
	if p.cols%step > 0 {
		left = p.groups - p.cols/step*step/p.groupSize
	}
	selectors := func(groups int) int { return ones((groups*p.selectorBits + 7) / 8) }
	args.StepScales, args.TailScales = ones(groups), ones(left)
	args.StepSelectors, args.TailSelectors = selectors(groups), selectors(left)
}

// startFine sets what depends on groups of 16, 32 or 64 columns.
func (f *fours) startFine(p *plan, a *Activation) {
	args := &f.args
	args.Sums = bytesOf(a.corr16)
	spreads := rowSpreads()
	switch {
	case f.kind == loops.RowsE8M0:
		args.Spread = &spreads.e8m0[p.selectorBits]
	case p.selectorBits == 2 && p.groupSize >= 32:
		args.BlockShift, args.Table = -1, &p.spread[0]
		if p.groupSize == 32 {
			args.BlockShift, args.Table = -2, &p.twoTables[0]
		}
		args.Spread = &spreads.fine[p.groupSize/32][p.selectorBits][p.bits-3]
	case p.selectorBits > 2:
		args.Spread = &spreads.zeros[p.groupSize/32]
	default:
		args.Spread = &spreads.fine[p.groupSize/32][p.selectorBits][min(p.bits, 4)-3]
		if p.bits == 3 && p.selectorBits == 0 {
			args.Table = &p.spread[0]
		}
	}
	groups := step / p.groupSize
	left := p.groups - p.cols/step*groups
	selectors := func(groups int) int { return ones((groups*p.selectorBits + 7) / 8) }
	args.StepScales, args.TailScales = ones(groups), ones(left)
	args.StepSelectors, args.TailSelectors = selectors(groups), selectors(left)
}

// back sets how far pointers move from the end of the fourth row of a step to the next
// step.
func (f *fours) back(p *plan) {
	a := &f.args
	a.CodeBack = step*p.bits/8 - 4*a.CodeStride
	a.ScaleBack, a.SelectorBack = -4*a.ScaleStride, -4*a.SelectorStride
	switch {
	case f.kind != loops.RowsCoarse:
		groups := step / p.groupSize
		a.ScaleBack += groups
		a.SelectorBack += groups * p.selectorBits / 8
	case p.selectorBits == 2 && a.BlockShift == 0:
		a.SelectorBack++
	}
}

// rows computes rows lo to hi−1.
func (f *fours) rows(dst []float32, p *plan, lo, hi int) {
	if hi-lo < 4 {
		f.few(dst, p, lo, hi)
		return
	}
	n := (hi - lo) / 4
	f.run(&dst[lo], p, lo, n)
	if lo += 4 * n; lo < hi {
		f.run(&dst[hi-4], p, hi-4, 1) // the last four rows, some of them once more
	}
}

// few is rows for fewer than four rows. It computes one row at a time, as if it were four
// equal rows.
func (f *fours) few(dst []float32, p *plan, lo, hi int) {
	f.args.CodeStride, f.args.ScaleStride, f.args.SelectorStride = 0, 0, 0
	f.back(p)
	var out [4]float32
	for ; lo < hi; lo++ {
		if p.scale == datatype.RowStep {
			f.outs[0] = p.s.RowScales[lo]
		}
		f.runRows(&out[0], &f.outs[0], p, lo, 1)
		dst[lo] = out[0]
	}
}

// run computes 4·n rows from row on.
func (f *fours) run(dst *float32, p *plan, row, n int) {
	if p.scale == datatype.RowStep {
		f.runRows(dst, &p.s.RowScales[row], p, row, n)
		return
	}
	f.args.RowScaleStride = 0
	f.runRows(dst, &f.outs[0], p, row, n)
}

// runRows is run with scales of rows.
func (f *fours) runRows(dst, scales *float32, p *plan, row, n int) {
	args := f.args // args may point to variables of the caller without moving them to the heap
	args.Dst, args.RowScales, args.Fours = dst, scales, n
	args.Codes = &p.s.Codes[row*p.rowBytes]
	args.Scales = &p.s.Scales[row*p.groups]
	if p.selectorBits > 0 {
		args.Selectors = &p.s.Selectors[row*p.selectorBytes]
	}
	loops.RowsAVX512(&args, p.bits, f.kind)
}

// rowSpreads are made on first use.
var rowSpreads = sync.OnceValue(func() *rowSpreadSet {
	s := new(rowSpreadSet)
	for shift := range s.coarse {
		for i := range s.coarse[shift].Scales[0] {
			at := byte(0x80)
			if i%4 == 0 {
				at = byte(i / 4 % 4 >> shift)
			}
			s.coarse[shift].Scales[0][i] = at
		}
	}
	for i := range s.fine {
		for selectorBits := range s.fine[i] {
			for j := range s.fine[i][selectorBits] {
				spreadFine(&s.fine[i][selectorBits][j], 16<<i, selectorBits, 3+j)
			}
		}
		spreadFine(&s.zeros[i], 16<<i, 0, 0)
		for g := range 32 {
			s.zeros[i].Selectors[0][g] = byte(g % 16 * 4)
		}
	}
	for selectorBits := range s.e8m0 {
		spreadFine(&s.e8m0[selectorBits], 32, selectorBits, 4)
		for i := range 64 {
			if i%4 == 0 {
				s.e8m0[selectorBits].Scales[0][i] = byte(i/4%4*4 + i/16)
			}
		}
	}
	return s
})

// A rowSpreadSet has the spreads of all kinds of groups.
type rowSpreadSet struct {
	coarse [3]loops.RowSpread       // by BlockShift, up to 2
	fine   [3][3][2]loops.RowSpread // for 16, 32 and 64 columns, by the bits of selectors and of codes less 3
	zeros  [3]loops.RowSpread       // of zero-points, likewise
	e8m0   [3]loops.RowSpread
}

func spreadFine(s *loops.RowSpread, size, selectorBits, bits int) {
	for c := range step {
		s.Selectors[c/64][c%64] = byte(c/size*selectorBits-bits) & 63
	}
	for half := range s.Scales {
		for i := range s.Scales[half] {
			s.Scales[half][i] = 63
			if i%4 == 0 {
				s.Scales[half][i] = byte((i/4%4*block + half*64 + i/16*16) / size)
			}
		}
	}
}
