package quant

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/internal/loops/algebra"
)

// The error for a Hessian that cannot be factored matches ErrSingular.
var ErrSingular = errors.New("singular Hessian")

const defaultDamping = 0.01

// A factor is H + λ·I = M·D·Mᵀ with M unit upper triangular and D diagonal, rows and
// columns in the order of visits. With η = w − ŵ, the loss of a row is
//
//	ηᵀ·(H + λ·I)·η = Σ D_k·(η_k + Σ M_ik·η_i)²    i < k
//
// so that the best value for column k, once the columns before it are rounded, is the
// one nearest to w_k + Σ M_ik·η_i. That is GPTQ, as QuIP shows (arXiv 2307.13304,
// section 4.1): GPTQ inverts H, factors the inverse, H⁻¹ = Uᵀ·U, and subtracts the
// error of target i, times U_ik/U_ii, from the later targets k. These quotients are the
// elements of M⁻¹, and D is 1/U_ii², so the targets are the same. Without the inverse,
// the factor takes a third of the work and keeps its precision for a nearly singular H.
// gonum is not used because its assembly and its portable code add in different orders:
// codes would depend on the processor.
type factor struct {
	n       int
	order   []int     // column of each visit; nil for ascending
	m       []float64 // M's upper triangle by rows; on the diagonal D
	damping float64   // the damping that it took
	lambda  float64   // damping times the mean of the diagonal
	set     algebra.Set
}

// row returns M's row i from column i on, with D_i in front.
func (f *factor) row(i int) []float64 {
	at := rowOffset(f.n, i)
	return f.m[at : at+f.n-i]
}

// from returns M's rows from element j of row i on.
func (f *factor) from(i, j int) []float64 { return f.m[rowOffset(f.n, i)+j-i:] }

func (f *factor) column(visit int) int {
	if f.order == nil {
		return visit
	}
	return f.order[visit]
}

// importance returns D by column: the cost of a column's squared error after the
// columns that follow have compensated what they can.
func (f *factor) importance() []float64 {
	a := make([]float64, f.n)
	for visit := range a {
		a[f.column(visit)] = f.row(visit)[0]
	}
	return a
}

// rowOffset returns where row i of a packed upper triangle begins.
func rowOffset(n, i int) int { return i*n - i*(i-1)/2 }

// newFactor factors the damped Hessian of fb. If that fails, it tries more damping, up
// to the mean of the diagonal.
func newFactor(ctx context.Context, fb *Feedback, cols, workers int) (*factor, error) {
	h := fb.Hessian
	if h == nil {
		return nil, shapeError("columns of Config.Feedback.Hessian", 0, "%d (columns)", cols)
	}
	if h.cols != cols {
		return nil, shapeError("columns of Config.Feedback.Hessian", h.cols, "%d (columns)", cols)
	}
	if h.n == 0 {
		return nil, shapeError("vectors of Config.Feedback.Hessian", 0, "at least 1")
	}
	if err := fb.check(); err != nil {
		return nil, err
	}
	damping := fb.Damping
	if damping == 0 {
		damping = defaultDamping
	}
	diagonal := make([]float64, cols)
	var mean float64
	for i := range diagonal {
		diagonal[i] = h.sums[rowOffset(cols, i)]
		mean += diagonal[i]
	}
	mean /= float64(cols)
	f := &factor{n: cols, m: make([]float64, len(h.sums)), set: h.set}
	if fb.ActOrder {
		f.order = make([]int, cols)
		for i := range f.order {
			f.order[i] = i
		}
		slices.SortStableFunc(f.order, func(a, b int) int {
			switch {
			case diagonal[a] > diagonal[b]:
				return -1
			case diagonal[a] < diagonal[b]:
				return 1
			}
			return 0
		})
	}
	for {
		f.lambda = float64(damping * mean)
		f.fill(fb, f.lambda)
		ok, err := f.decompose(ctx, workers)
		if err != nil {
			return nil, err
		}
		if ok {
			f.damping = damping
			return f, nil
		}
		if damping >= 1 {
			return nil, fmt.Errorf("quant: %w, even with a damping of %g", ErrSingular, damping)
		}
		damping = min(10*damping, 1)
	}
}

