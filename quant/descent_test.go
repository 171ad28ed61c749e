package quant

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
)

// A plainRow is a row as it is stored.
type plainRow struct {
	codes   []uint8
	choices []group.Choice
}

func (r *plainRow) value(m *Matrix, col int, step float32) float64 {
	c := r.choices[col/m.groupSize]
	return float64(float32(m.codebooks[c.Codebook].Value(r.codes[col])*m.typ.Scale().Value(c.Scale)) * step)
}

// plainDescent is the definition of descent, a row at a time. h is H′.
func plainDescent(w []float64, m *Matrix, r *plainRow, step float32, h [][]float64, f *factor, sweeps int) {
	n := len(w)
	g := make([]float64, n)
	add := func(col int, by float64) {
		for j := range g {
			g[j] = math.FMA(-by, h[col][j], g[j])
		}
	}
	for col := range n {
		add(col, r.value(m, col, step)-w[col])
	}
	across := func(v []float64, lo int) (sum float64) {
		for i, x := range v {
			if x != 0 {
				sum += float64(x * dot(h[lo+i][lo:lo+len(v)], v))
			}
		}
		return sum
	}
	for range sweeps {
		changed := false
		for i := range r.choices {
			if m.typ.Scale() != datatype.RowStep {
				break
			}
			lo, hi := m.groupColumns(i)
			old := make([]float64, hi-lo)
			for col := lo; col < hi; col++ {
				old[col-lo] = r.value(m, col, step)
			}
			before := r.choices[i]
			k := math.RoundToEven(float64(before.Scale) * (1 + dot(g[lo:hi], old)/across(old, lo)))
			if !(k >= 1) {
				continue
			}
			r.choices[i].Scale = uint8(min(k, 255))
			by := make([]float64, hi-lo)
			for col := lo; col < hi; col++ {
				by[col-lo] = r.value(m, col, step) - old[col-lo]
			}
			if r.choices[i].Scale == before.Scale || !(across(by, lo) < 2*dot(by, g[lo:hi])) {
				r.choices[i] = before
				continue
			}
			for j, b := range by {
				if b != 0 {
					add(lo+j, b)
				}
			}
			changed = true
		}
		for visit := range n {
			col := f.column(visit)
			c := r.choices[col/m.groupSize]
			cb := m.codebooks[c.Codebook]
			old, before := r.value(m, col, step), r.codes[col]
			x := old + g[col]/h[col][col]
			if !(math.Abs(x) <= math.MaxFloat32) {
				continue
			}
			r.codes[col] = cb.Encode(0)
			if d := float64(m.typ.Scale().Value(c.Scale)) * float64(step); d > 0 {
				r.codes[col] = cb.Encode(x / d)
			}
			by := r.value(m, col, step) - old
			if !(float64(by*h[col][col])*by < float64(2*by)*g[col]) {
				r.codes[col] = before
				continue
			}
			add(col, by)
			changed = true
		}
		if !changed {
			return
		}
	}
}

// dampedRows returns the Hessian that feedback uses.
func dampedRows(h *Hessian, shrinkage, lambda float64) [][]float64 {
	n, d := h.cols, symmetric(h).a
	rows := make([][]float64, n)
	for i := range rows {
		rows[i] = d[i*n : (i+1)*n]
		if rows[i][i] = float64(rows[i][i]*(1+shrinkage)) + lambda; rows[i][i] == 0 {
			rows[i][i] = 1
		}
	}
	return rows
}

// loss returns (w − ŵ)ᵀ·h·(w − ŵ).
func loss(w, got []float64, h [][]float64) (sum float64) {
	for i := range w {
		for j := range w {
			sum += (w[i] - got[i]) * h[i][j] * (w[j] - got[j])
		}
	}
	return sum
}

// TestDescentEqualsPlain compares several rows at a time with the definition, bit for
// bit, and checks that no row has a greater loss than before.
func TestDescentEqualsPlain(t *testing.T) {
	shapes := []struct{ rows, cols, groupSize int }{{11, 200, 128}, {3, 70, 16}, {2, 133, 100}, {9, 90, 300}}
	for i, typ := range datatype.Types() {
		for j, shape := range shapes {
			if (i+j)%len(shapes) != 0 && (testing.Short() || typ.Bits() > 4) {
				continue
			}
			r := rand.New(rand.NewPCG(33, uint64(i)))
			w := make([]float64, shape.rows*shape.cols)
			for i := range w {
				w[i] = r.NormFloat64()
			}
			h := correlated(t, shape.cols, 500)
			var before, after float64
			for mode, sweeps := range []int{1, 5} {
				c := Config{Type: typ, GroupSize: shape.groupSize, Workers: 1 + mode, Search: mode != 1, Feedback: &Feedback{Hessian: h, ActOrder: mode > 0, Shrinkage: float64(mode) / 8}}
				start, err := Group(w, shape.cols, c)
				if err != nil {
					t.Fatal(err)
				}
				c.Feedback.Sweeps = sweeps
				got, err := Group(w, shape.cols, c)
				if err != nil {
					t.Fatal(err)
				}
				f, err := newFactor(context.Background(), c.Feedback, shape.cols, 1)
				if err != nil {
					t.Fatal(err)
				}
				full := dampedRows(h, c.Feedback.Shrinkage, f.lambda)
				codes, values := make([]uint8, shape.cols), make([]float64, shape.cols)
				for row := range shape.rows {
					step := start.RowScale(row)
					want := plainRow{make([]uint8, shape.cols), make([]group.Choice, start.groups)}
					if err := start.Codes(want.codes, row); err != nil {
						t.Fatal(err)
					}
					for g := range want.choices {
						want.choices[g] = group.Choice{Codebook: start.Selector(row, g), Scale: start.ScaleCode(row, g)}
					}
					at := func(r *plainRow) float64 {
						for col := range values {
							values[col] = r.value(start, col, step)
						}
						return loss(w[row*shape.cols:(row+1)*shape.cols], values, full)
					}
					l0 := at(&want)
					plainDescent(w[row*shape.cols:(row+1)*shape.cols], start, &want, step, full, f, sweeps)
					l1 := at(&want)
					if l1 > l0*(1+1e-12) {
						t.Errorf("%v, mode %d, row %d: the loss rises from %v to %v", got, mode, row, l0, l1)
					}
					before, after = before+l0, after+l1
					if err := got.Codes(codes, row); err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(codes, want.codes) {
						t.Fatalf("%v, mode %d, row %d: codes differ", got, mode, row)
					}
					for g, c := range want.choices {
						if got.ScaleCode(row, g) != c.Scale || got.Selector(row, g) != c.Codebook {
							t.Fatalf("%v, mode %d, row %d, group %d: scale %d of codebook %d, want %+v", got, mode, row, g, got.ScaleCode(row, g), got.Selector(row, g), c)
						}
					}
				}
			}
			if !(after < before) {
				t.Errorf("%v: loss %v, no less than %v", typ, after, before)
			}
			t.Logf("%v, groups of %d: %.3f of feedback's loss", typ, shape.groupSize, after/before)
		}
	}
}
