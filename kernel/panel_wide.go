//go:build (amd64 || arm64) && !purego

package kernel

import (
	"math"
	"sync"

	"github.com/bitmod-go/bitmod/internal/loops"
)

// A wideWork is a panelWork for integers that do not fit a byte. They are
//
//	factor·high + low
//
// high and low have a panel each. For minifloats, factor is 16 and factor·high a
// multiple of 16. For int8_asym, low is the code less 128, high the zero-point less
// 128, and factor −1. Both are added to the integer sums of a block; the factor is part
// of the scales of its panel.
type wideWork struct {
	high   [pieceCols * loops.PanelRows]byte
	kHigh  [maxGroups][loops.PanelRows]float32 // int32 as w.k
	tables [2][64]byte                         // high and low
	panelWork

	factor int32

	blocks []wideBlock // of all parts
	first  []int       // by part, in blocks; and one more
	both   []loops.Segment

	// The memory of these lists for rows that are not longer than roomCols.
	wideRoom struct {
		blocks [roomCols / block]wideBlock
		first  [roomCols/minPart + 1]int
		both   [roomCols/granule*2 + roomCols/block*2]loops.Segment
	}
}

// A wideBlock has the places of the segments of a block in wideWork.both.
type wideBlock struct{ lo, high, low int }

var widePool = sync.Pool{New: func() any {
	w := new(wideWork)
	w.makeRoom()
	r := &w.wideRoom
	w.blocks, w.first, w.both = r.blocks[:0], r.first[:0], r.both[:0]
	return w
}}

// widePanelRows is panelRows for types whose form is wide.
func widePanelRows(dst []float32, p *plan, as []Activation, lo, hi int, impl implementation) {
	w := widePool.Get().(*wideWork)
	set := panelSet(impl)
	if w.start(p, p.integerForm(), set, 0, pieceCols, bandBytes/set.Band, bandBytes/set.Band*5/4) {
		w.planBlocks()
	}
	w.setTables(p)
	for first := 0; first < len(as); first += panelTile {
		some := as[first:min(first+panelTile, len(as))]
		w.setGroups(p, some)
		for row := lo; row < hi; row += loops.PanelRows {
			n := min(loops.PanelRows, hi-row)
			w.setOuter(p, row, n)
			for i := range w.pieces {
				pc := &w.pieces[i]
				w.loadMeta(p, pc, row, n, true)
				w.scaleHigh(pc)
				for j := pc.parts[0]; j < pc.parts[1]; j++ {
					for q := 0; q < n; q += set.Band {
						w.loadBoth(p, pc, &w.parts[j], row, n, q)
						w.multiply(&w.parts[j], w.blocks[w.first[j]:w.first[j+1]], q, j == len(w.parts)-1)
					}
				}
			}
			w.copyOut(dst[first*p.rows+row:], len(some), p.rows, n)
		}
	}
	w.release()
	widePool.Put(w)
}

// setTables sets the tables of values for codes.
func (w *wideWork) setTables(p *plan) {
	if !w.form.table {
		w.factor = -1
		return
	}
	w.factor = 16
	for i := range w.tables[0] {
		v := int(p.ints[i>>p.bits&(1<<p.selectorBits-1)][i&(1<<p.bits-1)])
		high := (v + 8) >> 4
		w.tables[0][i] = byte(high + w.offset)
		w.tables[1][i] = byte(v - 16*high + w.offset)
	}
}

// planBlocks sets the segments of either panel.
func (w *wideWork) planBlocks() {
	w.blocks, w.first, w.both = w.blocks[:0], w.first[:0], w.both[:0]
	for i := range w.parts {
		pt := &w.parts[i]
		w.first = append(w.first, len(w.blocks))
		for at, lo := pt.segs, pt.lo; w.segs[at].Quads > 0; lo += block {
			end := at + 1
			for w.segs[end-1].Last == 0 {
				end++
			}
			b := wideBlock{lo: lo, high: len(w.both)}
			w.both = append(append(w.both, w.segs[at:end]...), loops.Segment{})
			w.both[len(w.both)-2].Last = 0 // the low panel is to come
			b.low = len(w.both)
			w.both = append(append(w.both, w.segs[at:end]...), loops.Segment{})
			w.blocks = append(w.blocks, b)
			at = end
		}
	}
	w.first = append(w.first, len(w.blocks))
}

// scaleHigh sets the scales of the panel of high.
func (w *wideWork) scaleHigh(pc *piece) {
	for g := range pc.groups {
		for i, k := range &w.k[g] {
			w.kHigh[g][i] = math.Float32frombits(uint32(int32(math.Float32bits(k)) * w.factor))
		}
	}
}

// loadBoth fills both panels with the band of rows from row q on, of n rows from row on.
func (w *wideWork) loadBoth(p *plan, pc *piece, pt *part, row, n, q int) {
	w.to = &w.high
	if w.form.table {
		w.table = w.tables[0]
		w.loadBand(p, pc, pt, row, n, q)
		w.table = w.tables[1]
	} else {
		w.loadPoints(p, pt, row, n, q)
	}
	w.to = &w.panel
	w.loadBand(p, pc, pt, row, n, q)
}

// loadPoints fills the panel of high with zero-points.
func (w *wideWork) loadPoints(p *plan, pt *part, row, n, first int) {
	var points [4 * loops.MaxLanes]byte
	for q := first; q < min(n, first+w.set.Band); q += w.set.Lanes {
		to := w.to[4*(q-first):]
		for at := pt.lo; at < pt.hi; {
			g := at / p.groupSize
			for i := range w.set.Lanes {
				v := byte(p.selector(laneRow(row, n, q, i), g) + w.offset - 128)
				*(*[4]byte)(points[4*i:]) = [4]byte{v, v, v, v}
			}
			end := pt.hi
			if left := (g+1)*p.groupSize - at; left < end-at {
				end = at + left
			}
			for ; at < end; at += 4 {
				copy(to[(at-pt.lo)*w.set.Band:], points[:4*w.set.Lanes])
			}
			at = end
		}
	}
}

// multiply adds the band of rows from row q on, of both panels, times all activations to
// their sums. If these are complete then, it sets w.out.
func (w *wideWork) multiply(pt *part, blocks []wideBlock, q int, complete bool) {
	dots := &w.set.Dots[w.form.span][loops.DotsInt]
	for i := range w.groups {
		g := &w.groups[i]
		args := &g.args
		for i, b := range blocks {
			at := (b.lo - pt.lo) * w.set.Band
			args.Col = b.lo
			args.Panel, args.Segments, args.K = &w.high[at], &w.both[b.high], &w.kHigh[0][q]
			w.setSums(g, q, false)
			dots[g.vectors](args)
			args.Panel, args.Segments, args.K = &w.panel[at], &w.both[b.low], &w.k[0][q]
			w.setSums(g, q, complete && i == len(blocks)-1)
			dots[g.vectors](args)
		}
	}
}
