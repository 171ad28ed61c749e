package quant

import (
	"math"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/loops/algebra"
)

// A descent lowers the loss (w − ŵ)ᵀH′(w − ŵ) of rows that feedback has quantized, by
// coordinate descent. H′ is the Hessian after Shrinkage and Damping. Feedback chooses
// each column once and never looks back. A descent visits all columns again. With the
// gradient
//
//	g = H′·(w − ŵ)
//
// the best value for column j, with all others unchanged, is ŵ_j + g_j/H′_jj. The
// nearest stored value replaces ŵ_j. The best factor for the weights ŵ_G of a group is
// 1 + g_G·ŵ_G/(ŵ_Gᵀ·H′·ŵ_G). A change is kept only if the loss falls.
type descent struct {
	sweeps int
	n      int
	h      []float64 // H′, the whole of it, row by row
	set    algebra.Set
}

// newDescent returns the descent for a Hessian with the factor f, or nil for no sweeps.
func newDescent(fb *Feedback, f *factor) *descent {
	if fb.Sweeps == 0 {
		return nil
	}
	n := f.n
	d := &descent{sweeps: fb.Sweeps, n: n, h: make([]float64, n*n), set: f.set}
	for i := range n {
		at := rowOffset(n, i)
		row := fb.Hessian.sums[at : at+n-i]
		copy(d.h[i*n+i:], row)
		for j, x := range row[1:] {
			d.h[(i+1+j)*n+i] = x
		}
		d.h[i*n+i] = fb.damped(row[0], f.lambda)
	}
	return d
}

// row returns row i of H′.
func (d *descent) row(i int) []float64 { return d.h[i*d.n : (i+1)*d.n] }

// A descentRow is a row during descent. It reuses memory that feedback no longer needs.
type descentRow struct {
	*feedbackRow
	stored   []float64 // by column: ŵ
	gradient []float64 // by column: g
	step     float32
	done     bool
}

// descend lowers the loss of some rows, from number first on. Rows are independent;
// they are done together so that the Hessian is read once for all of them.
func (q *feedbackQuantizer) descend(rows []feedbackRow, first int) {
	d, m := q.descent, q.m
	var all [feedbackRows]descentRow
	ds := all[:len(rows)]
	for i := range rows {
		r := &rows[i]
		ds[i] = descentRow{feedbackRow: r, stored: r.errors, gradient: r.target, step: m.RowScale(first + i)}
		for col, code := range r.codes {
			ds[i].stored[col] = r.valuesOf(m, col/m.groupSize)[code]
		}
		clear(ds[i].gradient)
	}
	// g begins with 0. H′ times the differences ŵ − w is subtracted, one column after the
	// other.
	var c, r [feedbackRows][]float64
	for i := range ds {
		c[i], r[i] = ds[i].gradient, q.differences[i*d.n:(i+1)*d.n]
		for col, x := range ds[i].stored {
			r[i][col] = x - ds[i].weights[col]
		}
	}
	reduce(d.set, c[:len(ds)], r[:len(ds)], 1, d.h, d.n, 0, d.n)
	for range d.sweeps {
		for i := range ds {
			ds[i].done = true
		}
		if m.typ.Scale() == datatype.RowStep {
			for g := range m.groups {
				lo, hi := m.groupColumns(g)
				for i := range ds {
					c[i], r[i] = q.differences[i*d.n:][:hi-lo], ds[i].stored[lo:hi]
					clear(c[i])
				}
				reduce(d.set, c[:len(ds)], r[:len(ds)], 1, d.h[lo*d.n+lo:], d.n, 0, hi-lo)
				for i := range ds {
					q.descendScale(&ds[i], g, -dot(c[i], r[i]))
				}
			}
		}
		for visit := range d.n {
			col := q.factor.column(visit)
			for i := range ds {
				q.descendCode(&ds[i], col)
			}
		}
		left := ds[:0]
		for i := range ds {
			if !ds[i].done {
				left = append(left, ds[i])
			}
		}
		if ds = left; len(ds) == 0 {
			return
		}
	}
}

// descendCode gives a column the best code for the other columns as they are.
func (q *feedbackQuantizer) descendCode(r *descentRow, col int) {
	h := q.descent.row(col)
	x := r.stored[col] + r.gradient[col]/h[col]
	if !(math.Abs(x) <= math.MaxFloat32) {
		return // where the Hessian or the weights come near the end of float64 or float32
	}
	g := col / q.m.groupSize
	code := q.chooser.selector.EncodeValue(x, r.choices[g])
	value := r.valuesOf(q.m, g)[code]
	by := value - r.stored[col]
	if !(float64(by*h[col])*by < float64(2*by)*r.gradient[col]) {
		return
	}
	r.codes[col], r.stored[col] = code, value
	takeOne(q.descent.set, r.gradient, h, by)
	r.done = false
}

// descendScale gives a group the best scale for the codes as they are. across is
// ŵ_Gᵀ·H′·ŵ_G.
func (q *feedbackQuantizer) descendScale(r *descentRow, g int, across float64) {
	m, d := q.m, q.descent
	c := r.choices[g]
	lo, hi := m.groupColumns(g)
	old := r.stored[lo:hi]
	along := dot(r.gradient[lo:hi], old)
	k := math.RoundToEven(float64(c.Scale) * (1 + along/across))
	if !(k >= 1) || uint8(min(k, 255)) == c.Scale {
		return
	}
	c.Scale = uint8(min(k, 255))
	c.Delta = float64(c.Scale) * float64(r.step)
	var values [256]float64
	m.values(values[:], c, r.step)
	by := q.first[:hi-lo]
	for i, code := range r.codes[lo:hi] {
		by[i] = values[code] - old[i]
	}
	if !(d.across(by, lo) < 2*dot(by, r.gradient[lo:hi])) {
		return
	}
	r.choices[g] = c
	copy(r.valuesOf(m, g), values[:])
	for i, b := range by {
		if b != 0 {
			old[i] = values[r.codes[lo+i]]
			takeOne(d.set, r.gradient, d.row(lo+i), b)
		}
	}
	r.done = false
}

// across returns vᵀ·H′·v for a v that begins at column lo and is 0 elsewhere.
func (d *descent) across(v []float64, lo int) float64 {
	var sum float64
	for i, x := range v {
		if x != 0 {
			sum += float64(x * dot(d.row(lo + i)[lo:lo+len(v)], v))
		}
	}
	return sum
}

// dot returns the sum of the products. It adds up four sums, which the processor
// overlaps.
func dot(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	for ; len(a) >= 4; a, b = a[4:], b[4:] {
		s0 += float64(a[0] * b[0])
		s1 += float64(a[1] * b[1])
		s2 += float64(a[2] * b[2])
		s3 += float64(a[3] * b[3])
	}
	for i, x := range a {
		s0 += float64(x * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}
