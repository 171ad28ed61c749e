//go:build (amd64 || arm64) && !purego

package kernel

import (
	"math/bits"
	"sync"
	"unsafe"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/loops"
	"github.com/bitmod-go/bitmod/internal/pack"
)

const (
	// pieceCols is the number of columns whose scales and selectors are ready at the
	// same time: a multiple of step, and so of every chunk but the last of a row.
	pieceCols = 2048
	// bandBytes is the part of a band that is in a panel at the same time, so that it
	// stays in the first-level cache for all activations. The last part of a row may
	// take a quarter more.
	bandBytes = 16 << 10
	// panelTile is the number of activations that are multiplied before the next ones.
	panelTile = 192
	// minPart is the least number of columns of a part that is not the last of a row.
	minPart = 256
	// roomCols is the number of columns of a row up to which the lists fit into room.
	roomCols = 16384
)

// A panelWork is the memory for a product by panels. It is large, so there is a pool of
// them. All memory that loops get pointers to is in it: loops are called through tables
// of functions, so other memory would escape to the heap.
//
// Arrays come first, as in panelSource, so that they begin at a cache line: a vector
// across two cache lines takes twice as long to store.
type panelWork struct {
	acc   [panelTile * loops.SumLanes * loops.PanelRows]float32 // see sumsOf
	block [loops.MaxVectors][loops.PanelRows]float32
	outer [loops.PanelRows]float32
	out   [panelTile][loops.PanelRows]float32
	sums  [loops.PanelRows][lanes]float32 // of heads
	panelSource

	heads heads

	groups []dotGroup
	list   [panelTile/2 + 1]dotGroup // what groups are in
}

// A panelSource fills panels.
type panelSource struct {
	panel   [pieceCols * loops.PanelRows]byte
	k       [maxGroups][loops.PanelRows]float32
	sel     [maxGroups * 4 * loops.PanelRows]byte // all groups of some lanes, then of the next
	table   [64]byte
	scratch [loops.ScratchBytes]byte
	padded  [loops.MaxLanes][loops.MaxMeta]byte

	set       *loops.Set
	to        *[pieceCols * loops.PanelRows]byte // the panel to fill: panel, or another
	panelArgs loops.PanelArgs
	metaArgs  loops.MetaArgs

	// These follow from the type of a matrix.
	form   panelForm
	offset int  // added to weights
	add    byte // added to codes, where it is the same for all selectors

	// These follow from its shape.
	shape  panelShape
	pieces []piece
	parts  []part
	chunks []chunkRun
	selAt  []uint16
	segs   []loops.Segment
	mode   int // of loops.DotArgs

	// room is the memory of the lists, for rows of up to roomCols columns.
	room struct {
		pieces [roomCols / pieceCols]piece
		parts  [roomCols / minPart]part
		chunks [roomCols / minPart * 2]chunkRun
		selAt  [roomCols / 4]uint16
		segs   [roomCols / granule]loops.Segment
	}

	codes [pack.MaxChunk]uint8
}

// maxGroups is the number of groups that a piece may have columns of.
const maxGroups = pieceCols/granule + 1

// A panelShape has the properties of a matrix that pieces depend on.
type panelShape struct {
	selectors                           bool // whether panels depend on them
	lanes, band, from, piece, panel     int
	cols, groupSize, bits, selectorBits int
	scale                               datatype.ScaleFormat
}

// A piece is a range of columns of all rows whose scales and selectors are ready at the
// same time.
type piece struct {
	first  int // group
	groups int
	parts  [2]int // first and last + 1 in panelWork.parts
}

// A part is a range of columns of a piece that is in a panel at the same time.
type part struct {
	lo, hi int
	selAt  int    // in panelWork.selAt
	segs   int    // in panelWork.segs
	runs   [2]int // first and last + 1 in panelWork.chunks
	ahead  int    // in bytes, from this to the next part of a row, or back to the first
}

// A chunkRun is some chunks of the same height.
type chunkRun struct {
	col, bytes     int // of the first, in the row
	height, chunks int
	cols           int // of all
	quads          int // the index of its first quad in selAt, from part.selAt on
}

// A dotGroup is a group of activations from activation t on that are multiplied at the
// same time.
type dotGroup struct {
	args    loops.DotArgs
	t       int
	vectors int
}

var panelPool = sync.Pool{New: func() any {
	w := new(panelWork)
	w.makeRoom()
	return w
}}

