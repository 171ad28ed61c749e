//go:build (amd64 || arm64) && !purego

package kernel

import (
	"sync"

	"github.com/bitmod-go/bitmod/internal/loops"
)

const (
	// floatTile is panelTile for float mode, where an activation has eight times as
	// many sums.
	floatTile = 96
	// wideCols is the number of columns whose weights are floats at the same time, so
	// that they stay in the first-level cache.
	wideCols = 128
	// finePiece is the number of columns of a piece whose groups may be of 4 columns.
	finePiece = 512
)

// A floatWork is a panelWork for float mode. Weights become floats once for all vectors,
// in the order in which they are multiplied.
type floatWork struct {
	acc   [floatTile * loops.FloatLanes * loops.PanelRows]float32 // of some rows for all vectors, then of the next
	wide  [wideCols * loops.MaxFloatRows]float32                  // some lanes of the panel as floats
	zeros [maxGroups][loops.PanelRows]float32
	table [64]float32
	outer [loops.PanelRows]float32
	out   [loops.MaxFloats * loops.MaxFloatRows]float32
	panelSource

	zero float32   // what all elements of zeros are, or 0 if they may differ
	x    []float32 // the vectors, as loops.FloatArgs have them, group after group

	widenArgs  loops.WidenArgs
	args       loops.FloatArgs
	finishArgs loops.FloatFinishArgs
	quadsArgs  loops.QuadsArgs
	laneAt     [loops.FloatLanes]int32
	mode       int  // of loops.Set.Widen
	few        bool // whether loops.Set.Few are used
	groups     []vectorGroup

	floatRoom floatRoom

	// What follows from the shape of a matrix.
	quads []loops.FloatQuad
	lanes []int32     // how many quads each has, by part
	lists []floatList // by part
}

// A floatRoom is the memory for the lists of a floatWork, for few vectors of up to
// roomCols columns.
type floatRoom struct {
	quads  [roomCols / 4]loops.FloatQuad
	lanes  [roomCols / finePiece * loops.FloatLanes]int32
	lists  [2 * roomCols / wideCols]floatList
	groups [floatTile]vectorGroup
	x      [roomCols * loops.MaxFloats]float32
}

// A floatList is the quads of some lanes of a part.
type floatList struct {
	first, n    int // in quads
	lane, lanes int
	counts      int  // in floatWork.lanes
	last        bool // of the part
}

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
	w.mode = mode
	set := panelSet(impl)
	w.few = set.AreFew(len(as))
	piece := pieceCols
	if p.groupSize%granule != 0 {
		piece = finePiece
	}
	panel := piece
	if w.few {
		panel = min(piece, max(minPart, 64*strips(p.bits)))
	}
	if w.start(p, form, set, 0, piece, panel, panel) {
		w.planFloats(p)
	}
	w.setValues(p)
	for first := 0; first < len(as); first += floatTile {
		some := as[first:min(first+floatTile, len(as))]
		w.loadX(some)
		for r := lo; r < hi; r += loops.PanelRows {
			w.rows(dst[first*p.rows+r:], p, r, min(loops.PanelRows, hi-r), len(some))
		}
	}
	w.panelArgs, w.metaArgs, w.quadsArgs = loops.PanelArgs{}, loops.MetaArgs{}, loops.QuadsArgs{}
	floatPool.Put(w)
}