// check checks the options besides the Hessian.
func (fb *Feedback) check() error {
	if fb.Sweeps < 0 {
		return shapeError("Config.Feedback.Sweeps", fb.Sweeps, "at least 0")
	}
	if !(fb.Shrinkage >= 0) || math.IsInf(fb.Shrinkage, 0) {
		return fmt.Errorf("quant: Config.Feedback.Shrinkage is %v, want at least 0: %w", fb.Shrinkage, ErrNotFinite)
	}
	if !(fb.Damping >= 0) || math.IsInf(fb.Damping, 0) {
		return fmt.Errorf("quant: Config.Feedback.Damping is %v, want at least 0: %w", fb.Damping, ErrNotFinite)
	}
	return nil
}

// fill sets f to the permuted Hessian with lambda on the diagonal. An input that was
// always 0 has nothing else in its row and column, and gets a 1 so that there is a
// pivot: its weight is rounded by itself.
func (f *factor) fill(fb *Feedback, lambda float64) {
	h := fb.Hessian
	if f.order == nil {
		copy(f.m, h.sums)
	} else {
		for i := range f.n {
			row := f.row(i)
			for j := range row {
				a, b := f.order[i], f.order[i+j]
				row[j] = h.sums[rowOffset(f.n, min(a, b))+max(a, b)-min(a, b)]
			}
		}
	}
	for i := range f.n {
		d := &f.row(i)[0]
		*d = fb.damped(*d, lambda)
	}
}

// damped returns an element of the diagonal after Shrinkage and with lambda added, or 1 for 0.
func (fb *Feedback) damped(d, lambda float64) float64 {
	if d = float64(d*(1+fb.Shrinkage)) + lambda; d == 0 {
		return 1
	}
	return d
}

// factorBlock columns are eliminated at a time, so that the triangle is read
// n/factorBlock times. The result does not depend on it.
const factorBlock = 64

// factorPart columns of a block are eliminated in the rest of it at a time.
const factorPart = 16