// makeRoom empties the lists, in the memory of room.
func (w *panelSource) makeRoom() {
	r := &w.room
	w.pieces, w.parts, w.chunks, w.selAt, w.segs = r.pieces[:0], r.parts[:0], r.chunks[:0], r.selAt[:0], r.segs[:0]
}

// panelRows computes rows lo to hi−1 for all activations: row r of activation t goes to
// dst[t·p.rows+r]. All must be in integer mode, and p.integerForm().ok must be true. If
// tails is set, there is one activation, and panels compute only the last columns of
// rows, fewer than a step. The heads, which compute the others, must be able to read the
// matrix.
func panelRows(dst []float32, p *plan, as []Activation, lo, hi int, tails bool, impl implementation) {
	if p.integerForm().wide {
		widePanelRows(dst, p, as, lo, hi, impl)
		return
	}
	w := panelPool.Get().(*panelWork)
	from := 0
	if tails {
		from = p.cols / step * step
		w.heads.start(p, &as[0], impl)
	}
	set := panelSet(impl)
	w.start(p, p.integerForm(), set, from, pieceCols, bandBytes/set.Band, bandBytes/set.Band*5/4)
	for first := 0; first < len(as); first += panelTile {
		some := as[first:min(first+panelTile, len(as))]
		w.setGroups(p, some)
		for row := lo; row < hi; row += loops.PanelRows {
			n := min(loops.PanelRows, hi-row)
			w.setOuter(p, row, n)
			if tails {
				w.addHeads(p, row, n)
			}
			for i := range w.pieces {
				pc := &w.pieces[i]
				w.loadMeta(p, pc, row, n, w.mode == loops.DotsInt)
				for j := pc.parts[0]; j < pc.parts[1]; j++ {
					pt := &w.parts[j]
					for q := 0; q < n; q += set.Band {
						w.loadBand(p, pc, pt, row, n, q)
						w.multiply(pt, q, j == len(w.parts)-1)
					}
				}
			}
			w.copyOut(dst[first*p.rows+row:], len(some), p.rows, n)
		}
	}
	w.release()
	panelPool.Put(w)
}

// setGroups divides activations into groups, and sets what is the same for all rows.
func (w *panelWork) setGroups(p *plan, as []Activation) {
	if p.cols <= (lanes-1)*block {
		clear(w.acc[:]) // lanes that get no sums
	}
	w.groups = w.list[:0]
	for t := 0; t < len(as); {
		g := dotGroup{t: t, vectors: w.set.Vectors(len(as) - t)}
		g.args.Block, g.args.Shift = &w.block[0][0], w.shift()
		for i := range g.vectors {
			a := &as[t+i]
			g.args.Q[i], g.args.D[i] = &a.q[0], &a.d[0]
			if hasPrefix {
				g.args.Prefix[i] = &a.prefix[0]
			}
		}
		w.groups = append(w.groups, g)
		t += g.vectors
	}
}

// addHeads sets the sums of n rows from row on to the sums of their heads, for one
// activation.
func (w *panelWork) addHeads(p *plan, row, n int) {
	w.heads.rows(&w.sums, p, row, n)
	for i := range w.sums {
		sums := w.sumsOf(0, i/w.set.Band*w.set.Band)[i%w.set.Band:]
		for l, v := range &w.sums[i] {
			sums[l*w.set.Band] = v
		}
	}
}

// sumsOf returns the sums of activation t, and of those after it, for the band of rows
// from row q on. An activation has one sum for each lane and row of the band, lane after
// lane.
func (w *panelWork) sumsOf(t, q int) []float32 {
	return w.acc[(q/w.set.Band*panelTile+t)*loops.SumLanes*w.set.Band:]
}

// setOuter sets the outer factors of n rows from row on.
func (w *panelWork) setOuter(p *plan, row, n int) {
	for i := range w.outer {
		w.outer[i] = p.outer(row+min(i, n-1), p.unit)
	}
}

// copyOut copies n rows of results for some activations, which are stride apart in dst.
// Loops do not write to dst, because it would escape to the heap.
func (w *panelWork) copyOut(dst []float32, activations, stride, n int) {
	for t := range activations {
		if to := dst[t*stride:]; n == loops.PanelRows {
			*(*[loops.PanelRows]float32)(to) = w.out[t]
		} else {
			copy(to[:n], w.out[t][:])
		}
	}
}

