package kernel

import (
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

func TestErrors(t *testing.T) {
	m, err := quant.Group(make([]float32, 8*16), 16, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	as := make([]Activation, 3)
	a, short, empty := &as[0], &as[1], &as[2]
	if err := a.Load(make([]float32, 16)); err != nil {
		t.Fatal(err)
	}
	if err := short.Load(make([]float32, 15)); err != nil {
		t.Fatal(err)
	}
	pl, err := NewPool(2)
	if err != nil {
		t.Fatal(err)
	}
	defer pl.Close()
	dst := make([]float32, 8)
	for _, c := range []struct {
		err  error
		want string
	}{
		{GEMV(dst[:7], m, a), "kernel: len(dst) is 7, want 8 (rows)"},
		{GEMV(nil, m, a), "kernel: len(dst) is 0, want 8 (rows)"},
		{GEMV(dst, nil, a), "kernel: m.Rows() is 0, want at least 1; m is nil or empty"},
		{GEMV(nil, new(quant.Matrix), a), "kernel: m.Rows() is 0, want at least 1; m is nil or empty"},
		{GEMV(dst, m, nil), "kernel: columns of a is 0, want 16; nothing is loaded"},
		{GEMV(dst, m, empty), "kernel: columns of a is 0, want 16; nothing is loaded"},
		{GEMV(dst, m, short), "kernel: columns of a is 15, want 16"},
		{GEMVRows(dst[:7], m, a, 0, 1), "kernel: len(dst) is 7, want 8 (rows)"},
		{GEMVRows(dst, m, a, 0, 9), "kernel: hi is 9, want 0 to 8 (rows)"},
		{GEMVRows(dst, m, a, 0, -1), "kernel: hi is -1, want 0 to 8 (rows)"},
		{GEMVRows(dst, m, a, 3, 2), "kernel: lo is 3, want 0 to 2 (hi)"},
		{GEMVRows(dst, m, a, -1, 2), "kernel: lo is -1, want 0 to 2 (hi)"},
		{GEMM(dst, m, make([]Activation, 2)), "kernel: len(dst) is 8, want 16 (2 activations × 8 rows)"},
		{GEMM(dst[:7], m, nil), "kernel: len(dst) is 7, want 0 (0 activations × 8 rows)"},
		{GEMM(make([]float32, 16), m, as[:2]), "kernel: columns of as[1] is 15, want 16"},
		{GEMM(make([]float32, 16), m, as[1:]), "kernel: columns of as[0] is 15, want 16"},
		{GEMM(dst, m, as[2:]), "kernel: columns of as[0] is 0, want 16; nothing is loaded"},
		{GEMM(nil, nil, nil), "kernel: m.Rows() is 0, want at least 1; m is nil or empty"},
		{pl.GEMV(dst[:7], m, a), "kernel: len(dst) is 7, want 8 (rows)"},
		{pl.GEMM(dst, m, as[1:2]), "kernel: columns of as[0] is 15, want 16"},
		{Reference(dst[:7], m, a), "kernel: len(dst) is 7, want 8 (rows)"},
	} {
		var e *quant.ShapeError
		if !errors.Is(c.err, ErrShape) || !errors.As(c.err, &e) || c.err.Error() != c.want {
			t.Errorf("error is %v, want %s", c.err, c.want)
		}
	}
	for name, err := range map[string]error{
		"no rows":             GEMVRows(dst, m, a, 8, 8),
		"empty batch":         GEMM(nil, m, nil),
		"empty batch, pooled": pl.GEMM(nil, m, nil),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestShared multiplies by one Activation on many goroutines, each with rows of its own.
// It is for the race detector.
func TestShared(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	var mem guards
	defer mem.free()
	m := randomMatrix(&mem, r, datatype.BitMoD4, 128, 100, 700)
	var a Activation
	if err := a.Load(activations(r, 700, false)); err != nil {
		t.Fatal(err)
	}
	want, got := product(t, m, &a), make([]float32, 100)
	var wg sync.WaitGroup
	for lo := 0; lo < 100; lo += 7 {
		wg.Go(func() {
			if err := GEMVRows(got, m, &a, lo, min(lo+7, 100)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range want {
		if want[i] != got[i] {
			t.Fatalf("row %d: %v, want %v", i, got[i], want[i])
		}
	}
}

// TestAgainstDequantized compares with float64 arithmetic on dequantized weights, which
// the definition approximates. In integer mode, values without a unit are rounded to a
// 127th.
func TestAgainstDequantized(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	for _, typ := range datatype.Types() {
		const rows, cols = 6, 700
		w := make([]float32, rows*cols)
		for i := range w {
			w[i] = float32(r.NormFloat64())
		}
		m, err := quant.Group(w, cols, quant.Config{Type: typ})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Dequantize(w); err != nil {
			t.Fatal(err)
		}
		x := activations(r, cols, false)
		for mode := range floatMode + 1 {
			var a Activation
			if err := a.loadMode(x, mode, best); err != nil {
				t.Fatal(err)
			}
			got := product(t, m, &a)
			for row := range got {
				var want, size float64
				for c := range cols {
					v := float64(w[row*cols+c])
					switch mode {
					case floatMode:
						v *= float64(x[c])
					case int16Mode:
						high, low := &a.planes[0], &a.planes[1]
						v *= float64(high.q[c])*float64(high.d[c/block]) + float64(low.q[c])*float64(low.d[c/block])
					default:
						v *= float64(a.q[c]) * float64(a.d[c/block])
					}
					want += v
					size += math.Abs(v)
				}
				most := 1e-6
				if mode != floatMode && typ.Unit() == 0 {
					most = 5e-3
				}
				if e := math.Abs(float64(got[row])-want) / size; e > most {
					t.Errorf("%v, %v mode, row %d: %v, want %v (off by %.1e)", typ, mode, row, got[row], want, e)
				}
			}
		}
	}
}

// FuzzImplementations compares all implementations with each other.
func FuzzImplementations(f *testing.F) {
	f.Add(uint64(1), uint8(0), uint16(128), uint16(1000), uint8(3), 1.0)
	f.Add(uint64(2), uint8(1), uint16(64), uint16(513), uint8(20), 1e30)
	f.Add(uint64(3), uint8(30), uint16(16), uint16(4700), uint8(1), 1e-30)
	f.Add(uint64(4), uint8(datatype.MXFP4), uint16(0), uint16(1100), uint8(2), 1.0)
	f.Add(uint64(5), uint8(datatype.NVFP4RaZeR), uint16(0), uint16(1100), uint8(2), 1.0)
	f.Add(uint64(6), uint8(datatype.BitMoD4), uint16(128), uint16(1000), uint8(33), 1.0)
	f.Fuzz(func(t *testing.T, seed uint64, typ uint8, groupSize, cols uint16, rows uint8, size float64) {
		if math.IsNaN(size) || math.Abs(size) > 1e30 {
			t.Skip()
		}
		types := datatype.Types()
		of := types[int(typ)%len(types)]
		n := 8 + int(groupSize)%1000
		if groupSize%4 == 0 {
			n = of.GroupSize() // the fast group size of MX and NV types
		}
		r := rand.New(rand.NewPCG(seed, 0))
		var mem guards
		defer mem.free()
		m := randomMatrix(&mem, r, of, n, 1+int(rows)%40, 1+int(cols)%6000)
		if rows%3 == 0 { // rows of several types, these among them
			m = withOthers(t, &mem, r, m, n)
		}
		as := make([]Activation, 5) // one in each mode, and the rest for batches of two
		x := activations(r, m.Cols(), seed%2 == 0)
		for i := range x {
			x[i] *= float32(size)
		}
		var want []float32
		for _, impl := range implementations() {
			for i, mode := range []mode{floatMode, int8Mode, int8Mode, int16Mode, int16Mode} {
				if err := as[i].loadMode(x, mode, impl); err != nil {
					if i == 0 {
						t.Skip(err) // x·size is infinite
					}
					t.Fatal(err)
				}
			}
			got := make([]float32, 7*m.Rows())
			for i, a := range []int{0, 1, 3} {
				multiply(got[i*m.Rows():(i+1)*m.Rows()], m, &as[a], 0, m.Rows(), impl)
			}
			multiplyBatch(got[3*m.Rows():], m, as[1:3], 0, m.Rows(), impl)
			multiplyBatch(got[5*m.Rows():], m, as[3:], 0, m.Rows(), impl)
			if want == nil {
				want = got
				continue
			}
			for i := range want {
				if !sameBits(want[i], got[i]) {
					t.Fatalf("%v, %v, element %d: %v, portable %v", m, impl, i, got[i], want[i])
				}
			}
		}
	})
}
