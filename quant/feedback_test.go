package quant_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// inputs returns n vectors with correlated columns. The arithmetic is exact up to the
// conversion, so that they are the same on every architecture.
func inputs(r *rand.Rand, cols, n int) []float32 {
	x := make([]float32, 0, n*cols)
	for range n {
		common, walk := r.Float64()-.5, 0.
		for i := range cols {
			walk = float64(.875*walk) + r.Float64() - .5
			x = append(x, float32((walk+common)*float64(1+i%7)/4))
		}
	}
	return x
}

func hessian(t testing.TB, x []float32, cols int) *quant.Hessian {
	t.Helper()
	h, err := quant.NewHessian(cols)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Add(x); err != nil {
		t.Fatal(err)
	}
	return h
}

// outputError returns Σ (x·w − x·ŵ)² over rows and vectors, which is the sum over
// rows of (w − ŵ)ᵀH(w − ŵ).
func outputError(t testing.TB, w []float32, m *quant.Matrix, x []float32) float64 {
	t.Helper()
	cols := m.Cols()
	got := make([]float32, cols)
	var sum float64
	for row := range m.Rows() {
		if err := m.DequantizeRow(got, row); err != nil {
			t.Fatal(err)
		}
		for v := 0; v < len(x); v += cols {
			var dot float64
			for i, y := range x[v : v+cols] {
				dot += float64(y) * (float64(w[row*cols+i]) - float64(got[i]))
			}
			sum += dot * dot
		}
	}
	return sum
}

func TestFeedbackLowersOutputError(t *testing.T) {
	const rows, cols = 16, 256
	r := rand.New(rand.NewPCG(41, 42))
	w := normals(r, rows*cols)
	x := inputs(r, cols, 600)
	h := hessian(t, x, cols)
	for i, typ := range datatype.Types() {
		if testing.Short() && i%4 != 0 {
			continue
		}
		for _, search := range []bool{false, true} {
			quantize := func(fb *quant.Feedback) float64 {
				m, err := quant.Group(w, cols, quant.Config{Type: typ, Search: search, Feedback: fb})
				if err != nil {
					t.Fatal(err)
				}
				return outputError(t, w, m, x)
			}
			before := quantize(nil)
			after := quantize(&quant.Feedback{Hessian: h})
			act := quantize(&quant.Feedback{Hessian: h, ActOrder: true})
			t.Logf("%v, search %v: %.3f of the error, %.3f in the order of activations", typ, search, after/before, act/before)
			if !(after < before && act < before) {
				t.Errorf("%v, search %v: output error %v, %v in the order of activations, want less than %v", typ, search, after, act, before)
			}
		}
	}
}

// TestFeedbackUncorrelated checks that without correlation feedback is plain rounding
// with the step that headroom gives.
func TestFeedbackUncorrelated(t *testing.T) {
	const cols = 64
	h, err := quant.NewHessian(cols)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, cols)
	for i := range x {
		clear(x)
		if x[i] = float32(1 + i%3); i == 5 {
			x[i] = 0 // and a dead input
		}
		if err := h.Add(x); err != nil {
			t.Fatal(err)
		}
	}
	w := normals(rand.New(rand.NewPCG(43, 44)), 4*cols)
	for _, act := range []bool{false, true} {
		m, err := quant.Group(w, cols, quant.Config{Type: datatype.BitMoD4, GroupSize: 32, Feedback: &quant.Feedback{Hessian: h, ActOrder: act}})
		if err != nil {
			t.Fatal(err)
		}
		codes := make([]uint8, cols)
		for row := range m.Rows() {
			if err := m.Codes(codes, row); err != nil {
				t.Fatal(err)
			}
			for col, code := range codes {
				g := col / 32
				scale := float64(m.ScaleCode(row, g)) * float64(m.RowScale(row))
				if want := m.Codebook(row, g).Encode(float64(w[row*cols+col]) / scale); code != want {
					t.Errorf("act order %v, row %d, column %d: code %d, want %d", act, row, col, code, want)
				}
			}
		}
	}
}

