package quant

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/internal/loops/algebra"
)

// ErrSingular is matched by the error for a Hessian that can't be factored.
var ErrSingular = errors.New("singular Hessian")

const defaultDamping = 0.01

// A factor is (H + λ·I)⁻¹ = Vᵀ·D⁻¹·V with V unit upper triangular and D diagonal, rows
// and columns in the order of visits. With GPTQ's U, where H⁻¹ = Uᵀ·U, it is
// V_ij = U_ij/U_ii and D_i = 1/U_ii²: an error r of column i takes r·V_ij from every
// later column j, and adds D_i·r² to the loss of the row.
//
// GPTQ inverts H and factors the inverse. Here M·D·Mᵀ = H + λ·I is factored from the
// last column to the first, and V = M⁻¹, which takes a third of the work and keeps
// its precision for a nearly singular H (QuIP, arXiv 2307.13304, section 3, has the
// relation). It is done here rather than by gonum, whose assembly and portable code
// add up in different orders: which codes are chosen would depend on the processor.
type factor struct {
	n       int
	order   []int     // column of each visit; nil for ascending
	m       []float64 // V's upper triangle by rows; on the diagonal D
	damping float64   // that it took
}

// row returns V's row i from column i on, with D_i in front.
func (f *factor) row(i int) []float64 {
	at := rowOffset(f.n, i)
	return f.m[at : at+f.n-i]
}

func (f *factor) column(visit int) int {
	if f.order == nil {
		return visit
	}
	return f.order[visit]
}

// importance returns D by column: what the square of a column's error costs once
// those that follow have made up for what they can.
func (f *factor) importance() []float64 {
	a := make([]float64, f.n)
	for visit := range a {
		a[f.column(visit)] = f.row(visit)[0]
	}
	return a
}

// rowOffset returns where row i of a packed upper triangle begins.
func rowOffset(n, i int) int { return i*n - i*(i-1)/2 }

// newFactor factors the Hessian of f, damped; more and more until it works, to the
// mean of the diagonal and no further.
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
	damping := fb.Damping
	if !(damping >= 0) || math.IsInf(damping, 0) {
		return nil, fmt.Errorf("quant: Config.Feedback.Damping is %v, want at least 0: %w", damping, ErrNotFinite)
	}
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
	f := &factor{n: cols, m: make([]float64, len(h.sums))}
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
		f.fill(h, float64(damping*mean))
		ok, err := f.decompose(ctx, workers)
		if err != nil {
			return nil, err
		}
		if ok {
			f.damping = damping
			return f, f.invert(ctx, workers)
		}
		if damping >= 1 {
			return nil, fmt.Errorf("quant: %w, even with a damping of %g", ErrSingular, damping)
		}
		damping = min(10*damping, 1)
	}
}

// fill sets f to the permuted Hessian with lambda on the diagonal. An input that was
// always 0 has nothing else in its row and column, and gets a 1 so that there is a
// pivot: its weight is rounded by itself.
func (f *factor) fill(h *Hessian, lambda float64) {
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
		if *d += lambda; *d == 0 {
			*d = 1
		}
	}
}

// factorBlock columns are eliminated at a time, so that the triangle passes
// through the processor n/factorBlock times. The bits don't depend on it.
const factorBlock = 32

