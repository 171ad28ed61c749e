package kernel

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
)

// TestLoadDefinition compares loaded activations with the definition of the package
// documentation, for all implementations.
func TestLoadDefinition(t *testing.T) {
	forImplementations(t, func(t *testing.T, impl implementation) {
		r := rand.New(rand.NewPCG(3, 3))
		var a Activation
		for _, n := range []int{1, 5000, 15, 16, 63, 65, 127, 128, 129, 255, 512, 576, 640, 1000} {
			for _, size := range []float32{1, 1e-30, 1e30, math.MaxFloat32, 0x1p-119, 0x1p-120, 0x1p-121, 0x1p-149, 0} {
				x := make([]float32, n)
				for i := range x {
					x[i] = float32(2*r.Float64()-1) * size
					if r.IntN(3) == 0 {
						// Products at, and next to, ties.
						x[i] = float32(float64(size) * (float64(r.IntN(254)) - 126.5) / 127)
					}
				}
				x[n/2] = -size
				if err := a.load(x, impl); err != nil {
					t.Fatal(err)
				}
				checkLoaded(t, &a, x)
			}
		}
	})
}

func checkLoaded(t *testing.T, a *Activation, x []float32) {
	t.Helper()
	if a.n != len(x) || a.mode != int8Mode || len(a.q)%step != 0 || len(a.q) < len(x) || len(a.d) != len(a.q)/block {
		t.Fatalf("%d columns: n = %d, mode %v, padded to %d and %d", len(x), a.n, a.mode, len(a.q), len(a.d)*block)
	}
	before := 0 // block and run
	for b := range a.d {
		var amax float64
		for _, v := range x[min(b*block, len(x)):min((b+1)*block, len(x))] {
			amax = max(amax, math.Abs(float64(v)))
		}
		var d, scale float32
		if amax >= 0x1p-120 {
			d, scale = float32(amax)/127, 127/float32(amax)
		}
		if a.d[b] != d {
			t.Fatalf("%d columns, block %d: d is %v, want %v", len(x), b, a.d[b], d)
		}
		sum := 0
		for run := range 8 {
			sum16 := 0
			for c := b*block + run*16; c < b*block+run*16+16; c++ {
				var v float32
				if c < len(x) {
					v = x[c]
				}
				q := math.RoundToEven(float64(float32(v * scale)))
				if int(a.q[c]) != int(q) {
					t.Fatalf("%d columns, column %d: %v is %d, want %v", len(x), c, v, a.q[c], q)
				}
				sum16 += int(q)
			}
			if got := int(a.corr16[b*8+run]); got != offset*sum16 {
				t.Fatalf("%d columns, block %d, run %d: correction is %d, want %d", len(x), b, run, got, offset*sum16)
			}
			if hasPrefix && int(a.prefix[b*8+run]) != -offset*before {
				t.Fatalf("%d columns, block %d, run %d: the sum before is %d, want %d", len(x), b, run, a.prefix[b*8+run], -offset*before)
			}
			before += sum16
			sum += sum16
		}
		if got := int(a.corr[b]); got != offset*sum {
			t.Fatalf("%d columns, block %d: correction is %d, want %d", len(x), b, got, offset*sum)
		}
	}
}

// TestLoad16 compares the two vectors of Load16 with the definition.
func TestLoad16(t *testing.T) {
	forImplementations(t, func(t *testing.T, impl implementation) {
		r := rand.New(rand.NewPCG(3, 4))
		var a Activation
		for _, n := range []int{1, 5000, 127, 128, 129, 255, 512, 576, 1000} {
			for _, size := range []float32{1, 1e-30, math.MaxFloat32, 0x1p-113, 0x1p-120, 0} {
				x := make([]float32, n)
				for i := range x {
					x[i] = float32(2*r.Float64()-1) * size
				}
				x[n/2] = -size
				if err := a.load16(x, impl); err != nil {
					t.Fatal(err)
				}
				high, low := &a.planes[0], &a.planes[1]
				checkLoaded(t, high, x)
				rest := make([]float32, n)
				for i, v := range x {
					// The float64 expression is exact: a product of 24 and 7 bits, and a
					// difference of numbers of like size.
					q, d := float64(high.q[i]), float64(high.d[i/block])
					rest[i] = float32(float64(v) - q*d)
				}
				checkLoaded(t, low, rest)
				for i, v := range x {
					got := float64(high.q[i])*float64(high.d[i/block]) + float64(low.q[i])*float64(low.d[i/block])
					if e := math.Abs(got - float64(v)); e > float64(size)/127/127/4*1.001 && size >= 0x1p-106 {
						t.Fatalf("column %d of %d, up to %v: %v became %v", i, n, size, v, got)
					}
				}
			}
		}
	})
}

