package kernel

import (
	"bytes"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// GEMVMixed is [GEMV] for a matrix with rows of several types. Each row is the same
// bits as in a product of its part alone.
func GEMVMixed(dst []float32, m *quant.Mixed, a *Activation) error {
	if err := check(len(dst), mixedShape(m), a); err != nil {
		return err
	}
	multiplyMixed(dst, m, a, 0, len(dst), best)
	return nil
}

// GEMVMixedRows is [GEMVRows] for a matrix with rows of several types.
func GEMVMixedRows(dst []float32, m *quant.Mixed, a *Activation, lo, hi int) error {
	if err := check(len(dst), mixedShape(m), a); err != nil {
		return err
	}
	if err := checkRange(lo, hi, len(dst)); err != nil {
		return err
	}
	multiplyMixed(dst, m, a, lo, hi, best)
	return nil
}

// GEMMMixed is [GEMM] for a matrix with rows of several types.
func GEMMMixed(dst []float32, m *quant.Mixed, as []Activation) error {
	if err := checkBatch(len(dst), mixedShape(m), as); err != nil {
		return err
	}
	multiplyMixedBatch(dst, m, as, 0, m.Rows(), best)
	return nil
}

// mixedTile is the number of rows of one part that multiplyMixed computes before it
// puts them in their places.
const mixedTile = 256

// multiplyMixed computes rows lo to hi−1 of m into dst[lo:hi]: the rows of one part
// after the other, some at a time, which then go to their places.
func multiplyMixed(dst []float32, m *quant.Mixed, a *Activation, lo, hi int, impl implementation) {
	var buf [mixedTile]float32
	for i := range m.Parts() {
		s := newScatter(m, i, lo, hi)
		for n := s.next(mixedTile); n > 0; n = s.next(mixedTile) {
			s.p.multiply(buf[:n], a, 0, n, impl)
			for _, v := range buf[:n] {
				dst[s.row()] = v
			}
		}
	}
}

// multiplyMixedBatch is multiplyMixed for all activations: as many of them at a time
// as weights are unpacked for.
func multiplyMixedBatch(dst []float32, m *quant.Mixed, as []Activation, lo, hi int, impl implementation) {
	const tile, batch = 32, 64
	var buf [tile * batch]float32
	rows := m.Rows()
	for ; len(as) > 0; as, dst = as[min(len(as), batch):], dst[min(len(as), batch)*rows:] {
		part := as[:min(len(as), batch)]
		for i := range m.Parts() {
			s := newScatter(m, i, lo, hi)
			for n := s.next(tile); n > 0; n = s.next(tile) {
				s.p.multiplyBatch(buf[:n*len(part)], part, 0, n, impl)
				for r := range n {
					row := s.row()
					for t := range part {
						dst[t*rows+row] = buf[t*n+r]
					}
				}
			}
		}
	}
}

// A scatter goes through the rows of one part that are in a range of all rows.
type scatter struct {
	p    plan // of the rows that next has taken
	rest plan // of those from there on
	of   []uint8
	part uint8
	at   int // row of the whole where row looks next
	left int // rows of the part to take
}

func newScatter(m *quant.Mixed, part, lo, hi int) scatter {
	s := scatter{of: m.Order(), part: uint8(part), at: lo}
	key := [1]byte{s.part}
	s.left = bytes.Count(s.of[lo:hi], key[:])
	if s.left > 0 {
		s.rest = newPlan(m.Part(part))
		s.rest.skip(bytes.Count(s.of[:lo], key[:]))
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

// row returns the row of the whole that the next row of the part is.
func (s *scatter) row() int {
	for s.of[s.at] != s.part {
		s.at++
	}
	s.at++
	return s.at - 1
}

// skip leaves out the first n rows. Nothing but the scale of an NVFP4 type is shared
// by rows.
func (p *plan) skip(n int) {
	p.rows -= n
	p.s.Codes = p.s.Codes[n*p.rowBytes:]
	p.s.Scales = p.s.Scales[n*p.groups:]
	p.s.Selectors = p.s.Selectors[n*p.selectorBytes:]
	if p.scale == datatype.RowStep {
		p.s.RowScales = p.s.RowScales[n:]
	}
}