// start sets everything that is the same for all rows, and reports whether the shape is
// new.
func (w *panelSource) start(p *plan, form panelForm, set *loops.Set, from, piece, panel, most int) bool {
	w.set, w.form = set, form
	w.to = &w.panel
	w.offset = set.Offset[form.span]
	switch {
	case form.biased:
		w.offset = 128
		w.add = byte(128 + int(p.ints[0][0]))
	case form.wide:
		w.add = byte(w.offset - 128)
	case form.codes:
		w.offset, w.add = 0, 0
	case p.linear:
		w.add = byte(w.offset + int(p.ints[0][0]))
	}
	w.setTable(p)
	return w.plan(p, from, piece, panel, most)
}

// release drops pointers to memory of others.
func (w *panelWork) release() {
	w.heads.release()
	w.panelArgs, w.metaArgs = loops.PanelArgs{}, loops.MetaArgs{}
	clear(w.groups)
}

// bySelector reports whether the value in a panel for a code depends on the selector.
func (w *panelSource) bySelector(p *plan) bool {
	return p.selectorBits > 0 && (w.form.table || !w.form.codes)
}

// setTable sets the table of values of up to 6 bits with their selectors.
func (w *panelSource) setTable(p *plan) {
	if !w.form.table || w.form.wide {
		return
	}
	for i := range w.table {
		if w.form.codes {
			w.table[i] = byte(i)
			continue
		}
		ints := p.ints[i>>p.bits&(1<<p.selectorBits-1)]
		w.table[i] = byte(int(ints[i&(1<<p.bits-1)]) + w.offset)
	}
}

// strips returns the number of codes that share bytes.
func strips(bits int) int { return 8 * pack.StripBytes(bits) / bits }

// plan sets the pieces and parts for the shape of a matrix, from a column on, with
// pieceCols columns in a piece and panel columns in a panel, and reports whether the
// shape is new.
func (w *panelSource) plan(p *plan, from, pieceCols, panel, most int) bool {
	shape := panelShape{w.bySelector(p), w.set.Lanes, w.set.Band, from, pieceCols, most, p.cols, p.groupSize, p.bits, p.selectorBits, p.scale}
	if shape == w.shape {
		return false
	}
	w.shape = shape
	w.pieces, w.parts, w.chunks, w.selAt, w.segs = w.pieces[:0], w.parts[:0], w.chunks[:0], w.selAt[:0], w.segs[:0]
	w.mode = loops.DotsOne
	if p.scale != datatype.RowStep {
		w.mode = loops.DotsFloat
	}
	for lo := from; lo < p.cols; lo += pieceCols {
		hi := min(lo+pieceCols, p.cols)
		pc := piece{first: lo / p.groupSize}
		pc.groups = (hi-1)/p.groupSize - pc.first + 1
		pc.parts[0] = len(w.parts)
		for at, end := lo, 0; at < hi; at = end {
			if end = at + panel; hi-at <= most {
				end = hi
			}
			w.planPart(p, &pc, at, end)
		}
		pc.parts[1] = len(w.parts)
		w.pieces = append(w.pieces, pc)
	}
	return true
}

// planPart adds columns lo to hi−1 to a piece.
func (w *panelSource) planPart(p *plan, pc *piece, lo, hi int) {
	pt := part{lo: lo, hi: hi, selAt: len(w.selAt), segs: len(w.segs)}
	pt.runs[0] = len(w.chunks)
	strips := strips(p.bits)
	for at := lo; at < hi; {
		h, n := pack.Chunk(p.cols-at, p.bits)
		if last := len(w.chunks) - 1; last >= pt.runs[0] && w.chunks[last].height == h && h*strips == n {
			w.chunks[last].chunks++
			w.chunks[last].cols += n
		} else {
			w.chunks = append(w.chunks, chunkRun{
				col: at, bytes: pack.RowBytes(at, p.bits), height: h, chunks: 1, cols: n, quads: len(w.selAt) - pt.selAt,
			})
		}
		for pos := 0; pos < h; pos += 4 {
			for s := range strips {
				g := 0
				if w.shape.selectors {
					g = min(at+s*h+pos, p.cols-1)/p.groupSize - pc.first
				}
				w.selAt = append(w.selAt, uint16(g*4*w.set.Lanes))
			}
		}
		at += n
	}
	pt.runs[1] = len(w.chunks)
	next := hi
	if hi == p.cols {
		next = w.shape.from
	}
	pt.ahead = pack.RowBytes(next, p.bits) - pack.RowBytes(lo, p.bits)
	for at := lo; at < hi; {
		end := min(hi, at/block*block+block, at/p.groupSize*p.groupSize+p.groupSize)
		s := loops.Segment{
			Quads: int32((end-at+granule-1)/granule) * granule / 4,
			Begin: int32(at / granule * 4),
			End:   int32((end + granule - 1) / granule * 4),
			K:     int32((at/p.groupSize - pc.first) * 4 * loops.PanelRows),
			D:     int32(at / block * 4),
			Lane:  int32(at / block % lanes * 4 * w.set.Band),
		}
		if at < lanes*block && w.shape.from == 0 {
			s.First = 1
		}
		if end%block == 0 || end == p.cols {
			s.Last = 1
		} else if w.mode == loops.DotsOne {
			w.mode = loops.DotsInt
		}
		w.segs = append(w.segs, s)
		at = end
	}
	w.segs = append(w.segs, loops.Segment{})
	w.parts = append(w.parts, pt)
}

