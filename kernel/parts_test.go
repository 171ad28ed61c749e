package kernel

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

var mixedTypes = []datatype.Type{datatype.BitMoD3, datatype.BitMoD4, datatype.Int8, datatype.NVFP4, datatype.MXFP4, datatype.Int3Asym}

// randomMixed returns a matrix with rows of all mixedTypes in any order, or of the first
// alone.
func randomMixed(t testing.TB, mem *guards, r *rand.Rand, groupSize, rows, cols int) *quant.Matrix {
	t.Helper()
	of := make([]uint8, rows)
	counts := make([]int, len(mixedTypes))
	for i := range of {
		if rows >= 10 && i > 0 {
			of[i] = uint8(r.IntN(len(mixedTypes)))
		}
		if i < len(mixedTypes) && rows >= 10 {
			of[i] = uint8(len(mixedTypes) - 1 - i)
		}
		counts[of[i]]++
	}
	var parts []*quant.Matrix
	for i, typ := range mixedTypes {
		if counts[i] > 0 {
			parts = append(parts, randomMatrix(mem, r, typ, groupSize, counts[i], cols))
		}
	}
	m, err := quant.NewMixed(parts, of)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// withOthers adds rows of other types to those of m, anywhere.
func withOthers(t testing.TB, mem *guards, r *rand.Rand, m *quant.Matrix, groupSize int) *quant.Matrix {
	t.Helper()
	parts := []*quant.Matrix{m}
	of := make([]uint8, m.Rows())
	for _, typ := range mixedTypes {
		p := randomMatrix(mem, r, typ, groupSize, 1+r.IntN(20), m.Cols())
		of = append(of, bytes.Repeat([]byte{uint8(len(parts))}, p.Rows())...)
		parts = append(parts, p)
	}
	r.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	mixed, err := quant.NewMixed(parts, of)
	if err != nil {
		t.Fatal(err)
	}
	return mixed
}

// TestMixed compares products of rows of several types with those of each type alone, bit
// by bit.
func TestMixed(t *testing.T) {
	shapes := []struct{ rows, cols, batch int }{{1, 40, 2}, {3, 128, 3}, {11, 300, 1}, {300, 512, 3}, {20, 384, 66}, {900, 16, 2}}
	forImplementations(t, func(t *testing.T, impl implementation) {
		r := rand.New(rand.NewPCG(3, 4))
		var mem guards
		for _, s := range shapes {
			for _, groupSize := range []int{48, 128} {
				m := randomMixed(t, &mem, r, groupSize, s.rows, s.cols)
				as := make([]Activation, s.batch)
				for i := range as {
					load := func(x []float32) error { return as[i].load(x, impl) }
					if i == 1 {
						load = as[i].LoadFloat
					}
					if err := load(activations(r, s.cols, false)); err != nil {
						t.Fatal(err)
					}
				}
				want := make([]float32, s.rows*s.batch)
				for i := range m.Parts() {
					p := newPlan(m.Part(i))
					part := make([]float32, p.rows)
					for n := range as {
						p.multiply(part, &as[n], 0, p.rows, impl)
						next := 0
						for row := range s.rows {
							if of, _ := m.RowPart(row); of == i {
								want[n*s.rows+row] = part[next]
								next++
							}
						}
					}
				}
				const canary = 123.5
				buf := slices.Repeat([]float32{canary}, len(want)+2)
				dst := buf[1 : len(buf)-1]
				multiplyBatch(dst, m, as, 0, s.rows, impl)
				check := func(what string) {
					t.Helper()
					if buf[0] != canary || buf[len(buf)-1] != canary {
						t.Fatalf("%v, %s: wrote beyond dst", m, what)
					}
					for i := range want {
						if !sameBits(dst[i], want[i]) {
							t.Fatalf("%v, %s, element %d: %v, want %v", m, what, i, dst[i], want[i])
						}
					}
				}
				check("batch")
				for i := range dst {
					dst[i] = canary
				}
				for n := range as {
					y := dst[n*s.rows : (n+1)*s.rows]
					for lo := 0; lo < s.rows; { // any division into ranges
						hi := min(s.rows, lo+r.IntN(300))
						multiply(y, m, &as[n], lo, hi, impl)
						if hi < s.rows && y[hi] != canary {
							t.Fatalf("%v: rows %d to %d wrote to the next", m, lo, hi-1)
						}
						lo = hi
					}
				}
				check("in ranges")
				mem.free()
			}
		}
	})
}

func TestMixedExported(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 4))
	var mem guards
	defer mem.free()
	m := randomMixed(t, &mem, r, 128, 300, 256)
	as := make([]Activation, 3)
	for i := range as {
		if err := as[i].Load(activations(r, 256, false)); err != nil {
			t.Fatal(err)
		}
	}
	want, got := make([]float32, 900), make([]float32, 900)
	if err := GEMM(want, m, as); err != nil {
		t.Fatal(err)
	}
	for i := range as {
		if err := GEMV(got[i*300:(i+1)*300], m, &as[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, want) {
		t.Error("GEMV differs from GEMM")
	}
	clear(got)
	for lo := range 300 {
		if err := GEMVRows(got[:300], m, &as[0], lo, lo+1); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got[:300], want[:300]) {
		t.Error("GEMVRows differs from GEMM")
	}
	if n := allocsPerRun(10, func() {
		if GEMV(got[:300], m, &as[0]) != nil || GEMM(got, m, as) != nil {
			t.Fatal("error")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}

	var short, empty Activation
	if err := short.Load(make([]float32, 255)); err != nil {
		t.Fatal(err)
	}
	a, y := &as[0], got[:300]
	for name, err := range map[string]error{
		"no matrix":            GEMV(y, nil, a),
		"zero matrix":          GEMV(y, &quant.Matrix{}, a),
		"dst":                  GEMV(got[:299], m, a),
		"no activation":        GEMV(y, m, nil),
		"empty activation":     GEMV(y, m, &empty),
		"short activation":     GEMV(y, m, &short),
		"rows: no matrix":      GEMVRows(y, nil, a, 0, 1),
		"rows: hi":             GEMVRows(y, m, a, 0, 301),
		"rows: lo":             GEMVRows(y, m, a, 2, 1),
		"rows: negative":       GEMVRows(y, m, a, -1, 1),
		"batch: no matrix":     GEMM(got, nil, as),
		"batch: dst":           GEMM(got[:899], m, as),
		"batch: activations":   GEMM(got[:600], m, as),
		"batch: an activation": GEMM(got[:600], m, make([]Activation, 2)),
	} {
		if !errors.Is(err, ErrShape) {
			t.Errorf("%s: error %v, want ErrShape", name, err)
		}
	}
}

// TestMixedPool compares a pool of any number of workers with the caller alone.
func TestMixedPool(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 4))
	var mem guards
	defer mem.free()
	for _, n := range []int{1, 2, 3, 7} {
		pl, err := NewPool(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []struct{ rows, cols, batch int }{{1, 1, 1}, {11, 300, 3}, {700, 1024, 3}, {1500, 384, 2}, {40, 4096, 66}} {
			m := randomMixed(t, &mem, r, 128, s.rows, s.cols)
			as := make([]Activation, s.batch)
			for i := range as {
				if err := as[i].Load(activations(r, s.cols, false)); err != nil {
					t.Fatal(err)
				}
			}
			want, got := make([]float32, s.rows*s.batch), make([]float32, s.rows*s.batch)
			if err := GEMM(want, m, as); err != nil {
				t.Fatal(err)
			}
			if err := pl.GEMM(got, m, as); err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(want, got, sameBits) {
				t.Fatalf("%v, GEMM with %d workers: %v, want %v", m, n, got, want)
			}
			clear(got)
			for i := range as {
				if err := pl.GEMV(got[i*s.rows:(i+1)*s.rows], m, &as[i]); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.EqualFunc(want, got, sameBits) {
				t.Fatalf("%v, GEMV with %d workers: %v, want %v", m, n, got, want)
			}
			if n := allocsPerRun(3, func() {
				if pl.GEMV(got[:s.rows], m, &as[0]) != nil || pl.GEMM(got, m, as) != nil {
					t.Fatal("error")
				}
			}); n != 0 {
				t.Errorf("%v: %v allocations", m, n)
			}
			if err := pl.GEMV(got[:s.rows-1], m, &as[0]); !errors.Is(err, ErrShape) {
				t.Errorf("GEMV to a short dst: %v", err)
			}
			if err := pl.GEMM(got, nil, as); !errors.Is(err, ErrShape) {
				t.Errorf("GEMM without a matrix: %v", err)
			}
		}
		if err := pl.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		m := randomMixed(t, &mem, r, 128, 1, 1)
		as := make([]Activation, 1)
		if err := as[0].Load([]float32{1}); err != nil {
			t.Fatal(err)
		}
		if err := pl.GEMV(make([]float32, 1), m, &as[0]); !errors.Is(err, ErrClosed) {
			t.Errorf("GEMV after Close: %v", err)
		}
		if err := pl.GEMM(make([]float32, 1), m, as); !errors.Is(err, ErrClosed) {
			t.Errorf("GEMM after Close: %v", err)
		}
	}
}

func BenchmarkMixed(b *testing.B) {
	r := rand.New(rand.NewPCG(6, 4))
	w := make([]float32, 4096*4096)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	of := make([]uint8, 4096)
	for i := range of {
		if n := r.IntN(10); n > 6 {
			of[i] = uint8(min(n-6, 2))
		}
	}
	m, err := quant.GroupMixed(context.Background(), w, 4096, of, []quant.Config{{Type: datatype.BitMoD3}, {Type: datatype.BitMoD4}, {Type: datatype.Int8}})
	if err != nil {
		b.Fatal(err)
	}
	var a Activation
	if err := a.Load(activations(r, 4096, false)); err != nil {
		b.Fatal(err)
	}
	dst := make([]float32, 4096)
	report := func(b *testing.B) {
		b.ReportMetric(float64(b.N)*float64(len(w))/b.Elapsed().Seconds(), "weights/s")
	}
	b.Run("mixed", func(b *testing.B) {
		for b.Loop() {
			if err := GEMV(dst, m, &a); err != nil {
				b.Fatal(err)
			}
		}
		report(b)
	})
	b.Run("pool", func(b *testing.B) {
		pl, err := NewPool(2)
		if err != nil {
			b.Fatal(err)
		}
		defer pl.Close()
		for b.Loop() {
			if err := pl.GEMV(dst, m, &a); err != nil {
				b.Fatal(err)
			}
		}
		report(b)
	})
	b.Run("parts", func(b *testing.B) { // without putting rows in their places
		for b.Loop() {
			for i := range m.Parts() {
				if err := GEMV(dst[:m.Part(i).Rows()], m.Part(i), &a); err != nil {
					b.Fatal(err)
				}
			}
		}
		report(b)
	})
}
