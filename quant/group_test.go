package quant_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/x448/float16"
)

// expect dequantizes w by the definitions, through the reference path of package group.
func expect(w []float64, cols int, typ datatype.Type, groupSize int) []float32 {
	var amax float64
	for _, x := range w {
		amax = max(amax, math.Abs(x))
	}
	tensor := group.TensorScale(typ, amax)
	cbs := typ.Codebooks()
	out := make([]float32, 0, len(w))
	for row := 0; row < len(w); row += cols {
		var choices []group.Choice
		var deltas []float64
		codes := make([]uint8, cols)
		for lo := 0; lo < cols; lo += groupSize {
			hi := min(lo+groupSize, cols)
			c, err := group.Reference(typ, codes[lo:hi], w[row+lo:row+hi], nil, tensor)
			if err != nil {
				panic(err)
			}
			choices = append(choices, c)
			deltas = append(deltas, c.Delta)
		}
		var top float64
		for _, d := range deltas {
			top = max(top, d)
		}
		s := float32(top / 255)
		ks := make([]float32, len(choices))
		for g, c := range choices {
			if typ.Scale() != datatype.RowStep || s == 0 {
				continue
			}
			ks[g] = float32(min(math.RoundToEven(deltas[g]/float64(s)), 255))
			if ks[g] == 0 { // k = 1 with its codes, where that is better
				var zero, one float64
				lo, hi := g*groupSize, min((g+1)*groupSize, cols)
				nearest := make([]uint8, hi-lo)
				for i, x := range w[row+lo : row+hi] {
					nearest[i] = cbs[c.Codebook].Encode(x / float64(s))
					e := x - float64(cbs[c.Codebook].Value(nearest[i])*s)
					zero += x * x
					one += e * e
				}
				if one < zero {
					ks[g] = 1
					copy(codes[lo:], nearest)
				}
			}
		}
		for col := range cols {
			c := choices[col/groupSize]
			k := ks[col/groupSize]
			switch typ.Scale() {
			case datatype.RowStep:
			default:
				k, s = typ.Scale().Value(c.Scale), tensor
			}
			out = append(out, float32(cbs[c.Codebook].Value(codes[col])*k)*s)
		}
	}
	return out
}

func TestGroupEqualsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, typ := range datatype.Types() {
		for _, shape := range []struct{ rows, cols, groupSize int }{
			{1, 1, 8}, {1, 8, 8}, {2, 172, 32}, {3, 300, 128}, {5, 64, 16}, {2, 1000, 100}, {4, 16, 1 << 20},
		} {
			w := make([]float32, shape.rows*shape.cols)
			wide := make([]float64, len(w))
			for i := range w {
				w[i] = float32(r.NormFloat64() * math.Exp(2*r.NormFloat64()))
				if r.IntN(50) == 0 {
					w[i] *= 30
				}
				wide[i] = float64(w[i])
			}
			clear(w[:min(8, len(w))]) // a group of zeros
			clear(wide[:min(8, len(w))])
			for row := range shape.rows { // groups with scales that round to 0, or nearly do
				lo := row * shape.cols
				for i := lo + shape.cols/2; i < lo+shape.cols; i++ {
					w[i] *= float32(row) * 1e-3
					wide[i] = float64(w[i])
				}
			}
			m, err := quant.Group(w, shape.cols, quant.Config{Type: typ, GroupSize: shape.groupSize})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]float32, len(w))
			if err := m.Dequantize(got); err != nil {
				t.Fatal(err)
			}
			for i, want := range expect(wide, shape.cols, typ, shape.groupSize) {
				if got[i] != want {
					t.Fatalf("%v: weight %d is %v, want %v", m, i, got[i], want)
				}
			}
			checkAccessors(t, m, got)
		}
	}
}

// checkAccessors dequantizes again through the accessors for one row, one group and one
// code.
func checkAccessors(t *testing.T, m *quant.Matrix, want []float32) {
	t.Helper()
	row := make([]float32, m.Cols())
	codes := make([]uint8, m.Cols())
	for r := range m.Rows() {
		if err := m.DequantizeRow(row, r); err != nil {
			t.Fatal(err)
		}
		if err := m.Codes(codes, r); err != nil {
			t.Fatal(err)
		}
		for c, v := range row {
			g := c / m.GroupSize()
			k := m.Type().Scale().Value(m.ScaleCode(r, g))
			v2 := float32(m.Codebook(r, g).Value(codes[c])*k) * m.RowScale(r)
			if w := want[r*m.Cols()+c]; v != w || v2 != w {
				t.Fatalf("%v at row %d, column %d: DequantizeRow %v, by parts %v, want %v", m, r, c, v, v2, w)
			}
			if m.Scale(r, g) != k*m.RowScale(r) {
				t.Fatalf("%v: Scale(%d, %d) = %v", m, r, g, m.Scale(r, g))
			}
		}
	}
}