// decompose factors in place, from the last column to the first:
//
//	D_k  = A_kk
//	M_ik = A_ik/D_k            i < k
//	A_ij = A_ij − A_ik·M_jk    i ≤ j < k
//
// It is false if a pivot is lost in rounding.
func (f *factor) decompose(ctx context.Context, workers int) (ok bool, err error) {
	n := f.n
	least := make([]float64, n) // for a pivot
	for i := range least {
		least[i] = f.row(i)[0] * float64(n) * 0x1p-52
	}
	// Of the block's columns, by column: A_ik, and M_ik.
	a, m := make([][]float64, factorBlock), make([][]float64, factorBlock)
	for b := range a {
		a[b], m[b] = make([]float64, n), make([]float64, n)
	}
	for hi := n; hi > 0; hi -= factorBlock {
		lo := max(hi-factorBlock, 0)
		for i := range hi {
			row := f.row(i)
			for k := max(lo, i); k < hi; k++ {
				a[k-lo][i] = row[k-i]
			}
		}
		for k := hi - 1; k >= lo; k-- {
			ak, mk := a[k-lo], m[k-lo]
			d := ak[k]
			if !(d > least[k]) || math.IsInf(d, 0) {
				return false, nil
			}
			for i, x := range ak[:k] {
				mk[i] = x / d
			}
			for j := lo; j < k; j++ {
				takeOne(a[j-lo][:j+1], ak, mk[j])
			}
		}
		for i := range hi {
			row := f.row(i)
			for k := max(lo, i+1); k < hi; k++ {
				row[k-i] = m[k-lo][i]
			}
			if i >= lo {
				row[0] = a[i-lo][i]
			}
		}
		if lo == 0 {
			break
		}
		err := forRows(ctx, lo, factorBlock*(lo/2+1), workers, func() (func(i int) error, error) {
			return func(i int) error {
				eliminate(f.row(i)[:lo-i], a[:hi-lo], m[:hi-lo], i)
				return nil
			}, nil
		})
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// eliminate subtracts a[b][i]·m[b][i+j] from row[j] for every column b of a block,
// from the last to the first.
func eliminate(row []float64, a, m [][]float64, i int) {
	b := len(a) - 1
	for ; b >= 3; b -= 4 {
		takeAll(row, [4][]float64{m[b][i:], m[b-1][i:], m[b-2][i:], m[b-3][i:]}, [4]float64{a[b][i], a[b-1][i], a[b-2][i], a[b-3][i]})
	}
	for ; b >= 0; b-- {
		takeOne(row, m[b][i:], a[b][i])
	}
}

// invert replaces M by V = M⁻¹. Row i of V begins as that of M's unit matrix, and
// each of its elements k ≥ i, once it is reached, takes itself times M_kj from
// every later j. That needs no rows of M before i, so that V can take their place.
func (f *factor) invert(ctx context.Context, workers int) error {
	n := f.n
	batch := min(feedbackRows*workers, n)
	v := make([]float64, batch*n)
	for first := 0; first < n; first += batch {
		rows := min(batch, n-first)
		err := forBlocks(ctx, rows, feedbackRows, workers, func() (func(lo, hi int) (int, error), error) {
			return func(lo, hi int) (int, error) {
				f.invertRows(v[lo*n:hi*n], first+lo)
				return 0, nil
			}, nil
		})
		if err != nil {
			return err
		}
		for i := range rows {
			copy(f.row(first + i)[1:], v[i*n+first+i+1:(i+1)*n])
		}
	}
	return nil
}

// invertRows sets v to rows of V, n elements each, of which the first is number first.
func (f *factor) invertRows(v []float64, first int) {
	n := f.n
	clear(v)
	for i := range len(v) / n {
		v[i*n+first+i] = 1
	}
	// Four columns at a time, the triangle between them first.
	for k := first; k < n; k += 4 {
		end := min(k+4, n)
		for i := range len(v) / n {
			row := v[i*n : (i+1)*n]
			for a := k; a < end; a++ {
				m := f.row(a)
				for b := a + 1; b < end; b++ {
					row[b] -= float64(row[a] * m[b-a])
				}
			}
			takeFour(f, row, row, k, end, end)
		}
	}
}

// takeFour takes r[i]·V_ij (or M_ij) from each target[j], j ≥ from, for the up to
// four rows i = lo … hi−1, in this order.
func takeFour(f *factor, target, r []float64, lo, hi, from int) {
	t := target[from:f.n]
	if hi-lo < 4 {
		for i := lo; i < hi; i++ {
			takeOne(t, f.row(i)[from-i:], r[i])
		}
		return
	}
	takeAll(t, [4][]float64{f.row(lo)[from-lo:], f.row(lo + 1)[from-lo-1:], f.row(lo + 2)[from-lo-2:], f.row(lo + 3)[from-lo-3:]}, [4]float64(r[lo:hi]))
}

// takeAll takes r[k]·m[k][j] from each t[j], for k from 0 to 3.
func takeAll(t []float64, m [4][]float64, r [4]float64) {
	m0, m1, m2, m3 := m[0][:len(t)], m[1][:len(t)], m[2][:len(t)], m[3][:len(t)]
	if len(t) == 0 {
		return
	}
	if algebra.Have() {
		algebra.Take4(&algebra.TakeArgs{T: &t[0], N: len(t), M: [4]*float64{&m0[0], &m1[0], &m2[0], &m3[0]}, R: r})
		return
	}
	for j, x := range t {
		x -= float64(r[0] * m0[j])
		x -= float64(r[1] * m1[j])
		x -= float64(r[2] * m2[j])
		x -= float64(r[3] * m3[j])
		t[j] = x
	}
}

// takeOne takes r·m[j] from each t[j].
func takeOne(t, m []float64, r float64) {
	if len(t) == 0 {
		return
	}
	m = m[:len(t)]
	if algebra.Have() {
		algebra.Take1(&algebra.TakeArgs{T: &t[0], N: len(t), M: [4]*float64{&m[0]}, R: [4]float64{r}})
		return
	}
	for j, v := range m {
		t[j] -= float64(r * v)
	}
}
