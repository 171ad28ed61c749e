package quant

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/loops/algebra"
)

// lostOf returns the Hessian of random inputs x of a layer, and losses that are linear
// maps of x: a·x for inputs, b·x for outputs.
func lostOf(t *testing.T, r *rand.Rand, rows, cols, vectors int) (h *Hessian, lost Lost, a, b []float64) {
	t.Helper()
	a, b = make([]float64, cols*cols), make([]float64, rows*cols)
	for i := range a {
		a[i] = .1 * r.NormFloat64()
	}
	for i := range b {
		b[i] = .1 * r.NormFloat64()
	}
	h, err := NewHessian(cols)
	if err != nil {
		t.Fatal(err)
	}
	lost.Share = 1
	if lost.Inputs, err = NewCross(cols, cols); err == nil {
		lost.Outputs, err = NewCross(rows, cols)
	}
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, cols*vectors)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	times := func(m []float64, rows int) (y []float32) {
		for v := range slices.Chunk(x, cols) {
			for i := range rows {
				sum := 0.0
				for j, xj := range v {
					sum += m[i*cols+j] * float64(xj)
				}
				y = append(y, float32(sum))
			}
		}
		return y
	}
	if err := errors.Join(h.Add(x), lost.Inputs.Add(times(a, cols), x), lost.Outputs.Add(times(b, rows), x)); err != nil {
		t.Fatal(err)
	}
	return h, lost, a, b
}

// TestCorrect checks that a correction compensates losses that are linear in the inputs.
func TestCorrect(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][2]int{{3, 1}, {1, 7}, {40, 24}, {5, 49}, {37, 100}} {
		rows, cols := size[0], size[1]
		h, lost, a, b := lostOf(t, r, rows, cols, 3*cols+5)
		w := make([]float32, rows*cols)
		for i := range w {
			w[i] = float32(r.NormFloat64())
		}
		for _, order := range []bool{false, true} {
			f := &Feedback{Hessian: h, ActOrder: order, Damping: 1e-9}
			for _, share := range []float64{0, .5, 1} {
				lost.Share = share
				got, err := f.Correct(t.Context(), w, cols, lost)
				if err != nil {
					t.Fatal(err)
				}
				for i, g := range got {
					row, col := i/cols, i%cols
					want := b[i]
					for k := range cols {
						want += float64(w[row*cols+k]) * a[k*cols+col]
					}
					if want = float64(w[i]) + share*want; math.Abs(float64(g)-want) > 1e-4 {
						t.Fatalf("%d × %d, share %v: weight %d is %v, want %v", rows, cols, share, i, g, want)
					}
				}
			}
		}
	}
}

// A corrected and quantized matrix has outputs nearer to the original ones.
func TestCorrectedOutputs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const rows, cols = 16, 64
	h, lost, a, b := lostOf(t, r, rows, cols, 400)
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	want := make([]float32, len(w))
	for i := range want {
		sum := float64(w[i]) + b[i]
		for k := range cols {
			sum += float64(w[i/cols*cols+k]) * a[k*cols+i%cols]
		}
		want[i] = float32(sum)
	}
	f := &Feedback{Hessian: h, ActOrder: true, Sweeps: 1}
	var sums []float64
	for _, lost.Share = range []float64{0, .5, 1} {
		corrected, err := f.Correct(t.Context(), w, cols, lost)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Group(corrected, cols, Config{Type: datatype.BitMoD4, GroupSize: 32, Feedback: f})
		if err != nil {
			t.Fatal(err)
		}
		errs, err := OutputErrors(want, m, h)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, e := range errs {
			sum += e
		}
		sums = append(sums, sum)
	}
	if !(sums[0] > 2*sums[1] && sums[1] > 2*sums[2]) {
		t.Errorf("errors %v by share", sums)
	}
}

