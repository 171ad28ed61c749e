package quant

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
)

// correlated returns the Hessian of n vectors. Like activations, neighbours are
// correlated, some columns are much larger than others, and one is always 0.
func correlated(t testing.TB, cols, n int) *Hessian {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(cols), uint64(n)))
	size := make([]float64, cols)
	for i := range size {
		size[i] = math.Exp(r.NormFloat64())
	}
	if cols > 4 {
		size[cols/2] = 0
	}
	h, err := NewHessian(cols)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, cols)
	for range n {
		common, walk := r.NormFloat64(), 0.
		for i := range x {
			walk = .9*walk + r.NormFloat64()
			x[i] = float32(size[i] * (walk + common))
		}
		if err := h.Add(x); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// TestHessianTiles compares every set of loops with the loops without vector instructions,
// for any number of vectors at a time.
func TestHessianTiles(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	for _, cols := range []int{1, 47, 48, 49, 71, 72, 73, 128, 203} {
		for _, n := range []int{4, 5, 127, 130, 300} {
			x := make([]float32, n*cols)
			for i := range x {
				x[i] = float32(r.NormFloat64())
			}
			want, err := NewHessian(cols)
			if err != nil {
				t.Fatal(err)
			}
			want.addPlain(x)
			for _, set := range algebraSets() {
				got, err := NewHessian(cols)
				if err != nil {
					t.Fatal(err)
				}
				got.set = set
				if err := errors.Join(got.Add(x[:2*cols]), got.Add(x[2*cols:])); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got.sums, want.sums) {
					t.Fatalf("%v, %d vectors of %d columns: sums differ", set, n, cols)
				}
			}
		}
	}
}

