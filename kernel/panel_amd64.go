//go:build amd64 && !purego

package kernel

import (
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
	// smallPanel is the number of columns of a panel for few activations, which
	// then stays in the first-level cache. For many, a panel has pieceCols columns,
	// so that sums stay in that cache instead.
	smallPanel = 256
	few        = 8
	// panelTile is the number of activations that a panel is multiplied by before
	// the next columns.
	panelTile = 192
	granule   = 16 // columns that Activation.prefix tells apart
)

// A panelWork is the memory that a product by panels takes. It is large, so that there
// is a pool of them.
type panelWork struct {
	panel   [pieceCols / 4 * loops.QuadBytes]byte
	acc     [panelTile][loops.SumLanes * loops.PanelRows]float32
	block   [loops.MaxVectors][loops.PanelRows]float32
	k       [pieceCols/granule + 1][loops.PanelRows]float32
	sel     [loops.PanelRows / loops.Lanes][pieceCols/granule + 1][4 * loops.Lanes]byte
	table   [64]byte
	scratch [loops.ScratchBytes]byte
	outer   [loops.PanelRows]float32
	out     [loops.PanelRows]float32
	sums    [loops.PanelRows][lanes]float32 // of heads
	heads   heads

	// What follows from the shape of a matrix.
	shape  panelShape
	pieces []piece
	parts  []part
	chunks []chunkRun
	selAt  []uint16
	segs   []loops.Segment
	mode   int // of loops.DotsAVX512

	codes [pack.MaxChunk]uint8
}

// A panelShape is what pieces depend on.
type panelShape struct {
	from, panel                         int
	cols, groupSize, bits, selectorBits int
	scale                               datatype.ScaleFormat
}

// A piece is some columns of all rows whose scales and selectors are ready at the same
// time.
type piece struct {
	first  int // group
	groups int
	parts  [2]int // first and last + 1 in panelWork.parts
}

// A part is the columns of a piece that are in a panel at the same time.
type part struct {
	lo, hi int
	selAt  int    // in panelWork.selAt
	segs   int    // in panelWork.segs
	runs   [2]int // first and last + 1 in panelWork.chunks
}

// A chunkRun is some chunks of the same height.
type chunkRun struct {
	col, bytes     int // of the first, in the row
	height, chunks int
	cols           int // of all
	quads          int // of selAt before
}

var panelPool = sync.Pool{New: func() any { return new(panelWork) }}

// byPanels reports whether panels can hold the type, and how: a table, or codes to
// which a number is added.
func (p *plan) byPanels() (ok, table bool) {
	switch {
	case p.ints == nil || p.groupSize%granule != 0 && p.groupSize < p.cols:
		return false, false
	case p.bits+p.selectorBits <= 6 && p.bits <= 4:
		return true, true
	case p.linear && p.bits < 8, p.linear && p.selectorBits == 0:
		return true, false
	case p.bits+p.selectorBits > 6:
		return false, false
	}
	for _, ints := range p.ints {
		for _, v := range ints {
			if v < -128 || v > 127 {
				return false, false
			}
		}
	}
	return true, true
}

// panelShift returns the binary logarithm of what panels add to integers, over that
// of Activation.prefix.
func (p *plan) panelShift(table bool) int {
	if table && p.bits <= 4 {
		return 0
	}
	return 3
}

// panelRows computes rows lo to hi−1 for all activations: row r of activation t goes
// to dst[t·p.rows+r]. All must be in integer mode, and byPanels true. If tails is set,
// there is one activation, and hasHeads is true: panels are for the last columns of a
// row alone, which are no whole step.
func panelRows(dst []float32, p *plan, as []Activation, lo, hi int, tails bool) {
	_, table := p.byPanels()
	w := panelPool.Get().(*panelWork)
	defer panelPool.Put(w)
	from := 0
	if tails {
		from = p.cols / step * step
		w.heads.start(p, &as[0])
		defer func() { w.heads = heads{} }() // which would keep memory alive
	}
	panel := pieceCols
	if len(as) <= few {
		panel = max(smallPanel, 64*strips(p.bits))
	}
	w.plan(p, from, panel)
	shift := p.panelShift(table)
	w.setTable(p, shift)
	for ; lo < hi; lo += loops.PanelRows {
		n := min(loops.PanelRows, hi-lo)
		for i := range w.outer {
			w.outer[i] = p.outer(lo + min(i, n-1))
		}
		for first := 0; first < len(as); first += panelTile {
			part := as[first:min(first+panelTile, len(as))]
			if !tails {
				clear(w.acc[:len(part)])
			} else {
				w.heads.rows(&w.sums, p, lo, n)
				for i := range w.sums {
					for l, v := range &w.sums[i] {
						w.acc[0][l*loops.PanelRows+i] = v
					}
				}
			}
			for i := range w.pieces {
				pc := &w.pieces[i]
				w.loadMeta(p, pc, lo, n, table)
				for j := pc.parts[0]; j < pc.parts[1]; j++ {
					w.load(p, pc, &w.parts[j], lo, n, table)
					w.multiply(&w.parts[j], part, shift)
				}
			}
			for t := range part {
				to := dst[(first+t)*p.rows+lo:][:n]
				args := loops.FinishArgs{Dst: &w.out[0], Acc: &w.acc[t][0], Outer: &w.outer[0]}
				if n == loops.PanelRows {
					args.Dst = &to[0]
				}
				loops.FinishAVX512(&args)
				if n < loops.PanelRows {
					copy(to, w.out[:])
				}
			}
		}
	}
}