func TestPaperExample(t *testing.T) {
	// One group, with Δ = 1 for the candidates ±5 because the largest weight is 6. Only
	// the special value +5 makes 5 exact.
	w := []float32{6, 5, -4, 3, -2, 1.5, -1, 0.5}
	m, err := quant.Group(w, len(w), quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Codebook(0, 0).Value(8); got != 5 {
		t.Errorf("special value %v, want 5", got)
	}
	got := make([]float32, len(w))
	if err := m.Dequantize(got); err != nil {
		t.Fatal(err)
	}
	for i := range w {
		if math.Abs(float64(got[i]-w[i])) > 1e-6 {
			t.Errorf("weight %d: %v, want %v", i, got[i], w[i])
		}
	}
	if m.ScaleCode(0, 0) != 255 {
		t.Errorf("the only group has scale %d, want 255", m.ScaleCode(0, 0))
	}
}

func TestDefaults(t *testing.T) {
	for typ, want := range map[datatype.Type]int{
		datatype.BitMoD4: 128, datatype.Int8: 128, datatype.MXFP4: 32, datatype.MXFP4RaZeR: 32, datatype.NVFP4: 16, datatype.NVFP4RaZeR: 16,
	} {
		m, err := quant.Group(make([]float32, 256), 256, quant.Config{Type: typ})
		if err != nil {
			t.Fatal(err)
		}
		if m.GroupSize() != want {
			t.Errorf("%v: group size %d, want %d", typ, m.GroupSize(), want)
		}
	}
	var c quant.Config
	m, err := quant.Group(make([]float64, 256), 256, c)
	if err != nil || m.Type() != datatype.BitMoD4 {
		t.Errorf("zero Config: %v, %v", m, err)
	}
}

func TestBitsPerWeight(t *testing.T) {
	for typ, limit := range map[datatype.Type]float64{
		datatype.BitMoD3: 3.09, datatype.BitMoD4: 4.09, datatype.Int8: 8.08, datatype.MXFP4: 4.25, datatype.NVFP4: 4.5,
	} {
		for _, rows := range []int{1, 3, 64} {
			m, err := quant.Group(make([]float32, rows*4096), 4096, quant.Config{Type: typ})
			if err != nil {
				t.Fatal(err)
			}
			if b := m.BitsPerWeight(); b > limit+32./4096/float64(rows) && typ.Scale() != datatype.RowStep || b > limit && typ.Scale() == datatype.RowStep {
				t.Errorf("%v, %d rows: %v bits, want at most %v", typ, rows, b, limit)
			}
		}
	}
}

func TestElementTypesAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	half := make([]float16.Float16, 4*200)
	w32, w64 := make([]float32, len(half)), make([]float64, len(half))
	for i := range half {
		half[i] = float16.Fromfloat32(float32(r.NormFloat64()))
		w32[i] = half[i].Float32()
		w64[i] = float64(w32[i])
	}
	c := quant.Config{Type: datatype.BitMoD3, GroupSize: 64}
	m16, err1 := quant.Group(half, 200, c)
	m32, err2 := quant.Group(w32, 200, c)
	m64, err3 := quant.Group(w64, 200, c)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encode(t, m16), encode(t, m32)) || !bytes.Equal(encode(t, m32), encode(t, m64)) {
		t.Error("float16, float32 and float64 give different matrices of the same weights")
	}
	brain := make([]quant.BFloat16, len(w32))
	for i, x := range w32 {
		brain[i] = quant.BFloat16(math.Float32bits(x) >> 16)
		w32[i] = brain[i].Float32()
		w64[i] = float64(w32[i])
	}
	w64[17] *= 1 + 0x1p-40 // one row is not exact in float32
	for _, c.Type = range datatype.Types() {
		mb, err1 := quant.Group(brain, 200, c)
		m32, err2 := quant.Group(w32, 200, c)
		m64, err3 := quant.Group(w64, 200, c)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encode(t, mb), encode(t, m32)) {
			t.Errorf("%v: bfloat16 and float32 give different matrices of the same weights", c.Type)
		}
		// This weight is not the largest of its row, so no code changes.
		codes32, codes64 := make([]uint8, 200), make([]uint8, 200)
		for row := range 4 {
			if err := errors.Join(m32.Codes(codes32, row), m64.Codes(codes64, row)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(codes32, codes64) {
				t.Errorf("%v, row %d: float32 and float64 have different codes", c.Type, row)
			}
		}
	}
}

func encode(t testing.TB, m *quant.Matrix) []byte {
	t.Helper()
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWorkersAgree(t *testing.T) {
	w := normals(rand.New(rand.NewPCG(9, 10)), 301*777)
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.NVFP4, datatype.Int4Asym} {
		workersAgree(t, w, 777, quant.Config{Type: typ}, 1, 2, 3, 16, 0)
	}
}