func BenchmarkHessianAdd(b *testing.B) {
	for _, cols := range []int{576, 1536} {
		x := make([]float32, 128*cols)
		r := rand.New(rand.NewPCG(63, 64))
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		h, err := NewHessian(cols)
		if err != nil {
			b.Fatal(err)
		}
		for _, impl := range []string{"tiles", "plain"} {
			b.Run(fmt.Sprintf("cols=%d/impl=%s", cols, impl), func(b *testing.B) {
				for b.Loop() {
					if impl == "plain" {
						h.addPlain(x)
					} else if err := h.Add(x); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(128*float64(triangle(cols))*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gproducts/s")
			})
		}
	}
}

var factorSizes = []int{1, 2, 5, 31, 32, 33, 64, 97, 200}

// TestFactorEqualsPlain compares with the definition in decompose's comment.
func TestFactorEqualsPlain(t *testing.T) {
	for _, n := range factorSizes {
		h := correlated(t, n, 2*n+3)
		f, err := newFactor(context.Background(), &Feedback{Hessian: h}, n, 1)
		if err != nil {
			t.Fatal(err)
		}
		a := &factor{n: n, m: make([]float64, len(h.sums))}
		var mean float64
		for i := range n {
			mean += h.sums[rowOffset(n, i)]
		}
		a.fill(&Feedback{Hessian: h}, .01*(mean/float64(n)))
		for k := n - 1; k >= 0; k-- {
			m := make([]float64, k)
			for i := range k {
				m[i] = a.row(i)[k-i] / a.row(k)[0]
			}
			for i := range k {
				for j := i; j < k; j++ {
					a.row(i)[j-i] = math.FMA(-a.row(i)[k-i], m[j], a.row(i)[j-i])
				}
				a.row(i)[k-i] = m[i]
			}
		}
		if !slices.Equal(a.m, f.m) {
			t.Errorf("%d columns: blocks give another factor", n)
		}
		for _, workers := range []int{2, 5} {
			g, err := newFactor(context.Background(), &Feedback{Hessian: h}, n, workers)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(g.m, f.m) {
				t.Errorf("%d columns: %d workers give another factor", n, workers)
			}
		}
	}
}

// TestFactorIsGPTQs checks that the factor is the inverse of GPTQ's factor of the
// inverse: with H⁻¹ = Uᵀ·U, M = (diag(U)⁻¹·U)⁻¹ and D = 1/diag(U)².
func TestFactorIsGPTQs(t *testing.T) {
	for _, n := range factorSizes {
		for _, act := range []bool{false, true} {
			h := correlated(t, n, 2*n+3)
			f, err := newFactor(context.Background(), &Feedback{Hessian: h, ActOrder: act, Damping: .05}, n, 2)
			if err != nil {
				t.Fatal(err)
			}
			u := cholesky(t, inverse(t, permuted(damped(h, .05), f)))
			for i := range n {
				if d := 1 / (u.at(i, i) * u.at(i, i)); math.Abs(f.row(i)[0]-d) > 1e-9*d {
					t.Errorf("%d columns: D(%d) is %v, want %v", n, i, f.row(i)[0], d)
				}
				for j := i + 1; j < n; j++ { // of V·M
					v := u.at(i, j)/u.at(i, i) + f.row(i)[j-i]
					size := math.Abs(v)
					for k := i + 1; k < j; k++ {
						p := u.at(i, k) / u.at(i, i) * f.row(k)[j-k]
						v += p
						size += math.Abs(p)
					}
					if math.Abs(v) > 1e-9*(1+size) {
						t.Fatalf("%d columns: V·M has %v at (%d, %d), want 0", n, v, i, j)
					}
				}
			}
			if act && n > 1 {
				a := h.Importance()
				for i := 1; i < n; i++ {
					if a[f.order[i-1]] < a[f.order[i]] {
						t.Errorf("columns %d and %d are in the wrong order", f.order[i-1], f.order[i])
					}
				}
			}
		}
	}
}

func TestFactorSingular(t *testing.T) {
	const n = 40
	h, err := NewHessian(n)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i + 1)
	}
	if err := h.Add(x); err != nil {
		t.Fatal(err)
	}
	// With one vector, all pivots but one are only damping.
	f, err := newFactor(context.Background(), &Feedback{Hessian: h, Damping: 1e-30}, n, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !(f.damping > 1e-18) || f.damping > 1e-8 {
		t.Errorf("it took a damping of %v", f.damping)
	}
	if f, err = newFactor(context.Background(), &Feedback{Hessian: h}, n, 1); err != nil || f.damping != .01 {
		t.Errorf("damping 0: %v, %v", f, err)
	}
	h.sums[3] = math.Inf(1)
	if _, err := newFactor(context.Background(), &Feedback{Hessian: h}, n, 1); !errors.Is(err, ErrSingular) {
		t.Errorf("infinite Hessian: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := newFactor(ctx, &Feedback{Hessian: correlated(t, 200, 300)}, 200, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// plainFeedback is the definition of feedback, one row and one column at a time.
func plainFeedback(w []float64, m *Matrix, row int, f *factor, c *chooser) (codes []uint8, choices []group.Choice) {
	codes, choices = make([]uint8, m.cols), make([]group.Choice, m.groups)
	target := make([]float64, m.cols)
	for visit := range target {
		target[visit] = w[f.column(visit)]
	}
	var top float64
	for g := range choices {
		lo, hi := m.groupColumns(g)
		free, err := c.free(lo, w[lo:hi])
		if err != nil {
			panic(err)
		}
		top = max(top, free.Delta)
	}
	s := c.tensorScale
	if m.typ.Scale() == datatype.RowStep {
		s = float32(top * 9 / 8 / 255)
	}
	chosen := make([]bool, m.groups)
	for visit := range m.cols {
		col := f.column(visit)
		g := col / m.groupSize
		if !chosen[g] {
			lo, hi := m.groupColumns(g)
			from := slices.Clone(target[lo:hi])
			for i := range from {
				for j := i + 1; j < len(from); j++ {
					from[j] = math.FMA(w[lo+i]-from[i], f.row(lo + i)[j-i], from[j])
				}
			}
			if f.order != nil {
				from = w[lo:hi]
			}
			var err error
			if choices[g], err = c.stored(lo, from, s); err != nil {
				panic(err)
			}
			chosen[g] = true
		}
		cb, k := m.codebooks[choices[g].Codebook], m.typ.Scale().Value(choices[g].Scale)
		codes[col] = cb.Encode(0)
		// A group of zeros has no Delta and stays zero. Its scale in E8M0 is not: 2⁻¹²⁷.
		if d := float64(k) * float64(s); d > 0 && choices[g].Delta > 0 {
			codes[col] = cb.Encode(target[visit] / d)
		}
		e := float64(float32(cb.Value(codes[col])*k)*s) - w[col]
		for i := visit + 1; i < m.cols; i++ {
			target[i] = math.FMA(-e, f.row(visit)[i-visit], target[i])
		}
	}
	return codes, choices
}

// TestFeedbackEqualsPlain compares blocks of rows and columns with the definition,
// bit for bit.
func TestFeedbackEqualsPlain(t *testing.T) {
	shapes := []struct{ rows, cols, groupSize int }{{19, 300, 128}, {3, 70, 16}, {2, 333, 200}, {9, 290, 300}, {5, 150, 9}}
	var hessians []*Hessian
	for _, shape := range shapes {
		hessians = append(hessians, correlated(t, shape.cols, 500))
	}
	for i, typ := range datatype.Types() {
		for j, shape := range shapes {
			if typ.Bits() > 5 && j > 0 {
				continue
			}
			if testing.Short() && (i+j)%len(shapes) != 0 {
				continue // one shape for most types
			}
			r := rand.New(rand.NewPCG(31, uint64(i)))
			w := make([]float64, shape.rows*shape.cols)
			for i := range w {
				w[i] = r.NormFloat64()
			}
			h := hessians[j]
			for mode := range 4 {
				if testing.Short() && mode != i/len(shapes)%4 {
					continue
				}
				c := Config{Type: typ, GroupSize: shape.groupSize, Workers: 1 + mode, Search: mode&1 > 0, Feedback: &Feedback{Hessian: h, ActOrder: mode&2 > 0}}
				got, err := Group(w, shape.cols, c)
				if err != nil {
					t.Fatal(err)
				}
				f, err := newFactor(context.Background(), c.Feedback, shape.cols, 1)
				if err != nil {
					t.Fatal(err)
				}
				c.Importance = scaledImportance(f.importance())
				tensor := float32(1)
				if typ.Scale() == datatype.E4M3 {
					tensor = got.RowScale(0)
				}
				ch, err := newChooser(typ, c, tensor)
				if err != nil {
					t.Fatal(err)
				}
				codes := make([]uint8, shape.cols)
				for row := range shape.rows {
					want, choices := plainFeedback(w[row*shape.cols:(row+1)*shape.cols], got, row, f, ch)
					if err := got.Codes(codes, row); err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(codes, want) {
						t.Fatalf("%v, mode %d, row %d: codes differ", got, mode, row)
					}
					for g, c := range choices {
						if got.ScaleCode(row, g) != c.Scale || got.Selector(row, g) != c.Codebook {
							t.Fatalf("%v, mode %d, row %d, group %d: scale %d of codebook %d, want %+v", got, mode, row, g, got.ScaleCode(row, g), got.Selector(row, g), c)
						}
					}
				}
			}
		}
	}
}

// TestFeedbackEqualsTextbook compares with Optimal Brain Quantization in a fixed order,
// as in GPTQ's section 3: the inverse of the Hessian of the columns left, updated after
// each by one step of Gaussian elimination (equations 2 and 3).
func TestFeedbackEqualsTextbook(t *testing.T) {
	const rows, cols, groupSize = 8, 96, 32
	for _, typ := range datatype.Types() {
		if typ.Scale() != datatype.RowStep {
			continue
		}
		r := rand.New(rand.NewPCG(33, uint64(typ)))
		w := make([]float64, rows*cols)
		for i := range w {
			w[i] = r.NormFloat64()
		}
		h := correlated(t, cols, 300)
		ones := make([]float64, cols)
		for i := range ones {
			ones[i] = 1
		}
		c := Config{Type: typ, GroupSize: groupSize, Importance: ones, Feedback: &Feedback{Hessian: h}}
		m, err := Group(w, cols, c)
		if err != nil {
			t.Fatal(err)
		}
		first := inverse(t, damped(h, .01))
		selector, err := group.NewSelector(typ)
		if err != nil {
			t.Fatal(err)
		}
		codes, scratch := make([]uint8, cols), make([]uint8, groupSize)
		for row := range rows {
			inverse := square{cols, slices.Clone(first.a)}
			left := slices.Clone(w[row*cols : (row+1)*cols])
			if err := m.Codes(codes, row); err != nil {
				t.Fatal(err)
			}
			var choice group.Choice
			s := m.RowScale(row)
			for col := range cols {
				if col%groupSize == 0 {
					if choice, err = selector.Select(scratch, left[col:col+groupSize], nil, 1); err != nil {
						t.Fatal(err)
					}
					choice.Scale = uint8(min(math.RoundToEven(choice.Delta/float64(s)), 255))
				}
				scale := float64(choice.Scale) * float64(s)
				cb := m.codebooks[choice.Codebook]
				code := cb.Encode(left[col] / scale)
				if g := col / groupSize; m.ScaleCode(row, g) != choice.Scale || m.Selector(row, g) != choice.Codebook {
					t.Fatalf("%v, row %d, group %d: scale %d of codebook %d, want %+v", typ, row, g, m.ScaleCode(row, g), m.Selector(row, g), choice)
				}
				if codes[col] != code {
					t.Fatalf("%v, row %d, column %d: code %d, want %d for %v", typ, row, col, codes[col], code, left[col]/scale)
				}
				e := (left[col] - float64(cb.Value(code))*scale) / inverse.at(col, col)
				for i := col; i < cols; i++ {
					left[i] -= e * inverse.at(col, i)
				}
				for i := col + 1; i < cols; i++ {
					for j := col + 1; j < cols; j++ {
						inverse.set(i, j, inverse.at(i, j)-inverse.at(i, col)*inverse.at(col, j)/inverse.at(col, col))
					}
				}
			}
		}
	}
}

func BenchmarkFactor(b *testing.B) {
	for _, n := range []int{512, 2048} {
		b.Run(fmt.Sprintf("cols=%d", n), func(b *testing.B) {
			h := correlated(b, n, 8)
			for b.Loop() {
				if _, err := newFactor(context.Background(), &Feedback{Hessian: h}, n, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