// setValues sets the tables that convert the bytes of a panel to floats.
func (w *floatWork) setValues(p *plan) {
	if w.mode != loops.FloatsSub {
		for i := range w.table {
			w.table[i] = p.floats[i>>p.bits&(1<<p.selectorBits-1)][i&(1<<p.bits-1)]
		}
		return
	}
	if w.byGroup() {
		w.zero = 0 // loadZeros sets zeros
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

// byGroup reports whether the number that is subtracted from codes depends on the
// group.
func (w *floatWork) byGroup() bool { return w.form.codes && !w.form.table }

// planFloats sets the lists that follow from the shape of a matrix.
func (w *floatWork) planFloats(p *plan) {
	w.quads, w.lanes, w.lists = w.quads[:0], w.lanes[:0], w.lists[:0]
	for i := range w.pieces {
		pc := &w.pieces[i]
		for _, pt := range w.parts[pc.parts[0]:pc.parts[1]] {
			list := floatList{first: len(w.quads), counts: len(w.lanes)}
			for l := range loops.FloatLanes {
				n := (pt.hi - pt.lo - 4*l + block - 1) / block
				if 4*(list.n+n) > wideCols {
					w.lists = append(w.lists, list)
					list = floatList{first: len(w.quads), lane: l, counts: len(w.lanes)}
				}
				w.lanes = append(w.lanes, int32(n))
				list.n += n
				list.lanes++
				for col := pt.lo + 4*l; col < pt.hi; col += block {
					w.quads = append(w.quads, loops.FloatQuad{
						Panel: int32((col - pt.lo) * w.set.Band),
						K:     int32((col/p.groupSize - pc.first) * 4 * loops.PanelRows),
					})
				}
			}
			list.last = true
			w.lists = append(w.lists, list)
		}
	}
}

// loadX puts vectors in the order in which they are multiplied.
func (w *floatWork) loadX(as []Activation) {
	w.groups = w.groups[:0]
	size := 0
	for t := 0; t < len(as); {
		g := vectorGroup{first: t, n: w.set.FloatVectors(len(as) - t), x: size}
		w.groups = append(w.groups, g)
		size += len(w.quads) * 4 * g.n
		t += g.n
	}
	w.x = resize(w.x, size)
	lists := w.lists
	for i := range w.parts {
		pt := &w.parts[i]
		first := lists[0].first
		lanes := w.lanes[lists[0].counts:][:loops.FloatLanes]
		for !lists[0].last {
			lists = lists[1:]
		}
		lists = lists[1:]
		for i := range w.groups {
			w.loadPart(as, &w.groups[i], pt, lanes, first)
		}
	}
}

// loadPart is loadX for some vectors and a part, whose quads begin with first.
func (w *floatWork) loadPart(as []Activation, g *vectorGroup, pt *part, lanes []int32, first int) {
	size := 4 * g.n // of a quad of all vectors
	args := &w.quadsArgs
	args.At, args.Blocks, args.Step = &w.laneAt, (pt.hi-pt.lo)/block, 4*size
	at := 0
	for l, n := range lanes {
		w.laneAt[l] = int32(4 * at * size)
		at += int(n)
	}
	for i := range g.n {
		x, to := as[g.first+i].x[pt.lo:], w.x[g.x+first*size+4*i:]
		args.Dst, args.X = &to[0], &x[0]
		if args.Blocks > 0 {
			w.set.Quads(args)
		}
		// An incomplete block has no quads of the last lanes.
		for c := args.Blocks * block; c < pt.hi-pt.lo; c += 4 {
			from := (*[3*laneRun/4 + 1]float32)(x[laneOrder(c):])
			to := (*[4]float32)(to[int(w.laneAt[laneOf(c)])/4+c/block*size:])
			to[0], to[1], to[2], to[3] = from[0], from[laneRun/4], from[2*laneRun/4], from[3*laneRun/4]
		}
	}
}

// rows computes n rows from row on: row r of vector t goes to dst[t·p.rows+r−row].
func (w *floatWork) rows(dst []float32, p *plan, row, n, vectors int) {
	for i := range w.outer {
		w.outer[i] = p.outer(row+min(i, n-1), p.floatUnit)
	}
	lists := w.lists
	for i := range w.pieces {
		pc := &w.pieces[i]
		w.loadMeta(p, pc, row, n, false)
		w.loadZeros(p, pc, row, n)
		for j := pc.parts[0]; j < pc.parts[1]; j++ {
			w.load(p, pc, &w.parts[j], row, n)
			for last := false; !last; lists = lists[1:] {
				// The vectors are in a cache for all rows but the first.
				for q := 0; q < n; q += w.set.FloatRows {
					w.multiply(&lists[0], q, vectors, j == 0)
				}
				last = lists[0].last
			}
		}
	}
	for q := 0; q < n; q += w.set.FloatRows {
		for i := range w.groups {
			w.finish(dst, p, &w.groups[i], q, n, vectors)
		}
	}
}

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

// multiply adds some lanes of the rows of the panel from row q on times all vectors to
// their sums, or sets these if fresh is set.
func (w *floatWork) multiply(list *floatList, q, vectors int, fresh bool) {
	k, quads := &w.k[0][q], &w.quads[min(list.first, len(w.quads)-1)]
	panel, zeros := &w.band(q)[q%w.set.Band*4], &w.zeros[0][q]
	args := &w.args
	switch {
	case w.few:
		args.Panel, args.Zeros, args.Table = panel, zeros, &w.table
	case list.n > 0:
		w.widenArgs = loops.WidenArgs{Dst: &w.wide[0], Panel: panel, Quads: quads, N: list.n, Zeros: zeros, Table: &w.table}
		w.set.Widen[w.mode](&w.widenArgs)
	}
	args.W, args.K, args.Quads, args.Lanes, args.N = &w.wide[0], k, quads, &w.lanes[list.counts], list.lanes
	args.Fresh = 0
	if fresh {
		args.Fresh = 1
	}
	for i := range w.groups {
		g := &w.groups[i]
		args.X = &w.x[min(g.x+list.first*4*g.n, len(w.x)-1)]
		args.Acc = w.sums(g, list.lane, q, vectors)
		if w.few {
			w.set.Few[w.mode][g.n](args)
		} else {
			w.set.Floats[g.n](args)
		}
	}
}

// sums returns the sums of the vectors of g, from a lane on, for the rows from row q on.
// vectors is the number of all vectors.
func (w *floatWork) sums(g *vectorGroup, lane, q, vectors int) *float32 {
	return &w.acc[loops.FloatLanes*(q*vectors+g.first*w.set.FloatRows)+lane*g.n*w.set.FloatRows]
}

// finish writes rows from row q on, of n, of some vectors to dst.
func (w *floatWork) finish(dst []float32, p *plan, g *vectorGroup, q, n, vectors int) {
	w.finishArgs = loops.FloatFinishArgs{Dst: &w.out[0], Acc: w.sums(g, 0, q, vectors), Outer: &w.outer[q], N: g.n}
	w.set.FloatFinish(&w.finishArgs)
	for t := range g.n {
		copy(dst[(g.first+t)*p.rows:][q:n], w.out[t*w.set.FloatRows:][:w.set.FloatRows])
	}
}