func TestFeedbackWorkersAgree(t *testing.T) {
	const rows, cols = 53, 200
	r := rand.New(rand.NewPCG(45, 46))
	w := normals(r, rows*cols)
	h := hessian(t, inputs(r, cols, 300), cols)
	for _, typ := range []datatype.Type{datatype.BitMoD3, datatype.NVFP4RaZeR, datatype.Int4Asym, datatype.MXFP4} {
		for mode := range 4 {
			c := quant.Config{Type: typ, GroupSize: 48, Search: mode&1 > 0, Feedback: &quant.Feedback{Hessian: h, ActOrder: mode&2 > 0, Sweeps: mode}}
			workersAgree(t, w, cols, c, 1, 2, 3, 16)
		}
	}
}

// TestFeedbackDigest checks that results and the factored Hessian are the same bits on
// every architecture.
func TestFeedbackDigest(t *testing.T) {
	const rows, cols = 16, 300
	r := rand.New(rand.NewPCG(47, 48))
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32((r.Float64() + r.Float64() + r.Float64() + r.Float64() - 2) / 64)
	}
	h := hessian(t, inputs(r, cols, 500), cols)
	for typ, want := range map[datatype.Type]uint32{
		datatype.BitMoD4:    0x471482b3,
		datatype.BitMoD3:    0x2b41292d,
		datatype.Int4Asym:   0xba969f9b,
		datatype.NF4:        0xdbc14c03,
		datatype.NVFP4RaZeR: 0xde432787,
	} {
		m, err := quant.Group(w, cols, quant.Config{Type: typ, Search: true, Feedback: &quant.Feedback{Hessian: h, ActOrder: true}})
		if err != nil {
			t.Fatal(err)
		}
		if got := crc32.ChecksumIEEE(encode(t, m)); got != want {
			t.Errorf("%v: digest %#x, want %#x", typ, got, want)
		}
	}
}

// TestFeedbackExtremes tries weights and inputs for which feedback may overflow.
func TestFeedbackExtremes(t *testing.T) {
	const rows, cols = 5, 72
	r := rand.New(rand.NewPCG(49, 50))
	hessians := map[string]*quant.Hessian{
		"zero":     hessian(t, make([]float32, cols), cols),
		"one":      hessian(t, inputs(r, cols, 1), cols),
		"ordinary": hessian(t, inputs(r, cols, 100), cols),
	}
	huge, tiny := inputs(r, cols, 100), inputs(r, cols, 100)
	for i := range huge {
		huge[i] *= 1e37
		tiny[i] *= 1e-42
	}
	hessians["huge"], hessians["tiny"] = hessian(t, huge, cols), hessian(t, tiny, cols)
	for i, typ := range datatype.Types() {
		for name, h := range hessians {
			for j, src := range matrices {
				if testing.Short() && (i+j)%12 != 0 {
					continue
				}
				w := make([]float32, rows*cols)
				for i := range w {
					w[i] = float32(src.next(r))
				}
				for mode := range 4 {
					m, err := quant.Group(w, cols, quant.Config{Type: typ, GroupSize: 16, Search: mode&1 > 0, Feedback: &quant.Feedback{Hessian: h, ActOrder: mode&2 > 0, Sweeps: mode}})
					if err != nil {
						if src.name != "huge" || !errors.Is(err, quant.ErrNotFinite) {
							t.Fatalf("%v, %s inputs, %s weights: %v", typ, name, src.name, err)
						}
						continue
					}
					got := make([]float32, len(w))
					if err := m.Dequantize(got); err != nil {
						t.Fatal(err)
					}
					for i, x := range got {
						if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
							t.Fatalf("%v, %s inputs, %s weights: weight %d becomes %v", typ, name, src.name, i, x)
						}
						if w[i] == 0 && src.name == "zero" && x != 0 {
							t.Fatalf("%v: 0 becomes %v", typ, x)
						}
					}
					if err := new(quant.Matrix).UnmarshalBinary(encode(t, m)); err != nil {
						t.Fatalf("%v: %v", typ, err)
					}
				}
			}
		}
	}
}