// decompose factors in place, from the last column to the first:
//
//	D_k  = A_kk
//	M_ik = A_ik/D_k            i < k
//	A_ij = A_ij − A_ik·M_jk    i ≤ j < k, rounded once
//
// It is false if a pivot is lost in rounding.
func (f *factor) decompose(ctx context.Context, workers int) (ok bool, err error) {
	n := f.n
	least := make([]float64, n) // for a pivot
	for i := range least {
		least[i] = f.row(i)[0] * float64(n) * 0x1p-52
	}
	// A_ik and M_ik for the block's columns from the last to the first: column hi−1−b
	// is row b. Rows are an odd number of cache lines apart, so that they spread over
	// all sets of the cache.
	stride := (n+7)/8*8 | 8
	a, m := make([]float64, factorBlock*stride), make([]float64, factorBlock*stride)
	var c, r [factorBlock][]float64
	for hi := n; hi > 0; hi -= factorBlock {
		lo := max(hi-factorBlock, 0)
		for i := range hi {
			row := f.row(i)
			for k := max(lo, i); k < hi; k++ {
				a[(hi-1-k)*stride+i] = row[k-i]
			}
		}
		for k := hi - 1; k >= lo; k-- {
			ak, mk := a[(hi-1-k)*stride:], m[(hi-1-k)*stride:]
			d := ak[k]
			if !(d > least[k]) || math.IsInf(d, 0) {
				return false, nil
			}
			for i, x := range ak[:k] {
				mk[i] = x / d
			}
			part := max((k-lo)/factorPart*factorPart+lo, lo)
			for j := part; j < k; j++ {
				takeOne(f.set, a[(hi-1-j)*stride:][:j+1], ak, mk[j])
			}
			if k == part && k > lo {
				// The columns of a part are done, and those below it are next.
				done := min(factorPart, hi-k)
				for j := lo; j < k; j++ {
					c[j-lo] = a[(hi-1-j)*stride:][:k]
					r[j-lo] = m[(hi-k-done)*stride+j:]
				}
				reduce(f.set, c[:k-lo], r[:k-lo], stride, a[(hi-k-done)*stride:], stride, 0, done)
			}
		}
		for i := range hi {
			row := f.row(i)
			for k := max(lo, i+1); k < hi; k++ {
				row[k-i] = m[(hi-1-k)*stride+i]
			}
			if i >= lo {
				row[0] = a[(hi-1-i)*stride+i]
			}
		}
		if lo == 0 {
			break
		}
		const block = eliminatedRows
		cost := block * factorBlock * (lo/2 + 1)
		err := forRows(ctx, (lo-1)/block+1, cost, workers, func() (func(i int) error, error) {
			return func(i int) error {
				f.eliminate(i*block, min((i+1)*block, lo), lo, a, m, stride, hi-lo)
				return nil
			}, nil
		})
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// eliminatedRows rows take the products of a block together.
const eliminatedRows = 32

// eliminate subtracts A_ik·M_jk from A_ij for rows i from first to last−1, columns j
// below lo, and the n columns k of a block, which are in a and m.
func (f *factor) eliminate(first, last, lo int, a, m []float64, stride, n int) {
	var (
		c, r [eliminatedRows][]float64
		near [algebra.TileRows][eliminatedRows]float64
	)
	for i := range last - first {
		r[i] = a[first+i:]
	}
	// Tiles on the diagonal are squares; the triangle has a part of them.
	for i := first; i < last; i += algebra.TileRows {
		rows, width := min(algebra.TileRows, last-i), last-i
		for j := range rows {
			clear(near[j][:j])
			copy(near[j][j:width], f.row(i+j))
			c[j] = near[j][:width]
		}
		reduce(f.set, c[:rows], r[i-first:], stride, m[i:], stride, 0, n)
		for j := range rows {
			copy(f.row(i+j), near[j][j:width])
		}
	}
	if last == lo {
		return
	}
	for i := range last - first {
		c[i] = f.row(first + i)[last-first-i : lo-first-i]
	}
	reduce(f.set, c[:last-first], r[:], stride, m[last:], stride, 0, n)
}

// reduce subtracts r[i][k·rStep]·M_kj from each c[i][j] for k from 0 to n−1, rounding
// once for each k. Row k+1 of M is mStep − k·mLess numbers after row k in m. All c
// have the same length.
func reduce(set algebra.Set, c, r [][]float64, rStep int, m []float64, mStep, mLess, n int) {
	if len(c) == 0 || len(c[0]) == 0 {
		return
	}
	if last := n - 1; len(m) < last*mStep-last*(last-1)/2*mLess+len(c[0]) {
		panic("quant: a matrix has too few rows")
	}
	if set == algebra.None {
		for i, t := range c {
			at := 0
			for k := range n {
				takeOne(set, t, m[at:], r[i][k*rStep])
				at += mStep - k*mLess
			}
		}
		return
	}
	var none [algebra.TileCols]float64
	a := algebra.ReduceArgs{RStep: rStep, MStep: mStep, MLess: mLess, N: n}
	for col := 0; col < len(c[0]); col += algebra.TileCols {
		a.M, a.Cols = &m[col], min(algebra.TileCols, len(c[0])-col)
		for i := 0; i < len(c); i += algebra.TileRows {
			a.Rows = min(algebra.TileRows, len(c)-i)
			for row := range (a.Rows + 3) &^ 3 {
				a.C[row], a.R[row] = &none[0], &r[i][0]
				if i+row < len(c) {
					a.C[row], a.R[row] = &c[i+row][col], &r[i+row][0]
				}
			}
			set.Reduce(&a)
		}
	}
}

// takeOne subtracts r·m[j] from each t[j], rounding once.
func takeOne(set algebra.Set, t, m []float64, r float64) {
	m = m[:len(t)]
	if len(t) >= 12 && set != algebra.None { // below, a call takes longer
		set.Take(&algebra.TakeArgs{T: &t[0], N: len(t), M: &m[0], R: r})
		return
	}
	for j, v := range m {
		t[j] = math.FMA(-r, v, t[j])
	}
}