// workersAgree checks that the matrix is the same for any number of workers.
func workersAgree(t *testing.T, w []float32, cols int, c quant.Config, workers ...int) {
	t.Helper()
	var want []byte
	for _, c.Workers = range workers {
		m, err := quant.Group(w, cols, c)
		if err != nil {
			t.Fatal(err)
		}
		if got := encode(t, m); want == nil {
			want = got
		} else if !bytes.Equal(want, got) {
			t.Errorf("%+v: another matrix than with %d workers", c, workers[0])
		}
	}
}

// TestMemory checks that quantizing allocates the matrix and a few rows, and no copy of
// the weights.
func TestMemory(t *testing.T) {
	const rows, cols = 2048, 1024
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(i%1000) - 500
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := quant.Group(w, cols, quant.Config{Workers: 4})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	extra := int(after.TotalAlloc-before.TotalAlloc) - m.Bytes()
	if limit := 4*20*cols + 200<<10; extra > limit {
		t.Errorf("%d bytes besides the matrix, want at most %d", extra, limit)
	}
}

func TestContext(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.NVFP4} {
		m, err := quant.GroupContext(ctx, make([]float32, 1<<20), 1024, quant.Config{Type: typ})
		if m != nil || !errors.Is(err, cause) {
			t.Errorf("%v: canceled before the start: %v, %v", typ, m, err)
		}
	}

	// The context is canceled half-way.
	ctx, stop := context.WithCancel(context.Background())
	before := runtime.NumGoroutine()
	w := make([]float32, 64<<20)
	go stop()
	if m, err := quant.GroupContext(ctx, w, 4096, quant.Config{}); err == nil || m != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("canceled on the way: %v, %v", m, err)
	}
	if n := runtime.NumGoroutine(); n > before+1 {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

func TestErrors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	bad := func(at int, x float32) []float32 {
		w := make([]float32, 8*256)
		w[at] = x
		return w
	}
	for _, tc := range []struct {
		name string
		err  error
		is   error
		text string
	}{
		{"empty", group1([]float32{}, 4, quant.Config{}), quant.ErrShape, "quant: len(w) is 0, want a positive multiple of 4 (columns)"},
		{"cols 0", group1(bad(0, 0), 0, quant.Config{}), quant.ErrShape, "quant: cols is 0, want at least 1"},
		{"cols −1", group1(bad(0, 0), -1, quant.Config{}), quant.ErrShape, "quant: cols is -1, want at least 1"},
		{"ragged", group1(bad(0, 0), 100, quant.Config{}), quant.ErrShape, "quant: len(w) is 2048, want a positive multiple of 100 (columns)"},
		{"group 4", group1(bad(0, 0), 256, quant.Config{GroupSize: 4}), quant.ErrShape, "quant: Config.GroupSize is 4, want 0 or 8 to 2147483647"},
		{"group −1", group1(bad(0, 0), 256, quant.Config{GroupSize: -1}), quant.ErrShape, "quant: Config.GroupSize is -1, want 0 or 8 to 2147483647"},
		{"workers", group1(bad(0, 0), 256, quant.Config{Workers: -1}), quant.ErrShape, "quant: Config.Workers is -1, want at least 0"},
		{"type", group1(bad(0, 0), 256, quant.Config{Type: 200}), datatype.ErrUnknown, "datatype: unknown data type 200"},
		{"NaN", group1(bad(3*256+17, nan), 256, quant.Config{}), quant.ErrNotFinite, "quant: weight at row 3, column 17 is NaN"},
		{"Inf", group1(bad(7*256+255, inf), 256, quant.Config{}), quant.ErrNotFinite, "quant: weight at row 7, column 255 is +Inf"},
		{"−Inf", group1(bad(0, -inf), 256, quant.Config{Type: datatype.NVFP4}), quant.ErrNotFinite, "quant: weight at row 0, column 0 is -Inf"},
		{"float64", group1([]float64{1, 1e39}, 2, quant.Config{}), quant.ErrNotFinite, "quant: weight at row 0, column 1 is 1e+39, beyond the range of float32"},
		{"float16", group1([]float16.Float16{0, float16.NaN()}, 1, quant.Config{}), quant.ErrNotFinite, "quant: weight at row 1, column 0 is NaN"},
	} {
		if !errors.Is(tc.err, tc.is) || fmt.Sprint(tc.err) != tc.text {
			t.Errorf("%s: %v, want %q", tc.name, tc.err, tc.text)
		}
	}
}

func group1[T quant.Weight](w []T, cols int, c quant.Config) error {
	m, err := quant.Group(w, cols, c)
	if err != nil && m != nil {
		panic("an error and a matrix")
	}
	return err
}