func TestLoadErrors(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	var a Activation
	loads := map[string]func(x []float32) error{
		"Load":      a.Load,
		"portable":  func(x []float32) error { return a.load(x, portable) },
		"Load16":    a.Load16,
		"LoadFloat": a.LoadFloat,
	}
	for name, load := range loads {
		t.Run(name, func(t *testing.T) {
			for _, bad := range []float32{inf, -inf, nan} {
				for _, at := range []int{0, 1, 127, 128, 300, 639, 640, 650} {
					x := make([]float32, 651)
					if err := load(x); err != nil {
						t.Fatal(err)
					}
					x[at], x[650] = bad, nan
					if at == 650 {
						x[at] = bad
					}
					err := load(x)
					var e *ActivationError
					if !errors.Is(err, ErrNotFinite) || !errors.As(err, &e) || e.Index != at {
						t.Errorf("%v at %d: error is %v", bad, at, err)
					}
					if a.n != 0 {
						t.Errorf("after an error n = %d", a.n)
					}
				}
			}
			err := load(nil)
			if want := "kernel: len(x) is 0, want at least 1"; !errors.Is(err, ErrShape) || err.Error() != want {
				t.Errorf("nothing: error is %v, want %s", err, want)
			}
		})
	}
	x := make([]float32, 20)
	x[17] = nan
	if err := a.Load(x); err == nil || err.Error() != "kernel: activation 17 is NaN" {
		t.Errorf("error is %v", err)
	}
}

func TestLoadFloat(t *testing.T) {
	x := []float32{1, -2.5, 65504, 0x1p-24, 0}
	var a Activation
	if err := a.LoadFloat(x); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal([]float32{a.x[0], a.x[16], a.x[32], a.x[48], a.x[1]}, x) || a.n != 5 {
		t.Errorf("LoadFloat has %v", a.x)
	}
}

func TestLoadBatch(t *testing.T) {
	const n, cols = 5, 200
	x := activations(rand.New(rand.NewPCG(4, 4)), n*cols, false)
	for name, load := range map[string]func(*Activation, []float32) error{
		"Load":      (*Activation).Load,
		"Load16":    (*Activation).Load16,
		"LoadFloat": (*Activation).LoadFloat,
	} {
		t.Run(name, func(t *testing.T) {
			as := make([]Activation, n)
			if err := LoadBatch(as, x, load); err != nil {
				t.Fatal(err)
			}
			for i := range as {
				var want Activation
				if err := load(&want, x[i*cols:(i+1)*cols]); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(&as[i], &want) {
					t.Errorf("vector %d is not what %s alone gives", i, name)
				}
			}
			bad := slices.Clone(x)
			bad[3*cols+17] = float32(math.Inf(-1))
			bad[4*cols] = float32(math.NaN())
			err := LoadBatch(as, bad, load)
			var e *ActivationError
			if want := "kernel: activation 17 of vector 3 is -Inf"; !errors.Is(err, ErrNotFinite) || !errors.As(err, &e) ||
				e.Vector != 3 || e.Index != 17 || err.Error() != want {
				t.Errorf("error is %v, want %s", err, want)
			}
			for i := range as {
				if as[i].n != 0 {
					t.Errorf("after an error vector %d has %d columns", i, as[i].n)
				}
			}
		})
	}
	for _, c := range []struct {
		as, x int
		want  string
	}{
		{5, 0, "kernel: len(x) is 0, want a positive multiple of 5 (activations)"},
		{5, 999, "kernel: len(x) is 999, want a positive multiple of 5 (activations)"},
		{5, 4, "kernel: len(x) is 4, want a positive multiple of 5 (activations)"},
		{0, 1, "kernel: len(x) is 1, want 0 (no activations)"},
	} {
		err := LoadBatch(make([]Activation, c.as), x[:c.x], (*Activation).Load)
		if !errors.Is(err, ErrShape) || err.Error() != c.want {
			t.Errorf("%d activations, %d floats: error is %v, want %s", c.as, c.x, err, c.want)
		}
	}
	if err := LoadBatch(nil, nil, nil); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
	if err := LoadBatch(make([]Activation, 1), x, nil); !errors.Is(err, ErrShape) {
		t.Errorf("no way to load: error is %v", err)
	}
}