// TestKeptFactor checks that matrices are the same with the factor that Correct has left
// with the Hessian, and that the factor is not used for other options or more vectors.
func TestKeptFactor(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const rows, cols = 70, 100
	h, lost, _, _ := lostOf(t, r, rows, cols, 400)
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	// quantize corrects and quantizes, without what h keeps if fresh is set.
	quantize := func(f Feedback, fresh bool) []byte {
		f.Hessian = h
		if fresh {
			f.Hessian = h.with(h.set)
		}
		corrected, err := f.Correct(t.Context(), w, cols, lost)
		if err != nil {
			t.Fatal(err)
		}
		if fresh {
			f.Hessian = h.with(h.set)
		}
		m, err := Group(corrected, cols, Config{Feedback: &f})
		if err != nil {
			t.Fatal(err)
		}
		return binaryForm(t, m)
	}
	all := []Feedback{{}, {Damping: .1}, {Shrinkage: .3}, {ActOrder: true}, {Sweeps: 1}, {}}
	for i, f := range slices.Concat(all, all) {
		if !slices.Equal(quantize(f, false), quantize(f, true)) {
			t.Fatalf("options %d: another matrix with the factor that was kept", i)
		}
		if h.kept.Load() == nil {
			t.Fatal("no factor is kept")
		}
		if err := h.Add(w[:cols*(1+i%2)]); err != nil || h.kept.Load() != nil {
			t.Fatalf("a factor is kept when vectors are added, or %v", err)
		}
		if i%3 == 0 {
			quantize(f, false)
		}
	}
	f := Feedback{Hessian: h, Sweeps: -1}
	if _, err := Group(w, cols, Config{Feedback: &f}); !errors.Is(err, ErrShape) {
		t.Errorf("sweeps below 0: %v", err)
	}
}

// Sums are the same bits for any division into calls, with and without vector
// instructions.
func TestCross(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, size := range [][2]int{{1, 1}, {3, 30}, {4, 24}, {30, 5}, {21, 75}, {64, 96}} {
		rows, cols := size[0], size[1]
		n := 1 + r.IntN(300)
		x, y := make([]float32, n*cols), make([]float32, n*rows)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		for i := range y {
			y[i] = float32(r.NormFloat64())
		}
		var all [3]*Cross
		for i := range all {
			var err error
			if all[i], err = NewCross(rows, cols); err != nil {
				t.Fatal(err)
			}
		}
		cut := r.IntN(n)
		all[0].addPlain(y, x, 0, 0, cols)
		if err := errors.Join(all[1].Add(y, x), all[2].Add(y[:cut*rows], x[:cut*cols]), all[2].Add(y[cut*rows:], x[cut*cols:])); err != nil {
			t.Fatal(err)
		}
		for i, c := range all[1:] {
			if !slices.Equal(c.sums, all[0].sums) {
				t.Errorf("%d × %d, %d vectors: sums %d differ (loops: %v)", rows, cols, n, i, algebra.Best())
			}
		}
	}
}

func TestCorrectErrors(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	h, lost, _, _ := lostOf(t, r, 4, 8, 20)
	f := &Feedback{Hessian: h}
	w := make([]float32, 32)
	nan := slices.Clone(w)
	nan[9] = float32(math.NaN())
	wide, _ := NewCross(8, 9)
	tall, _ := NewCross(5, 8)
	for _, c := range []struct {
		w    []float32
		cols int
		lost Lost
		want error
	}{
		{w, 0, lost, ErrShape},
		{w[:31], 8, lost, ErrShape},
		{nil, 8, lost, ErrShape},
		{w, 16, lost, ErrShape},
		{w, 8, Lost{Inputs: wide}, ErrShape},
		{w, 8, Lost{Inputs: tall}, ErrShape},
		{w, 8, Lost{Outputs: wide}, ErrShape},
		{w, 8, Lost{Outputs: tall}, ErrShape},
		{w, 8, Lost{Share: 2}, ErrNotFinite},
		{w, 8, Lost{Share: math.NaN()}, ErrNotFinite},
		{nan, 8, lost, ErrNotFinite},
	} {
		if _, err := f.Correct(t.Context(), c.w, c.cols, c.lost); !errors.Is(err, c.want) {
			t.Errorf("%d weights, %d columns, %+v: %v, want %v", len(c.w), c.cols, c.lost, err, c.want)
		}
	}
	if _, err := f.Correct(t.Context(), w, 8, Lost{Share: 1}); err != nil {
		t.Errorf("nothing lost: %v", err)
	}
	c := lost.Inputs
	for _, err := range []error{c.Add(nan[:7], w[:8]), c.Add(w[:8], w[:7]), (&Cross{}).Add(nil, nil)} {
		if !errors.Is(err, ErrShape) {
			t.Error(err)
		}
	}
	for _, err := range []error{c.Add(nan[8:16], w[:8]), c.Add(w[:8], nan[8:16])} {
		if !errors.Is(err, ErrNotFinite) {
			t.Error(err)
		}
	}
	for _, size := range [][2]int{{0, 1}, {1, 0}, {1 << 20, 1}, {1, 1 << 20}} {
		if _, err := NewCross(size[0], size[1]); !errors.Is(err, ErrShape) {
			t.Errorf("NewCross%v: %v", size, err)
		}
	}
}
