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

// A pairWork is what the rows of a tile need.
type pairWork struct {
	tables pairTables
	codes  [32 * pairTile]byte // of half a block, if they are not as tables want them
	acc    [lanes][pairTile]float32
	sums   [2][pairTile]uint32 // of entries: half a block each, or a group each
	scaled [pairTile]int32     // the sum of a block of small groups, times their scales
}

// usesPairs reports whether integerRowsPortable does anything for the matrix.
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
		// In order, which the hardware is better at than at columns of rows. They
		// stay in the second- or third-level cache.
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
	small := p.groupSize < block
	if small {
		clear(w.scaled[:n])
	}
	for half := range 2 {
		w.tables.fill((*[block]int8)(a.q[b*block:]), half, small, p.pairs, p.bits)
		codes, stride := w.halfCodes(p, lo, n, b, half)
		if !small {
			w.tables.sum(w.sums[half][:n], codes, stride)
			continue
		}
		mergeCodes(w.codes[:], codes, stride, n, p.bits)
		// Runs of 16 columns are in the order of pairColumns.
		run := min(p.groupSize, 32)
		for i := 0; i < 64; i += run {
			if run == 16 {
				w.tables.sum8(w.sums[0][:n], w.codes[:], i/2)
			} else {
				w.tables.sum16(w.sums[0][:n], w.codes[:], i/2)
			}
			col := b*block + i/32*64 + half*32 + i%32
			w.addGroup(p.meta(lo, col/p.groupSize), n)
		}
	}
	acc, d := w.acc[b%lanes][:n], a.d[b]
	if !small {
		w.addHalves(acc, p.meta(lo, b*block/p.groupSize), d)
		return
	}
	for i, sum := range w.scaled[:n] {
		acc[i] += float32(float32(sum) * d)
	}
}

// halfCodes returns where the codes of half a block of a row are, columns i and 64+i
// in a byte, and the distance to the next row.
func (w *pairWork) halfCodes(p *plan, lo, n, b, half int) (codes []byte, stride int) {
	if p.bits == 4 {
		return p.s.Codes[lo*p.rowBytes+b*64+half*32:], p.rowBytes
	}
	codes = p.s.Codes[lo*p.rowBytes+b/4*192+half*32:]
	switch {
	case (b/4+1)*step > p.cols: // the step is not whole
		for i := range n {
			var last [256]byte
			p.lastStep(&last, lo+i)
			copy(w.codes[32*i:], last[b%4*64+half*32:][:32])
		}
	case b%4 < 3:
		return codes[b%4*64:], p.rowBytes
	default:
		lastCodes(w.codes[:], codes, p.rowBytes, n)
	}
	return w.codes[:], 32
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

// addGroup adds the products of a group, or a part of it, to scaled; sums[0] has the
// sums of entries.
func (w *pairWork) addGroup(m pairMeta, n int) {
	scaled, sums := w.scaled[:n], w.sums[0][:n]
	at, from := 0, 0
	for i := range scaled {
		coef := m.coef[m.selectors[from]>>(m.shift&7)&m.mask&15]
		scaled[i] += unflag(sums[i], coef) * int32(m.scales[at])
		at += m.scaleStep
		from += m.selectStep
	}
}

// A pairMeta says for consecutive rows what the scale of a group is and the
// coefficient of its codebook.
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
