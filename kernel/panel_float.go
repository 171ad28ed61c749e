//go:build (amd64 || arm64) && !purego

package kernel

import (
	"sync"

	"github.com/bitmod-go/bitmod/internal/loops"
)

const (
	// floatPanel is the number of columns of a panel in float mode, for many
	// activations: lanes are read and written once for eight blocks.
	floatPanel = 1024
	// floatTile is panelTile in float mode, where an activation has eight times as
	// many sums.
	floatTile = 48
	// finePiece is the number of columns of a piece whose groups may be of 4 columns.
	finePiece = 512
	// maxFloatSums is the number of floats that the sums of 64 rows take, with four
	// rows in a vector, which takes most.
	maxFloatSums = loops.PanelRows / 4 * (4*loops.FloatLanes + loops.FloatPad)
)

// A floatWork is a panelWork for float mode.
type floatWork struct {
	panelSource

	acc   [floatTile * maxFloatSums]float32 // of some rows for all vectors, then of the next
	zeros [maxGroups][loops.PanelRows]float32
	zero  float32 // what all zeros are, or 0
	table [64]float32
	outer [loops.PanelRows]float32
	out   [loops.PanelRows]float32
	x     []float32 // vectors side by side: slots of 64 columns, and of the next

	args       loops.FloatArgs
	finishArgs loops.FloatFinishArgs
	mode       int // of loops.Set.Floats
	groups     []vectorGroup

	floatRoom floatRoom

	// What follows from the shape of a matrix.
	slots int
	quads []loops.FloatQuad
	lanes []loops.FloatLane
	lists []floatList // of parts
}

// A floatRoom is what the lists of a floatWork are in for rows that are not longer than
// roomCols, and few vectors or shorter rows.
type floatRoom struct {
	quads  [roomCols / 4]loops.FloatQuad
	lanes  [roomCols / smallPanel * (loops.FloatLanes + 1)]loops.FloatLane
	lists  [roomCols / smallPanel]floatList
	groups [floatTile]vectorGroup
	x      [roomCols * loops.MaxFloats]float32
}

// A floatList is where the quads and lanes of a part begin.
type floatList struct{ quads, lanes int }

// A vectorGroup is some vectors that are multiplied at the same time.
type vectorGroup struct{ first, n, x int }

var floatPool = sync.Pool{New: func() any {
	w := new(floatWork)
	w.makeRoom()
	r := &w.floatRoom
	w.quads, w.lanes, w.lists, w.groups, w.x = r.quads[:0], r.lanes[:0], r.lists[:0], r.groups[:0], r.x[:]
	return w
}}

// floatPanelRows is panelRows for float mode.
func floatPanelRows(dst []float32, p *plan, as []Activation, lo, hi int, impl implementation) {
	w := floatPool.Get().(*floatWork)
	form, mode := p.floatForm()
	set := panelSet(impl)
	w.mode = mode
	piece := pieceCols
	if p.groupSize%granule != 0 {
		piece = finePiece
	}
	slots := set.FloatVectors(len(as))
	changed := w.start(p, form, set, 0, piece, panelCols(p, min(piece, floatPanel), len(as)))
	if changed || slots != w.slots {
		w.planFloats(p, slots)
	}
	w.setValues(p)
	for first := 0; first < len(as); first += floatTile {
		some := as[first:min(first+floatTile, len(as))]
		w.loadX(p, some)
		for r := lo; r < hi; r += loops.PanelRows {
			n := min(loops.PanelRows, hi-r)
			w.rows(dst[first*p.rows+r:], p, r, n, len(some))
		}
	}
	w.panelArgs, w.metaArgs = loops.PanelArgs{}, loops.MetaArgs{}
	floatPool.Put(w)
}

// setValues sets what makes floats of the bytes of a panel.
func (w *floatWork) setValues(p *plan) {
	if w.mode != loops.FloatsSub {
		for i := range w.table {
			w.table[i] = p.floats[i>>p.bits&(1<<p.selectorBits-1)][i&(1<<p.bits-1)]
		}
		return
	}
	if w.byGroup() {
		w.zero = 0 // they are what loadZeros sets
		return
	}
	if zero := loops.Widened + float32(w.offset); zero != w.zero {
		w.zero = zero
		for g := range w.zeros {
			for i := range w.zeros[g] {
				w.zeros[g][i] = zero
			}
		}
	}
}

// byGroup reports whether what is subtracted from codes depends on the group.
func (w *floatWork) byGroup() bool { return w.form.codes && !w.form.table }