func TestAllocations(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	x := activations(r, 1000, false)
	var mem guards
	defer mem.free()
	var a, exact, double Activation
	as, doubles := make([]Activation, 3), make([]Activation, 3)
	pl, err := NewPool(2)
	if err != nil {
		t.Fatal(err)
	}
	defer pl.Close()
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, impl := range implementations() {
		check(a.load(x, impl))
	}
	check(exact.LoadFloat(x))
	check(double.Load16(x))
	for i := range as {
		check(as[i].Load(x))
		check(doubles[i].Load16(x))
	}
	long := slices.Concat(x, x, x)
	const rows = 300
	dst := make([]float32, len(as)*rows)
	for name, f := range map[string]func(){
		"Load":      func() { check(a.Load(x)) },
		"Load16":    func() { check(double.Load16(x)) },
		"LoadFloat": func() { check(exact.LoadFloat(x)) },
		"LoadBatch": func() { check(LoadBatch(as, long, (*Activation).Load)) },
	} {
		if n := allocsPerRun(10, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3, datatype.Int2Asym, datatype.FP6E3M2, datatype.NVFP4, datatype.NF4} {
		for _, groupSize := range []int{32, 128, 100} {
			m := randomMatrix(&mem, r, typ, groupSize, rows, len(x))
			p := newPlan(m)
			for name, f := range map[string]func(){
				"GEMV":        func() { check(GEMV(dst[:rows], m, &a)) },
				"float GEMV":  func() { check(GEMV(dst[:rows], m, &exact)) },
				"16-bit":      func() { check(GEMV(dst[:rows], m, &double)) },
				"16-bit GEMM": func() { check(GEMM(dst, m, doubles)) },
				"GEMVRows":    func() { check(GEMVRows(dst[:rows], m, &a, 1, 17)) },
				"Pool.GEMV":   func() { check(pl.GEMV(dst[:rows], m, &a)) },
				"GEMM":        func() { check(GEMM(dst, m, as)) },
				"GEMMRows":    func() { check(GEMMRows(dst, m, as, 3, 130)) },
				"Pool.GEMM":   func() { check(pl.GEMM(dst, m, as)) },
				"portable":    func() { p.multiply(dst[:rows], &a, 0, rows, portable) },
			} {
				n := allocsPerRun(1, f)
				if n != 0 { // the runtime may allocate, but not every time
					n = allocsPerRun(5, f)
				}
				if n != 0 {
					t.Errorf("%s, %v: %v allocations", name, m, n)
				}
			}
		}
	}
}

// allocsPerRun is testing.AllocsPerRun without garbage collection, which would empty the
// pool of working memory. It returns the least of some tries, because each goroutine's
// first product adds to that pool. It returns 0 if allocations can't be counted.
func allocsPerRun(runs int, f func()) float64 {
	if poolsForget {
		f()
		return 0
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	n := testing.AllocsPerRun(runs, f)
	for try := 0; try < 4 && n > 0; try++ {
		n = min(n, testing.AllocsPerRun(runs, f))
	}
	return n
}