// laneRow returns row i of the lanes that begin with row q of n rows from row on. The
// last row fills the remaining lanes.
func laneRow(row, n, q, i int) int { return row + min(q+i, n-1) }

// selectors returns sel for the rows from row q of the panel on.
func (w *panelSource) selectors(q int) []byte { return w.sel[maxGroups*4*q:] }

// loadMeta sets the scales and selectors of n rows from row on. Scales that are
// integers stay so if ints is set, and become floats otherwise.
func (w *panelSource) loadMeta(p *plan, pc *piece, row, n int, ints bool) {
	mode := loops.MetaFloat
	switch {
	case p.scale == datatype.E8M0:
		mode = loops.MetaE8M0
	case p.scale == datatype.E4M3:
		mode = loops.MetaE4M3
	case ints:
		mode = loops.MetaInt
	}
	meta := &w.metaArgs
	meta.Scratch = &w.scratch
	for q := 0; q < n; q += w.set.Lanes {
		if w.shape.selectors {
			w.loadSelectors(p, pc, row, n, q)
		} else {
			add := w.add
			if w.form.table {
				add = 0
			}
			sel := w.selectors(q)[:4*w.set.Lanes]
			for i := range sel {
				sel[i] = add
			}
		}
		w.metaRows(p.s.Scales, p.groups, pc.first, pc.groups, row, n, q)
		meta.Bit, meta.Bits, meta.Groups = 0, 8, pc.groups
		meta.Dst = (*byte)(unsafe.Pointer(&w.k[0][q]))
		meta.Stride = 4 * loops.PanelRows
		w.set.Meta[mode](meta)
	}
}

// metaRows sets the rows that Meta reads: of each row, which takes stride bytes in from,
// a number of bytes from byte at on.
func (w *panelSource) metaRows(from []byte, stride, at, bytes, row, n, q int) {
	meta := &w.metaArgs
	meta.Bytes = (bytes + 3) &^ 3
	rows := meta.Rows[:w.set.Lanes]
	if left := min(n-q, len(rows)); (row+q+left-1)*stride+at+meta.Bytes <= len(from) {
		meta.From = &from[(row+q)*stride+at]
		setRows(rows, stride, left)
		return
	}
	for i := range rows {
		src := from[laneRow(row, n, q, i)*stride+at:]
		copy(w.padded[i][:], src[:bytes])
	}
	meta.From = &w.padded[0][0]
	setRows(rows, loops.MaxMeta, len(rows))
}

// setRows sets the offsets of n rows that are stride bytes apart. The last row fills
// the remaining elements.
func setRows(rows []int, stride, n int) {
	at := 0
	for i := range rows {
		rows[i] = at
		if i+1 < n {
			at += stride
		}
	}
}

// load fills the panel with n rows from row on.
func (w *panelSource) load(p *plan, pc *piece, pt *part, row, n int) {
	for q := 0; q < n; q += w.set.Lanes {
		w.loadLanes(p, pc, pt, row, n, q, w.band(q)[q%w.set.Band*4:])
	}
}

// loadBand fills the panel with the band of rows from row q on, of n rows from row on.
func (w *panelSource) loadBand(p *plan, pc *piece, pt *part, row, n, q int) {
	for i := 0; i < w.set.Band && q+i < n; i += w.set.Lanes {
		w.loadLanes(p, pc, pt, row, n, q+i, w.to[4*i:])
	}
}

