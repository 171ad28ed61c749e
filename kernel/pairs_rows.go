package kernel

import "github.com/bitmod-go/bitmod/datatype"

const (
	// pairTile is the greatest number of rows that share tables: with so many,
	// making tables is a tenth of the work.
	pairTile = 1024
	// minPairTile is the least number of rows for which tables are made. With
	// fewer, it is faster to decode codes.
	minPairTile = 16
)

// A pairWork is the memory for the rows of a tile. It is on the stack, for which the
// compiler allows 128 KiB.
type pairWork struct {
	tables pairTables
	codes  [pairTile * blockBytes]byte // of a block of each row
	acc    [lanes][pairTile]float32
	sums   [2][pairTile]uint32 // see addBlock
}

// usesPairs reports whether integerRowsPortable can do the matrix.
func (p *plan) usesPairs() bool {
	return p.pairs != nil && p.scale == datatype.RowStep && p.cols >= block &&
		(p.groupSize%block == 0 || p.groupSize%16 == 0 && block%p.groupSize == 0)
}

// integerRowsPortable computes rows by tables of pairs, if it can do so for the type
// and group size, and if there are enough of them.
func integerRowsPortable(dst []float32, p *plan, a *Activation, lo, hi int) int {
	if !p.usesPairs() || hi-lo < minPairTile {
		return lo
	}
	var w pairWork
	blocks := p.cols / block
	tiles := (hi-lo-1)/pairTile + 1
	tile := (hi-lo-1)/tiles + 1
	for ; lo < hi; lo += tile {
		n := min(tile, hi-lo)
		// Read codes in order, which the hardware prefetches better than columns of
		// rows. They stay in the second- or third-level cache for all blocks.
		touch(p.s.Codes[lo*p.rowBytes : (lo+n)*p.rowBytes])
		for l := range w.acc {
			clear(w.acc[l][:n])
		}
		for b := range blocks {
			w.addBlock(p, a, lo, n, b)
		}
		for i := range n {
			acc := [lanes]float32{w.acc[0][i], w.acc[1][i], w.acc[2][i], w.acc[3][i]}
			p.integerRow(&acc, a, lo+i, blocks*block, portable)
			dst[lo+i] = p.finish(&acc, lo+i)
		}
	}
	return hi
}

// touch reads a byte of each cache line of b.
//
//go:noinline
func touch(b []byte) (sum byte) {
	for i := 0; i < len(b); i += 64 {
		sum += b[i]
	}
	return sum
}

// addBlock adds block b of n rows from lo on to their lanes.
func (w *pairWork) addBlock(p *plan, a *Activation, lo, n, b int) {
	w.loadCodes(p, lo, n, b)
	q := (*[block]int8)(a.q[b*block:])
	acc, d := w.acc[b%lanes][:n], a.d[b]
	if p.groupSize >= block {
		for half := range w.sums {
			w.tables.fill(q, half, false, p.pairs, p.bits)
			w.tables.sum(w.sums[half][:n], w.codes[half*halfBytes:])
		}
		w.addHalves(acc, p.meta(lo, b*block/p.groupSize), d)
		return
	}
	// Small groups: sums[0] has the entries of one, and sums[1] becomes the sum of
	// the block.
	mergeCodes(w.codes[:], 2*n, p.bits)
	clear(w.sums[1][:n])
	run := min(p.groupSize, 32)
	for half := range 2 {
		w.tables.fill(q, half, true, p.pairs, p.bits)
		for i := 0; i < 64; i += run {
			codes := w.codes[half*halfBytes+i/2:]
			if run == 16 {
				w.tables.sum8(w.sums[0][:n], codes, i/2)
			} else {
				w.tables.sum16(w.sums[0][:n], codes, i/2)
			}
			col := b*block + i/32*64 + half*32 + i%32 // see pairColumns
			w.addGroup(p.meta(lo, col/p.groupSize), n)
		}
	}
	for i, sum := range w.sums[1][:n] {
		acc[i] += float32(float32(int32(sum)) * d)
	}
}

// loadCodes copies block b of n rows from lo on to codes, with columns i and 64+i in a
// byte. Looking up is much faster there than in the rows, which are in different cache
// lines and pages.
func (w *pairWork) loadCodes(p *plan, lo, n, b int) {
	from := lo*p.rowBytes + b*blockBytes
	if p.bits == 3 {
		from = lo*p.rowBytes + b/4*3*blockBytes
		switch {
		case (b/4+1)*step > p.cols: // the step is not whole
			for i := range n {
				var codes [256]byte
				p.lastStep(&codes, lo+i)
				copy(w.codes[i*blockBytes:], codes[b%4*blockBytes:(b%4+1)*blockBytes])
			}
			return
		case b%4 == 3:
			lastCodes(w.codes[:n*blockBytes], p.s.Codes[from:], p.rowBytes)
			return
		}
		from += b % 4 * blockBytes
	}
	copyCodes(w.codes[:n*blockBytes], p.s.Codes[from:], p.rowBytes)
}

// addHalves adds the block whose halves have the sums of entries in sums to acc.
func (w *pairWork) addHalves(acc []float32, m pairMeta, d float32) {
	first, second := w.sums[0][:len(acc)], w.sums[1][:len(acc)]
	at, from := 0, 0
	for i := range acc {
		coef := m.coef[m.selectors[from]>>(m.shift&7)&m.mask&15]
		sum := (unflag(first[i], coef) + unflag(second[i], coef)) * int32(m.scales[at])
		acc[i] += float32(float32(sum) * d)
		at += m.scaleStep
		from += m.selectStep
	}
}

// addGroup adds the product of a group, or a part of it, and its scale to sums[1];
// sums[0] has the sums of entries.
func (w *pairWork) addGroup(m pairMeta, n int) {
	scaled, sums := w.sums[1][:n], w.sums[0][:n]
	at, from := 0, 0
	for i := range scaled {
		coef := m.coef[m.selectors[from]>>(m.shift&7)&m.mask&15]
		scaled[i] += uint32(unflag(sums[i], coef) * int32(m.scales[at]))
		at += m.scaleStep
		from += m.selectStep
	}
}

// A pairMeta has the scale of a group and the coefficient of its codebook for
// consecutive rows.
type pairMeta struct {
	scales, selectors     []byte // from the first row on
	scaleStep, selectStep int    // to the next
	shift, mask           byte   // of selectors
	coef                  *[16]int32
}

func (p *plan) meta(row, group int) pairMeta {
	m := pairMeta{
		scales:    p.s.Scales[row*p.groups+group:],
		scaleStep: p.groups,
		selectors: oneSelector[:],
		coef:      &p.pairs.coef,
	}
	if p.selectorBits > 0 {
		at := group * p.selectorBits
		m.selectors, m.selectStep = p.s.Selectors[row*p.selectorBytes+at/8:], p.selectorBytes
		m.shift, m.mask = byte(at%8), 1<<p.selectorBits-1
	}
	return m
}

// oneSelector stands for the selectors of types that have none.
var oneSelector [1]byte