// TestFirstError checks that the error names the first of many bad weights, at any number
// of workers.
func TestFirstError(t *testing.T) {
	w := make([]float32, 1000*500)
	for i := 123456; i < len(w); i += 997 {
		w[i] = float32(math.NaN())
	}
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.NVFP4} {
		for _, workers := range []int{1, 2, 7} {
			_, err := quant.Group(w, 500, quant.Config{Type: typ, Workers: workers})
			var bad *quant.WeightError
			if !errors.As(err, &bad) || bad.Row != 123456/500 || bad.Col != 123456%500 {
				t.Errorf("%v, %d workers: %v", typ, workers, err)
			}
		}
	}
}

func TestRange(t *testing.T) {
	const huge, tiny = math.MaxFloat32, math.SmallestNonzeroFloat32
	for _, typ := range datatype.Types() {
		for _, w := range [][]float32{
			{huge / 2, -huge / 2, huge / 3, 1}, {tiny, -tiny, 0, 3 * tiny}, {-huge, huge, 1, -huge}, {huge, tiny, 0, -1},
		} {
			m, err := quant.Group(w, len(w), quant.Config{Type: typ, GroupSize: 8})
			if err != nil {
				if !errors.Is(err, quant.ErrNotFinite) || w[0] != huge && w[0] != -huge {
					t.Errorf("%v of %v: %v", typ, w, err)
				}
				continue
			}
			got := make([]float32, len(w))
			if err := m.Dequantize(got); err != nil {
				t.Fatal(err)
			}
			for i, x := range got {
				if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
					t.Errorf("%v of %v: weight %d becomes %v", typ, w, i, x)
				}
			}
		}
	}
}

func TestOutOfRange(t *testing.T) {
	m, err := quant.Group(make([]float32, 512), 256, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range [][2]int{{-1, 0}, {2, 0}, {0, -1}, {0, 2}} {
		r, g := at[0], at[1]
		if m.Codebook(r, g).Len() != 0 || m.Selector(r, g) != -1 || !math.IsNaN(float64(m.Scale(r, g))) || m.ScaleCode(r, g) != 0 {
			t.Errorf("group %v is there", at)
		}
	}
	if !math.IsNaN(float64(m.RowScale(2))) || !math.IsNaN(float64(m.RowScale(-1))) {
		t.Error("row 2 is there")
	}
	for _, err := range []error{
		m.Dequantize(make([]float32, 511)), m.DequantizeRow(make([]float32, 256), 2), m.DequantizeRow(make([]float32, 255), 0), m.Codes(make([]uint8, 257), 1),
	} {
		if !errors.Is(err, quant.ErrShape) {
			t.Errorf("error %v", err)
		}
	}
	var zero quant.Matrix
	if zero.Rows() != 0 || zero.Bytes() != 0 || zero.BitsPerWeight() != 0 || !errors.Is(zero.Dequantize(nil), quant.ErrShape) {
		t.Error("the zero Matrix is not empty")
	}
	if _, err := zero.AppendBinary(nil); !errors.Is(err, quant.ErrShape) {
		t.Errorf("the zero Matrix has a binary form: %v", err)
	}
}

func TestNoAllocation(t *testing.T) {
	m, err := quant.Group(make([]float32, 512), 256, quant.Config{Type: datatype.BitMoD3})
	if err != nil {
		t.Fatal(err)
	}
	dst, codes := make([]float32, 512), make([]uint8, 256)
	if n := testing.AllocsPerRun(10, func() {
		m.Dequantize(dst)
		m.DequantizeRow(dst[:256], 1)
		m.Codes(codes, 1)
		m.Codebook(1, 1)
		m.Scale(1, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestSmallGroups has groups of small weights beside a large one. They must not become
// all zero if one step of the row is nearer.
func TestSmallGroups(t *testing.T) {
	for _, typ := range datatype.Types() {
		if typ.Scale() != datatype.RowStep {
			continue
		}
		w := make([]float32, 256)
		for i := range w {
			w[i] = 1e-3 * float32(1+i%3)
		}
		w[0] = 2
		for _, search := range []bool{false, true} {
			m, err := quant.Group(w, len(w), quant.Config{Type: typ, GroupSize: 128, Search: search})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]float32, len(w))
			if err := m.Dequantize(got); err != nil {
				t.Fatal(err)
			}
			noise, power := 0., 0.
			if float64(m.RowScale(0)) > 2*2e-3 {
				continue // only 0 is near
			}
			for i, x := range got[128:] {
				d := float64(w[128+i] - x)
				noise += d * d
				power += float64(w[128+i]) * float64(w[128+i])
			}
			if noise >= power {
				t.Errorf("%v, search %v: the second group has an error of %g times its own squares", typ, search, noise/power)
			}
		}
	}
}
