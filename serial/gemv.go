package serial

import (
	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/x448/float16"
)

// Stats is the cost of a run on one processing element with one dequantizer, row after
// row. On an array of n elements, the cycles are about 1/n of these.
type Stats struct {
	Cycles  int64 // until the last product is finished: Element + Stalls + the last dequantization
	Element int64 // cycles in which the element took terms
	Stalls  int64 // cycles in which it waited for the dequantizer
	Sums    int64 // partial sums that were dequantized, 8 cycles each
}

// GEMV multiplies m by the INT8 activations x, len(x) = m.Cols(), as the hardware does:
// each weight as its terms, four weights a step, and the partial sum of each group
// through the bit-serial dequantizer. Nothing is rounded. There are
// B = ⌈cols/blockColumns⌉ blocks of columns, each with an activation scale of its own,
// and
//
//	dst[row·B + b] = Σ k_g · Σ value(code)/Unit · x
//
// The outer sum is over the groups g of the row with columns in block b, and the inner
// sum is over these columns. k_g is the group's 8-bit scale. A block may begin or end
// within a group. To get the product of weights and activations, multiply dst by
// m.RowScale(row) · Type.Unit() · the activation scale. len(dst) must be m.Rows()·B. If
// rows are of several types, each row has its own Type and group size.
//
// GEMV is the oracle for the integer mode of package kernel and for cycle counts. It
// runs on the caller's goroutine and takes some 10 ns a weight (two terms) to 20 ns
// (four). Partial sums of up to 2^31 weights are exact.
//
// The error wraps [ErrNotBitSerial] if the values have no unit (nf3, nf4, sf3,
// sf4) or the scales are not 8-bit integers (mxfp4, nvfp4), or [ErrShape].
func GEMV(dst []int64, m *quant.Matrix, x []int8, blockColumns int) (Stats, error) {
	r, err := newRun(m, len(x))
	if err != nil {
		return Stats{}, err
	}
	if blockColumns < 1 {
		return Stats{}, shapeError("blockColumns", blockColumns, "at least 1")
	}
	cols := m.Cols()
	blocks := (cols-1)/blockColumns + 1
	if len(dst) != m.Rows()*blocks {
		return Stats{}, shapeError("len(dst)", len(dst), "%d (%d rows × %d blocks)", m.Rows()*blocks, m.Rows(), blocks)
	}
	clear(dst)
	for row := range m.Rows() {
		out := dst[row*blocks : (row+1)*blocks]
		size := r.start(row)
		if err := m.Codes(r.codes, row); err != nil {
			return Stats{}, err
		}
		for lo := 0; lo < cols; {
			group, block := lo/size, lo/blockColumns
			hi := min(cols, (group+1)*size)
			if rest := hi - lo; rest > (block+1)*blockColumns-lo {
				hi = (block + 1) * blockColumns
			}
			t, err := r.table(row, group)
			if err != nil {
				return Stats{}, err
			}
			sum, cycles := t.walk.dot(r.codes[lo:hi], x[lo:hi])
			product, _ := Dequantize(sum>>t.shift, m.ScaleCode(row, group))
			out[block] += product
			r.count(cycles)
			lo = hi
		}
	}
	return r.stats(), nil
}

// GEMVFloat16 multiplies m by FP16 activations in the given mode. A [PE] finds the
// partial sum of each group, the dequantizer multiplies it by the 8-bit scale, and the
// products of a row are added without rounding. dst[row], with len(dst) = m.Rows(), is
// that sum, rounded to float64, times the row's scale. The losses of Paper and Truncate
// therefore all arise inside the groups. A row with an infinite or NaN activation is NaN.
//
// It takes some 50 ns a weight, and twice that for int8. The errors are those of
// GEMV, and [ErrConfig] for an unknown mode.
func GEMVFloat16(dst []float64, m *quant.Matrix, x []float16.Float16, mode Mode) (Stats, error) {
	r, err := newRun(m, len(x))
	if err != nil {
		return Stats{}, err
	}
	if len(dst) != m.Rows() {
		return Stats{}, shapeError("len(dst)", len(dst), "%d (rows)", m.Rows())
	}
	p := PE{Mode: mode}
	for row := range m.Rows() {
		if err := m.Codes(r.codes, row); err != nil {
			return Stats{}, err
		}
		var total fixed
		var nan float64 // 0, or NaN
		scale := float64(m.RowScale(row))
		size := r.start(row)
		for lo := 0; lo < m.Cols(); lo += size {
			group, hi := lo/size, min(m.Cols(), lo+size)
			t, err := r.table(row, group)
			if err != nil {
				return Stats{}, err
			}
			sum, cycles, err := p.Group(t, r.codes[lo:hi], x[lo:hi])
			if err != nil {
				return Stats{}, err
			}
			if sum != sum {
				nan = sum
			}
			total = total.add(dequantize(p.total(), m.ScaleCode(row, group)))
			r.count(cycles)
			if group == 0 {
				scale *= float64(t.Scale())
			}
		}
		dst[row] = float64(total.float()*scale) + nan
	}
	return r.stats(), nil
}

// A run is what a multiplication needs besides its arguments.
type run struct {
	m      *quant.Matrix
	codes  []uint8
	parts  [][]*Table // of each part, by selector, made when first needed
	tables []*Table   // of the row's part
	pipe   Pipeline
	work   Stats
}

func newRun(m *quant.Matrix, activations int) (*run, error) {
	if m == nil || m.Rows() == 0 {
		return nil, shapeError("rows", 0, "at least 1")
	}
	if activations != m.Cols() {
		return nil, shapeError("len(x)", activations, "%d (columns)", m.Cols())
	}
	r := &run{m: m, codes: make([]uint8, m.Cols())}
	for i := range m.Parts() {
		t := m.Part(i).Type()
		if f := t.Scale(); f != datatype.RowStep {
			return nil, typeError(t, "its %v scales are not 8-bit integers", f)
		}
		r.parts = append(r.parts, make([]*Table, len(t.Codebooks())))
	}
	return r, nil
}

// start prepares for a row, and returns its group size.
func (r *run) start(row int) (groupSize int) {
	part, _ := r.m.RowPart(row)
	r.tables = r.parts[part]
	return r.m.Part(part).GroupSize()
}

func (r *run) table(row, group int) (*Table, error) {
	s := r.m.Selector(row, group)
	if r.tables[s] == nil {
		t, err := NewTable(r.m.Codebook(row, group))
		if err != nil {
			return nil, err
		}
		r.tables[s] = t
	}
	return r.tables[s], nil
}

func (r *run) count(cycles int) {
	r.pipe.Group(cycles)
	r.work.Element += int64(cycles)
	r.work.Sums++
}

func (r *run) stats() Stats {
	s := r.work
	s.Cycles, s.Stalls = r.pipe.Cycles(), r.pipe.Stalls()
	return s
}
