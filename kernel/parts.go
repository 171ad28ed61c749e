package kernel

import (
	"bytes"
	"runtime"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// multiply computes rows lo to hi−1 of m into dst[lo:hi].
func multiply(dst []float32, m *quant.Matrix, a *Activation, lo, hi int, impl implementation) {
	if m.Parts() > 1 {
		multiplyParts(dst, m, a, lo, hi, impl)
		return
	}
	p := newPlan(m)
	p.multiply(dst, a, lo, hi, impl)
	runtime.KeepAlive(m) // and with it memory that is not Go's
}

// multiplyBatch is multiply for all activations: row r of activation t goes to
// dst[t·m.Rows()+r].
func multiplyBatch(dst []float32, m *quant.Matrix, as []Activation, lo, hi int, impl implementation) {
	if m.Parts() > 1 {
		multiplyPartsBatch(dst, m, as, lo, hi, impl)
		return
	}
	p := newPlan(m)
	p.multiplyBatch(dst, as, lo, hi, impl)
	runtime.KeepAlive(m)
}

// partTile is the number of rows of one part that multiplyParts computes before it
// puts them in their places.
const partTile = 256

// multiplyParts is multiply for rows of several types. It computes some rows of one
// part at a time, and then moves them to their places.
func multiplyParts(dst []float32, m *quant.Matrix, a *Activation, lo, hi int, impl implementation) {
	var buf [partTile]float32
	for i := range m.Parts() {
		s := newScatter(m, i, lo, hi)
		for n := s.next(partTile); n > 0; n = s.next(partTile) {
			s.p.multiply(buf[:n], a, 0, n, impl)
			for _, v := range buf[:n] {
				dst[s.row()] = v
			}
		}
	}
	runtime.KeepAlive(m)
}

// multiplyPartsBatch is multiplyBatch for rows of several types. It takes as many
// activations at a time as weights are unpacked for.
func multiplyPartsBatch(dst []float32, m *quant.Matrix, as []Activation, lo, hi int, impl implementation) {
	const tile, batch = 32, 64
	var buf [tile * batch]float32
	rows := m.Rows()
	for ; len(as) > 0; as, dst = as[min(len(as), batch):], dst[min(len(as), batch)*rows:] {
		some := as[:min(len(as), batch)]
		for i := range m.Parts() {
			s := newScatter(m, i, lo, hi)
			for n := s.next(tile); n > 0; n = s.next(tile) {
				s.p.multiplyBatch(buf[:n*len(some)], some, 0, n, impl)
				for r := range n {
					row := s.row()
					for t := range some {
						dst[t*rows+row] = buf[t*n+r]
					}
				}
			}
		}
	}
	runtime.KeepAlive(m)
}

// A scatter goes through the rows of one part that are in a range of all rows.
type scatter struct {
	p    plan // of the rows that next has taken
	rest plan // of the rows after them
	of   []uint8
	part uint8
	at   int // row of the whole where row looks next
	left int // rows of the part to take
}

func newScatter(m *quant.Matrix, part, lo, hi int) scatter {
	s := scatter{of: m.Order(), part: uint8(part)}
	key := [1]byte{s.part}
	if s.left = bytes.Count(s.of[lo:hi], key[:]); s.left > 0 {
		s.at = lo + bytes.IndexByte(s.of[lo:hi], s.part)
		s.rest = newPlan(m.Part(part))
		_, before := m.RowPart(s.at)
		s.rest.skip(before)
	}
	return s
}

// next sets p to the next rows, up to n, and returns their number.
func (s *scatter) next(n int) int {
	n = min(n, s.left)
	if n > 0 {
		s.p = s.rest
		s.p.rows = n
		s.rest.skip(n)
		s.left -= n
	}
	return n
}

// row returns the number of the part's next row in the whole matrix.
func (s *scatter) row() int {
	for s.of[s.at] != s.part {
		s.at++
	}
	s.at++
	return s.at - 1
}

// skip leaves out the first n rows. Rows share nothing but the scale of an NVFP4 type.
func (p *plan) skip(n int) {
	p.rows -= n
	p.s.Codes = p.s.Codes[n*p.rowBytes:]
	p.s.Scales = p.s.Scales[n*p.groups:]
	p.s.Selectors = p.s.Selectors[n*p.selectorBytes:]
	if p.scale == datatype.RowStep {
		p.s.RowScales = p.s.RowScales[n:]
	}
}