// setTable sets the table of values of up to 6 bits with their selectors.
func (w *panelWork) setTable(p *plan, shift int) {
	if p.bits+p.selectorBits > 6 {
		return
	}
	for i := range w.table {
		ints := p.ints[i>>p.bits&(1<<p.selectorBits-1)]
		w.table[i] = byte(int(ints[i&(1<<p.bits-1)]) + offset<<shift)
	}
}

// strips returns the number of codes that share bytes.
func strips(bits int) int { return 8 * pack.StripBytes(bits) / bits }

// plan sets what follows from the shape of a matrix, from a column on, with so many
// columns in a panel.
func (w *panelWork) plan(p *plan, from, panel int) {
	shape := panelShape{from, panel, p.cols, p.groupSize, p.bits, p.selectorBits, p.scale}
	if shape == w.shape {
		return
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
		for at := lo; at < hi; at += panel {
			w.planPart(p, &pc, at, min(at+panel, hi))
		}
		pc.parts[1] = len(w.parts)
		w.pieces = append(w.pieces, pc)
	}
}

// planPart adds columns lo to hi−1 to a piece.
func (w *panelWork) planPart(p *plan, pc *piece, lo, hi int) {
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
				if p.selectorBits > 0 {
					g = min(at+s*h+pos, p.cols-1)/p.groupSize - pc.first
				}
				w.selAt = append(w.selAt, uint16(g*len(w.sel[0][0])))
			}
		}
		at += n
	}
	pt.runs[1] = len(w.chunks)
	for at := lo; at < hi; {
		end := min(hi, at/block*block+block, at/p.groupSize*p.groupSize+p.groupSize)
		s := loops.Segment{
			Quads: int32((end-at+granule-1)/granule) * granule / 4,
			Begin: int32((at - lo) / granule * 4),
			End:   int32((end - lo + granule - 1) / granule * 4),
			K:     int32((at/p.groupSize - pc.first) * 4 * loops.PanelRows),
			D:     int32((at - lo) / block * 4),
			Lane:  int32(at / block % lanes * 4 * loops.PanelRows),
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

// laneRow returns row i of so many lanes from lane q·16 on: of n rows from row on, the
// last of which fills what is left.
func laneRow(row, n, q, i int) int { return row + min(q*loops.Lanes+i, n-1) }

// loadMeta sets the scales and selectors of n rows from row on.
func (w *panelWork) loadMeta(p *plan, pc *piece, row, n int, table bool) {
	mode := loops.MetaFloat
	switch {
	case p.scale == datatype.E8M0:
		mode = loops.MetaE8M0
	case p.scale == datatype.E4M3:
		mode = loops.MetaE4M3
	case w.mode == loops.DotsInt:
		mode = loops.MetaInt
	}
	meta := loops.MetaArgs{Scratch: &w.scratch}
	for q := range loops.PanelRows / loops.Lanes {
		if p.selectorBits > 0 {
			w.loadSelectors(&meta, p, pc, row, n, q, table)
		} else {
			add := byte(0)
			if !table {
				add = byte(offset<<3 + int(p.ints[0][0]))
			}
			for i := range w.sel[q][0] {
				w.sel[q][0][i] = add
			}
		}
		for i := range meta.Rows {
			meta.Rows[i] = &p.s.Scales[laneRow(row, n, q, i)*p.groups+pc.first]
		}
		meta.Bytes, meta.Bit, meta.Bits, meta.Groups = pc.groups, 0, 8, pc.groups
		meta.Dst = (*byte)(unsafe.Pointer(&w.k[0][q*loops.Lanes]))
		meta.Stride = 4 * loops.PanelRows
		loops.MetaAVX512(&meta, mode)
	}
}

// load fills the panel with n rows from row on.
func (w *panelWork) load(p *plan, pc *piece, pt *part, row, n int, table bool) {
	for q := range loops.PanelRows / loops.Lanes {
		args := loops.PanelArgs{Table: &w.table, Sel: &w.sel[q][0][0], Scratch: &w.scratch}
		for i := pt.runs[0]; i < pt.runs[1]; i++ {
			c := &w.chunks[i]
			to := w.panel[(c.col-pt.lo)/4*loops.QuadBytes+q*4*loops.Lanes:]
			if c.height%4 != 0 {
				w.loadEnd(to, p, c, row, n, q, table)
				continue
			}
			for i := range args.Rows {
				args.Rows[i] = &p.s.Codes[laneRow(row, n, q, i)*p.rowBytes+c.bytes]
			}
			args.Dst, args.Height, args.Chunks = &to[0], c.height, c.chunks
			args.SelAt = &w.selAt[pt.selAt+c.quads]
			loops.PanelAVX512(&args, p.bits, table)
		}
	}
}

// loadSelectors sets sel for the groups of a piece.
func (w *panelWork) loadSelectors(meta *loops.MetaArgs, p *plan, pc *piece, row, n, q int, table bool) {
	bit := pc.first * p.selectorBits
	for i := range meta.Rows {
		meta.Rows[i] = &p.s.Selectors[laneRow(row, n, q, i)*p.selectorBytes+bit/8]
	}
	meta.Bit, meta.Bits, meta.Groups = bit%8, p.selectorBits, pc.groups
	meta.Bytes = (bit%8 + pc.groups*p.selectorBits + 7) / 8
	meta.Dst, meta.Stride = &w.sel[q][0][0], len(w.sel[q][0])
	if table {
		meta.Shift = p.bits
		loops.MetaAVX512(meta, loops.MetaTable)
		return
	}
	meta.Add = offset << 3
	loops.MetaAVX512(meta, loops.MetaSum)
}

// loadEnd is the last chunk of rows, whose strips are no whole words.
func (w *panelWork) loadEnd(to []byte, p *plan, c *chunkRun, row, n, q int, table bool) {
	shift := p.panelShift(table)
	for i := range loops.Lanes {
		row := laneRow(row, n, q, i)
		codes := p.s.Codes[row*p.rowBytes+c.bytes : (row+1)*p.rowBytes]
		pack.Next(&w.codes, codes, c.cols, p.bits)
		for j, code := range w.codes[:c.cols] {
			v := p.ints[p.selector(row, (c.col+j)/p.groupSize)][code]
			to[j/4*loops.QuadBytes+4*i+j%4] = byte(int(v) + offset<<shift)
		}
	}
}

// multiply adds the panel times activations to their sums.
func (w *panelWork) multiply(pt *part, as []Activation, shift int) {
	args := loops.DotArgs{
		Panel: &w.panel[0], Segments: &w.segs[pt.segs], K: &w.k[0][0], Block: &w.block[0][0], Shift: shift,
	}
	for t := 0; t < len(as); {
		n := vectors(len(as) - t)
		args.Acc = &w.acc[t][0]
		for i := range n {
			a := &as[t+i]
			args.Q[i], args.Prefix[i], args.D[i] = &a.q[pt.lo], &a.prefix[pt.lo/granule], &a.d[pt.lo/block]
		}
		loops.DotsAVX512(&args, n, w.mode)
		t += n
	}
}

// vectors returns how many of n activations to take at once.
func vectors(n int) int {
	switch {
	case n == 6 || n > 8:
		return 6
	case n == 5:
		return 3
	case n > 6:
		return 4
	}
	return n
}

// heads computes the whole steps of rows for one activation.
type heads struct {
	a     *Activation
	steps stepArgs // for scales of 128 columns or more
	group groupStepArgs
	table [64]byte
}

// hasHeads reports whether there are loops for the whole steps of a row that are
// faster than panels.
func (p *plan) hasHeads() bool {
	return p.cols >= step && (p.bits == 3 || p.bits == 4) && (p.wideGroups() || p.smallGroups())
}

// wideGroups reports whether the scales are integers, for 128 columns or a multiple.
func (p *plan) wideGroups() bool { return p.scale == datatype.RowStep && p.groupSize%block == 0 }

func (h *heads) start(p *plan, a *Activation) {
	h.a = a
	if p.wideGroups() {
		h.steps = stepArgs{rowArgs: p.directRows(p.bytes)}
		return
	}
	p.groupTable(&h.table, p.bytes)
	h.group = p.groupArgs(a, &h.table)
}

// rows sets the lanes of n rows from row on.
func (h *heads) rows(acc *[loops.PanelRows][lanes]float32, p *plan, row, n int) {
	clear(acc[:])
	switch {
	case !p.wideGroups():
		for i := range n {
			h.group.row(p, row+i)
			p.groupSteps(&acc[i], &h.group)
		}
	case p.direct():
		h.steps.start(p, row, 0)
		h.steps.at(h.a, 0, p.cols/step)
		steps(&acc[0], &h.steps, n, p.bits, p.selectorBits, avx512)
	default:
		for i := range n {
			stepRow(&acc[i], p, h.a, row+i, avx512)
		}
	}
}

// panelBatch returns the least number of activations that panels multiply faster than
// one after the other. Of other shapes than these, panelVector does single ones, too.
func (p *plan) panelBatch() int {
	switch {
	case p.cols%step != 0 || p.bits != 3 && p.bits != 4:
		return 2
	case p.wideGroups():
		return 6
	case p.smallGroups():
		return 3
	}
	return 2
}

// panelVector computes rows lo to hi−1 for one activation, the last columns or all of
// them by panels. It does nothing, and returns false, for shapes that other loops
// multiply faster, or that panels can't hold.
func panelVector(dst []float32, p *plan, a *Activation, lo, hi int) bool {
	if ok, _ := p.byPanels(); !ok {
		return false
	}
	tails := p.hasHeads()
	if tails && p.cols%step == 0 || p.bits == 4 && p.direct() {
		return false // stepRows
	}
	panelRows(dst, p, unsafe.Slice(a, 1), lo, hi, tails)
	return true
}