// planFloats sets what follows from the shape of a matrix, for so many vectors side by
// side.
func (w *floatWork) planFloats(p *plan, slots int) {
	w.slots = slots
	w.quads, w.lanes, w.lists = w.quads[:0], w.lanes[:0], w.lists[:0]
	for i := range w.pieces {
		pc := &w.pieces[i]
		for _, pt := range w.parts[pc.parts[0]:pc.parts[1]] {
			w.lists = append(w.lists, floatList{len(w.quads), len(w.lanes)})
			for l := range loops.FloatLanes {
				first := len(w.quads)
				for col := pt.lo + 4*l; col < pt.hi; col += block {
					at := col - pt.lo
					w.quads = append(w.quads, loops.FloatQuad{
						Panel: int32(at * w.set.Band),
						X:     int32(at/laneRun*slots*laneRun*4 + at%laneRun),
						K:     int32((col/p.groupSize - pc.first) * 4 * loops.PanelRows),
					})
				}
				if n := len(w.quads) - first; n > 0 {
					w.lanes = append(w.lanes, loops.FloatLane{Quads: int32(n), Acc: int32(l * 4 * w.set.Lanes)})
				}
			}
			w.lanes = append(w.lanes, loops.FloatLane{})
		}
	}
}

// loadX puts vectors side by side.
func (w *floatWork) loadX(p *plan, as []Activation) {
	runs := (p.cols + laneRun - 1) / laneRun
	w.groups = w.groups[:0]
	size := 0
	for t := 0; t < len(as); {
		g := vectorGroup{first: t, n: w.set.FloatVectors(len(as) - t), x: size}
		w.groups = append(w.groups, g)
		size += runs * w.slots * laneRun
		t += g.n
	}
	w.x = resize(w.x, size)
	for _, g := range w.groups {
		for i := range g.n {
			from, to := as[g.first+i].x, w.x[g.x+i*laneRun:]
			for r := range runs {
				*(*[laneRun]float32)(to[r*w.slots*laneRun:]) = *(*[laneRun]float32)(from[r*laneRun:])
			}
		}
	}
}

// rows computes n rows from row on: row r of vector t goes to dst[t·p.rows+r−row].
func (w *floatWork) rows(dst []float32, p *plan, row, n, vectors int) {
	for i := range w.outer {
		w.outer[i] = p.outer(row+min(i, n-1), p.floatUnit)
	}
	narrow := len(w.parts) == 1
	if !narrow {
		clear(w.acc[:loops.PanelRows/w.set.Lanes*vectors*w.stride()])
	}
	for i := range w.pieces {
		pc := &w.pieces[i]
		w.loadMeta(p, pc, row, n, false)
		w.loadZeros(p, pc, row, n)
		for j := pc.parts[0]; j < pc.parts[1]; j++ {
			pt := &w.parts[j]
			w.load(p, pc, pt, row, n)
			for q := 0; q < n; q += w.set.Lanes {
				for i := range w.groups {
					g := &w.groups[i]
					if !narrow {
						w.multiply(pt, w.lists[j], q, g, w.sums(q, g.first, vectors))
						continue
					}
					// Sums that nothing is added to later stay in the first-level cache.
					clear(w.acc[:g.n*w.stride()])
					w.multiply(pt, w.lists[j], q, g, 0)
					for t := range g.n {
						w.finish(dst[(g.first+t)*p.rows:], q, n, t*w.stride())
					}
				}
			}
		}
	}
	for t := 0; !narrow && t < vectors; t++ {
		for q := 0; q < n; q += w.set.Lanes {
			w.finish(dst[t*p.rows:], q, n, w.sums(q, t, vectors))
		}
	}
}

// stride returns the number of floats from the sums of one vector to the next.
func (w *floatWork) stride() int { return loops.FloatLanes*w.set.Lanes + loops.FloatPad }

// sums returns where the sums of the rows from row q on are, for vector t of n.
func (w *floatWork) sums(q, t, n int) int { return (q/w.set.Lanes*n + t) * w.stride() }

// loadZeros sets zeros, if they depend on the group.
func (w *floatWork) loadZeros(p *plan, pc *piece, row, n int) {
	if !w.byGroup() {
		return
	}
	for i := range n {
		for g := range pc.groups {
			w.zeros[g][i] = loops.Widened - p.floats[p.selector(row+i, pc.first+g)][0]
		}
	}
}

// multiply adds the rows of the panel from row q on times some vectors to sums.
func (w *floatWork) multiply(pt *part, list floatList, q int, g *vectorGroup, sums int) {
	args := &w.args
	args.Quads, args.Lanes, args.Table = &w.quads[list.quads], &w.lanes[list.lanes], &w.table
	args.Panel, args.K, args.Zeros = &w.band(q)[q%w.set.Band*4], &w.k[0][q], &w.zeros[0][q]
	args.Acc, args.X = &w.acc[sums], &w.x[g.x+pt.lo*w.slots]
	w.set.Floats[w.mode][g.n](args)
}

// finish writes the rows from row q on, of n, to dst.
func (w *floatWork) finish(dst []float32, q, n, sums int) {
	w.finishArgs = loops.FloatFinishArgs{Dst: &w.out[0], Acc: &w.acc[sums], Outer: &w.outer[q]}
	w.set.FloatFinish(&w.finishArgs)
	copy(dst[q:n], w.out[:w.set.Lanes])
}