// loadLanes is load for one row a lane, from row q on.
func (w *panelSource) loadLanes(p *plan, pc *piece, pt *part, row, n, q int, panel []byte) {
	args := &w.panelArgs
	args.Table, args.Scratch, args.Stride = &w.table, &w.scratch, 4*w.set.Band
	args.Ahead = pt.ahead
	if pt.hi == p.cols {
		args.Ahead += loops.PanelRows * p.rowBytes
	}
	args.Sel = &w.selectors(q)[0]
	setRows(args.Rows[:w.set.Lanes], p.rowBytes, n-q)
	fill := w.set.Sum[p.bits]
	if w.form.table {
		fill = w.set.Table[p.bits][max(0, p.bits+p.selectorBits-4)]
	}
	for i := pt.runs[0]; i < pt.runs[1]; i++ {
		c := &w.chunks[i]
		to := panel[(c.col-pt.lo)*w.set.Band:]
		if c.height%4 != 0 {
			w.loadEnd(to, p, c, row, n, q)
			continue
		}
		args.From = &p.s.Codes[(row+q)*p.rowBytes+c.bytes]
		args.Dst, args.Height, args.Chunks = &to[0], c.height, c.chunks
		args.Even = c.height%16 == 0 && (!w.shape.selectors || p.groupSize%16 == 0)
		args.SelAt = &w.selAt[pt.selAt+c.quads]
		fill(args)
	}
}

// band returns the band of the panel that row q is in.
func (w *panelSource) band(q int) []byte {
	return w.to[q/w.set.Band*w.set.Band*w.shape.panel:]
}

// loadSelectors sets sel for the groups of a piece.
func (w *panelSource) loadSelectors(p *plan, pc *piece, row, n, q int) {
	meta := &w.metaArgs
	bit := pc.first * p.selectorBits
	meta.Bit, meta.Bits, meta.Groups = bit%8, p.selectorBits, pc.groups
	w.metaRows(p.s.Selectors, p.selectorBytes, bit/8, (bit%8+pc.groups*p.selectorBits+7)/8, row, n, q)
	meta.Dst, meta.Stride = &w.selectors(q)[0], 4*w.set.Lanes
	if w.form.table {
		meta.Shift = p.bits
		w.set.Meta[loops.MetaTable](meta)
		return
	}
	meta.Add = w.offset
	w.set.Meta[loops.MetaSum](meta)
}

// loadEnd loads the last chunk of rows, whose strips are not whole words.
func (w *panelSource) loadEnd(to []byte, p *plan, c *chunkRun, row, n, q int) {
	for i := range w.set.Lanes {
		row := laneRow(row, n, q, i)
		codes := p.s.Codes[row*p.rowBytes+c.bytes : (row+1)*p.rowBytes]
		pack.Next(&w.codes, codes, c.cols, p.bits)
		for j, code := range w.codes[:c.cols] {
			at := j/4*4*w.set.Band + 4*i + j%4
			switch sel := p.selector(row, (c.col+j)/p.groupSize); {
			case w.form.table:
				to[at] = w.table[code|byte(sel<<p.bits)]
			case w.shape.selectors:
				to[at] = byte(int(p.ints[sel][code]) + w.offset)
			default:
				to[at] = code + w.add
			}
		}
	}
}

// shift returns DotArgs.Shift.
func (w *panelSource) shift() int { return max(0, bits.Len(uint(w.offset/offset))-1) }

// multiply adds the band of rows from row q on, which is in the panel, times all activations
// to their sums. If these are complete then, it sets w.out.
func (w *panelWork) multiply(pt *part, q int, complete bool) {
	dots := &w.set.Dots[w.form.span][w.mode]
	for i := range w.groups {
		g := &w.groups[i]
		g.args.Panel, g.args.Segments, g.args.K, g.args.Col = &w.panel[0], &w.segs[pt.segs], &w.k[0][q], pt.lo
		w.setSums(g, q, complete)
		dots[g.vectors](&g.args)
	}
}

// setSums sets where the sums of the band of rows from row q on are, and where results go
// if they are complete.
func (w *panelWork) setSums(g *dotGroup, q int, complete bool) {
	g.args.Acc, g.args.Outer = &w.sumsOf(g.t, q)[0], nil
	if complete {
		g.args.Outer, g.args.Dst = &w.outer[q], &w.out[g.t][q]
	}
}