// TestHessian compares the sums with float64 loops, for several divisions into calls.
func TestHessian(t *testing.T) {
	const cols = 13
	x := inputs(rand.New(rand.NewPCG(51, 52)), cols, 23)
	want := hessian(t, x, cols)
	for _, step := range []int{1, 2, 4, 5, 23} {
		h, err := quant.NewHessian(cols)
		if err != nil {
			t.Fatal(err)
		}
		for lo := 0; lo < 23; lo += step {
			if err := h.Add(x[lo*cols : min(lo+step, 23)*cols]); err != nil {
				t.Fatal(err)
			}
		}
		w := normals(rand.New(rand.NewPCG(53, 54)), 4*cols)
		c := quant.Config{GroupSize: 8, Feedback: &quant.Feedback{Hessian: h}}
		a, err1 := quant.Group(w, cols, c)
		c.Feedback = &quant.Feedback{Hessian: want}
		b, err2 := quant.Group(w, cols, c)
		if err := errors.Join(err1, err2); err != nil || !bytes.Equal(encode(t, a), encode(t, b)) {
			t.Errorf("%d vectors a call give another matrix, %v", step, err)
		}
		if h.Cols() != cols || h.Vectors() != 23 {
			t.Errorf("%d columns, %d vectors", h.Cols(), h.Vectors())
		}
		for i, got := range h.Importance() {
			var sum float64
			for v := range 23 {
				sum += float64(x[v*cols+i]) * float64(x[v*cols+i])
			}
			if got != sum/23 {
				t.Errorf("importance of column %d: %v, want %v", i, got, sum/23)
			}
		}
	}
	empty, err := quant.NewHessian(2)
	if err != nil {
		t.Fatal(err)
	}
	if a := empty.Importance(); len(a) != 2 || a[0] != 0 {
		t.Errorf("importance without vectors: %v", a)
	}
}

func TestOptionErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	w := make([]float32, 3*64)
	for i := range w {
		w[i] = float32(i)
	}
	withNaN := append([]float32(nil), w...)
	withNaN[64+7] = float32(nan)
	a := func(i int, x float64) []float64 {
		a := make([]float64, 64)
		a[i] = x
		return a
	}
	r := rand.New(rand.NewPCG(55, 56))
	h := hessian(t, inputs(r, 64, 70), 64)
	empty, err := quant.NewHessian(64)
	if err != nil {
		t.Fatal(err)
	}
	fb := func(f quant.Feedback) quant.Config { return quant.Config{Feedback: &f} }
	_, err0 := quant.NewHessian(0)
	_, err1 := quant.NewHessian(1 << 20)
	x := make([]float32, 2*64)
	x[64+9] = float32(-inf)
	for _, tc := range []struct {
		name string
		err  error
		is   error
		text string
	}{
		{"short importance", group1(w, 64, quant.Config{Importance: make([]float64, 63)}), quant.ErrShape, "quant: len(Config.Importance) is 63, want 64 (columns)"},
		{"empty importance", group1(w, 64, quant.Config{Importance: []float64{}}), quant.ErrShape, "quant: len(Config.Importance) is 0, want 64 (columns)"},
		{"NaN importance", group1(w, 64, quant.Config{Importance: a(5, nan)}), quant.ErrNotFinite, "quant: importance of column 5 is NaN: not a finite float32 number"},
		{"negative importance", group1(w, 64, quant.Config{Importance: a(6, -1)}), quant.ErrNotFinite, "quant: importance of column 6 is -1: not a finite float32 number"},
		{"infinite importance", group1(w, 64, quant.Config{Importance: a(0, inf)}), quant.ErrNotFinite, "quant: importance of column 0 is +Inf: not a finite float32 number"},
		{"search", group1(withNaN, 64, quant.Config{Search: true}), quant.ErrNotFinite, "quant: weight at row 1, column 7 is NaN"},
		{"search, group 2", group1(withNaN, 64, quant.Config{Search: true, GroupSize: 8, Type: datatype.NVFP4}), quant.ErrNotFinite, "quant: weight at row 1, column 7 is NaN"},
		{"feedback", group1(withNaN, 64, fb(quant.Feedback{Hessian: h})), quant.ErrNotFinite, "quant: weight at row 1, column 7 is NaN"},
		{"no Hessian", group1(w, 64, fb(quant.Feedback{})), quant.ErrShape, "quant: columns of Config.Feedback.Hessian is 0, want 64 (columns)"},
		{"zero Hessian", group1(w, 64, fb(quant.Feedback{Hessian: new(quant.Hessian)})), quant.ErrShape, "quant: columns of Config.Feedback.Hessian is 0, want 64 (columns)"},
		{"columns", group1(w, 32, fb(quant.Feedback{Hessian: h})), quant.ErrShape, "quant: columns of Config.Feedback.Hessian is 64, want 32 (columns)"},
		{"no vectors", group1(w, 64, fb(quant.Feedback{Hessian: empty})), quant.ErrShape, "quant: vectors of Config.Feedback.Hessian is 0, want at least 1"},
		{"damping", group1(w, 64, fb(quant.Feedback{Hessian: h, Damping: -.5})), quant.ErrNotFinite, "quant: Config.Feedback.Damping is -0.5, want at least 0: not a finite float32 number"},
		{"NaN damping", group1(w, 64, fb(quant.Feedback{Hessian: h, Damping: nan})), quant.ErrNotFinite, "quant: Config.Feedback.Damping is NaN, want at least 0: not a finite float32 number"},
		{"shrinkage", group1(w, 64, fb(quant.Feedback{Hessian: h, Shrinkage: inf})), quant.ErrNotFinite, "quant: Config.Feedback.Shrinkage is +Inf, want at least 0: not a finite float32 number"},
		{"sweeps", group1(w, 64, fb(quant.Feedback{Hessian: h, Sweeps: -1})), quant.ErrShape, "quant: Config.Feedback.Sweeps is -1, want at least 0"},
		{"cols 0", err0, quant.ErrShape, "quant: cols is 0, want at least 1"},
		{"many cols", err1, quant.ErrShape, "quant: cols is 1048576, want at most 65534"},
		{"vector", empty.Add(x), quant.ErrNotFinite, "quant: input vector 1, column 9 is -Inf: not a finite float32 number"},
		{"length", empty.Add(x[:65]), quant.ErrShape, "quant: len(x) is 65, want a multiple of 64 (columns)"},
		{"zero Hessian's", new(quant.Hessian).Add(x), quant.ErrShape, "quant: Cols() is 0, want at least 1"},
	} {
		if !errors.Is(tc.err, tc.is) || fmt.Sprint(tc.err) != tc.text {
			t.Errorf("%s: %v, want %q", tc.name, tc.err, tc.text)
		}
	}
	if empty.Vectors() != 0 {
		t.Error("a refused vector was added")
	}
}

// Quantize a layer with the Hessian of its inputs.
func ExampleFeedback() {
	const rows, cols = 64, 256
	weights := exampleWeights(rows, cols)
	r := rand.New(rand.NewPCG(3, 4))
	h, err := quant.NewHessian(cols)
	if err != nil {
		panic(err)
	}
	x := inputs(r, cols, 1000) // the layer's inputs while the model reads text
	if err := h.Add(x); err != nil {
		panic(err)
	}
	for _, c := range []quant.Config{
		{Type: datatype.BitMoD3},
		{Type: datatype.BitMoD3, Search: true},
		{Type: datatype.BitMoD3, Search: true, Feedback: &quant.Feedback{Hessian: h}},
		{Type: datatype.BitMoD3, Search: true, Feedback: &quant.Feedback{Hessian: h, ActOrder: true, Sweeps: 4}},
	} {
		m, err := quant.Group(weights, cols, c)
		if err != nil {
			panic(err)
		}
		row, y, yq := make([]float32, cols), 0., 0.
		var noise, power float64 // of the outputs
		for i := range rows {
			if err := m.DequantizeRow(row, i); err != nil {
				panic(err)
			}
			for v := 0; v < len(x); v += cols {
				y, yq = 0, 0
				for j, xj := range x[v : v+cols] {
					y += float64(xj) * float64(weights[i*cols+j])
					yq += float64(xj) * float64(row[j])
				}
				noise += (y - yq) * (y - yq)
				power += y * y
			}
		}
		fmt.Printf("%.1f dB\n", 10*math.Log10(power/noise))
	}
	// Output:
	// 13.7 dB
	// 14.0 dB
	// 21.5 dB
	// 22.9 dB
}
