package quant_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// matrices are sources of weights, each of a kind that is difficult for search.
var matrices = []struct {
	name string
	next func(r *rand.Rand) float64
}{
	{"normal", func(r *rand.Rand) float64 { return r.NormFloat64() }},
	{"outliers", func(r *rand.Rand) float64 { return r.NormFloat64() * math.Exp(2*r.NormFloat64()) }},
	{"tied", func(r *rand.Rand) float64 { return float64(r.IntN(65)-32) / 4 }},
	{"few values", func(r *rand.Rand) float64 { return float64(r.IntN(3) - 1) }},
	{"sparse", func(r *rand.Rand) float64 { return float64(r.IntN(20)/19) * r.NormFloat64() }},
	{"positive", func(r *rand.Rand) float64 { return r.ExpFloat64() }},
	{"negative", func(r *rand.Rand) float64 { return -1 - r.Float64() }},
	{"subnormal", func(r *rand.Rand) float64 { return float64(r.IntN(4001)-2000) * 0x1p-149 }},
	{"huge", func(r *rand.Rand) float64 { return math.MaxFloat32 * (1.99*r.Float64() - .995) }},
	{"mixed", func(r *rand.Rand) float64 { return math.Ldexp(r.NormFloat64(), r.IntN(200)-150) }},
	{"zero", func(r *rand.Rand) float64 { return 0 }},
}

// importanceKinds are importances by column.
var importanceKinds = []struct {
	name string
	make func(r *rand.Rand, cols int) []float64
}{
	{"none", func(*rand.Rand, int) []float64 { return nil }},
	{"spread", func(r *rand.Rand, cols int) []float64 {
		return each(cols, func(int) float64 { return math.Exp(3 * r.NormFloat64()) })
	}},
	{"some zero", func(r *rand.Rand, cols int) []float64 {
		return each(cols, func(int) float64 { return float64(r.IntN(2)) })
	}},
	{"zero", func(_ *rand.Rand, cols int) []float64 { return make([]float64, cols) }},
	{"one column", func(r *rand.Rand, cols int) []float64 {
		a := make([]float64, cols)
		a[r.IntN(cols)] = 1e300
		return a
	}},
	{"huge", func(r *rand.Rand, cols int) []float64 {
		return each(cols, func(int) float64 { return r.Float64() * 1e300 })
	}},
}

func each(n int, f func(i int) float64) []float64 {
	a := make([]float64, n)
	for i := range a {
		a[i] = f(i)
	}
	return a
}

// noises returns the objective of search for each row: Σ a·(w − ŵ)², with importances a
// scaled to at most about 1, or Σ √(1 + w²/σ²)·(w − ŵ)² without importances.
func noises(t testing.TB, w []float32, m *quant.Matrix, a []float64) []float64 {
	t.Helper()
	var top float64
	for _, x := range a {
		top = max(top, x)
	}
	_, exp := math.Frexp(top)
	got := make([]float32, len(w))
	if err := m.Dequantize(got); err != nil {
		t.Fatal(err)
	}
	sums := make([]float64, m.Rows())
	var inverse float64 // 1/σ²
	for i, x := range w {
		col := i % m.Cols()
		if col%m.GroupSize() == 0 {
			group := w[i:min(i+m.GroupSize(), i-col+m.Cols())]
			var sum float64
			for _, x := range group {
				sum += float64(x) * float64(x)
			}
			if inverse = float64(len(group)) / sum; math.IsInf(inverse, 0) {
				inverse = 0
			}
		}
		e := float64(x) - float64(got[i])
		b := math.Sqrt(1 + float64(float64(x)*float64(x)*inverse))
		if a != nil {
			b = math.Ldexp(a[col], -exp)
		}
		sums[i/m.Cols()] += float64(float64(b*e) * e)
	}
	return sums
}

// checkSearch quantizes with and without search, and compares the rows. It returns
// the noise of all rows without and with search.
func checkSearch(t testing.TB, w []float32, cols int, c quant.Config) (before, after float64) {
	t.Helper()
	c.Search = true
	m, err := quant.Group(w, cols, c)
	others := []quant.Config{{Type: c.Type, GroupSize: c.GroupSize}, {Type: c.Type, GroupSize: c.GroupSize, Importance: c.Importance}}
	var best []float64
	for i, o := range others {
		n, err2 := quant.Group(w, cols, o)
		if err2 != nil {
			return 0, 0 // a dequantized weight overflows, with or without search
		}
		if err != nil {
			t.Fatalf("%v: only with search: %v", c.Type, err)
		}
		e := noises(t, w, n, c.Importance)
		if i == 0 {
			best = e
			continue
		}
		for row := range e {
			best[row] = min(best[row], e[row])
		}
	}
	for row, e := range noises(t, w, m, c.Importance) {
		if !(e <= best[row]) {
			t.Fatalf("%v, row %d: search has an error of %v, selection of %v", m, row, e, best[row])
		}
		before += best[row]
		after += e
	}
	return before, after
}

func TestSearchIsNeverWorse(t *testing.T) {
	for _, typ := range datatype.Types() {
		t.Run(typ.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(21, uint64(typ)))
			for i, src := range matrices {
				if testing.Short() && (i+int(typ))%4 != 0 {
					continue
				}
				for _, imp := range importanceKinds {
					for _, shape := range []struct{ rows, cols, groupSize int }{{2, 200, 64}, {3, 40, 8}, {2, 61, 1 << 10}} {
						if typ.Bits() > 5 && shape.cols > 61 {
							continue
						}
						w := make([]float32, shape.rows*shape.cols)
						for i := range w {
							w[i] = float32(src.next(r))
						}
						clear(w[:8])
						checkSearch(t, w, shape.cols, quant.Config{Type: typ, GroupSize: shape.groupSize, Importance: imp.make(r, shape.cols)})
					}
				}
			}
		})
	}
}

// TestSearchIsBetter checks that search finds better codes of every type for ordinary
// weights.
func TestSearchIsBetter(t *testing.T) {
	for _, typ := range datatype.Types() {
		r := rand.New(rand.NewPCG(23, 24))
		w := normals(r, 8*512)
		a := each(512, func(int) float64 { return r.ExpFloat64() })
		for _, imp := range [][]float64{nil, a} {
			before, after := checkSearch(t, w, 512, quant.Config{Type: typ, Importance: imp})
			t.Logf("%v: %.3f of the error", typ, after/before)
			if !(after < before) {
				t.Errorf("%v: error %v, without search %v", typ, after, before)
			}
		}
	}
}

// TestImportanceMatters checks that errors move away from the columns that count,
// with and without search.
func TestImportanceMatters(t *testing.T) {
	const cols = 256
	r := rand.New(rand.NewPCG(25, 26))
	w := normals(r, 32*cols)
	a := each(cols, func(i int) float64 { return float64(1 + 99*(i%4/3)) })
	for _, typ := range []datatype.Type{datatype.BitMoD3, datatype.BitMoD4, datatype.ANT3, datatype.MXFP4RaZeR, datatype.NVFP4RaZeR} {
		for _, search := range []bool{false, true} {
			var e [2]float64
			for i, imp := range [][]float64{nil, a} {
				m, err := quant.Group(w, cols, quant.Config{Type: typ, Search: search, Importance: imp})
				if err != nil {
					t.Fatal(err)
				}
				rep, err := quant.Measure(w, m, a)
				if err != nil {
					t.Fatal(err)
				}
				e[i] = rep.MSE
			}
			if !(e[1] < e[0]) {
				t.Errorf("%v, search %v: weighted error %v with importance, %v without", typ, search, e[1], e[0])
			}
		}
	}
}

// TestEqualImportance checks that equal importances have no effect, and that search does
// not depend on their size.
func TestEqualImportance(t *testing.T) {
	w := normals(rand.New(rand.NewPCG(27, 28)), 16*300)
	for _, typ := range datatype.Types() {
		for _, search := range []bool{false, true} {
			var want []byte
			for i, a := range [][]float64{nil, each(300, func(int) float64 { return 1 }), each(300, func(int) float64 { return 0x1p-900 }), make([]float64, 300)} {
				if search && i == 0 {
					continue // without importances, search weighs errors by size
				}
				m, err := quant.Group(w, 300, quant.Config{Type: typ, Search: search, Importance: a})
				if err != nil {
					t.Fatal(err)
				}
				// For groups, all importances 0 equal all 1. Whole rows then have no
				// error, and search keeps the result of selection.
				if got := encode(t, m); want == nil {
					want = got
				} else if !bytes.Equal(got, want) && !(search && a[0] == 0) {
					t.Errorf("%v, search %v: importance %v throughout changes the matrix", typ, search, a[0])
				}
			}
		}
	}
}

func TestSearchDigest(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	w := make([]float32, 16*1000)
	for i := range w {
		w[i] = float32((r.Float64() + r.Float64() + r.Float64() + r.Float64() - 2) / 64)
	}
	a := each(1000, func(int) float64 { return r.Float64() * r.Float64() })
	for typ, want := range map[datatype.Type]uint32{
		datatype.BitMoD4:    0x8500ac22,
		datatype.BitMoD3:    0xbbfe88c5,
		datatype.Int4Asym:   0xd3f7c588,
		datatype.NF4:        0x197edf58,
		datatype.MXFP4RaZeR: 0xa59d1972,
		datatype.NVFP4RaZeR: 0x99eda9f4,
	} {
		m, err := quant.Group(w, 1000, quant.Config{Type: typ, Search: true, Importance: a})
		if err != nil {
			t.Fatal(err)
		}
		if got := crc32.ChecksumIEEE(encode(t, m)); got != want {
			t.Errorf("%v: digest %#x, want %#x", typ, got, want)
		}
	}
}

func TestSearchWorkersAgree(t *testing.T) {
	w := normals(rand.New(rand.NewPCG(9, 10)), 301*333)
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.NVFP4, datatype.Int4Asym} {
		workersAgree(t, w, 333, quant.Config{Type: typ, Search: true}, 1, 2, 7)
	}
}

// FuzzSearch checks that search is never worse and that every set of loops finds the same,
// with weights and importances of raw bits.
func FuzzSearch(f *testing.F) {
	for _, typ := range datatype.Types() {
		f.Add(uint8(typ), uint8(8), uint8(20), []byte("0123456789abcdef0123456789abcdef"), []byte("importance"))
		f.Add(uint8(typ), uint8(16), uint8(3), []byte("\x00\x00\x80\x3f\x00\x00\x00\xc0\x00\x00\xc0\x40"), []byte{})
		f.Add(uint8(typ), uint8(200), uint8(8), []byte{1, 0, 0, 0, 2, 0, 0, 0, 250, 128, 127, 0, 64, 255, 255, 127, 127}, []byte{0, 0, 1})
	}
	f.Fuzz(func(t *testing.T, typ, groupSize, cols uint8, data, importance []byte) {
		if !datatype.Type(typ).Valid() || groupSize < 8 || cols == 0 || len(data) > 2048 {
			t.Skip()
		}
		var w []float32
		for ; len(data) >= 4; data = data[4:] {
			x := math.Float32frombits(binary.LittleEndian.Uint32(data))
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				x = 1
			}
			w = append(w, x)
		}
		w = w[:len(w)/int(cols)*int(cols)]
		if len(w) == 0 {
			t.Skip()
		}
		c := quant.Config{Type: datatype.Type(typ), GroupSize: int(groupSize)}
		if len(importance) > 0 {
			c.Importance = each(int(cols), func(i int) float64 {
				b := importance[i%len(importance)]
				return math.Ldexp(float64(b&15), int(b>>4)*8-64)
			})
		}
		checkSearch(t, w, int(cols), c)
		quant.CompareSearchLoops(t, w, int(cols), c)
	})
}

// Compare the options beyond the paper's selection on given weights.
func ExampleConfig() {
	weights := exampleWeights(256, 1024)
	importance := make([]float64, 1024) // from calibration: Hessian.Importance
	for i := range importance {
		importance[i] = 1 + float64(i%16)
	}
	for _, c := range []quant.Config{
		{Type: datatype.BitMoD3},
		{Type: datatype.BitMoD3, Search: true},
		{Type: datatype.BitMoD3, Search: true, Importance: importance},
	} {
		m, err := quant.Group(weights, 1024, c)
		if err != nil {
			panic(err)
		}
		plain, err := quant.Measure(weights, m, nil)
		if err != nil {
			panic(err)
		}
		weighted, err := quant.Measure(weights, m, importance)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%.2f bits, SQNR %.2f dB, weighted %.2f dB\n", m.BitsPerWeight(), plain.SQNR(), weighted.SQNR())
	}
	// Output:
	// 3.11 bits, SQNR 13.25 dB, weighted 13.23 dB
	// 3.11 bits, SQNR 13.73 dB, weighted 13.72 dB
	// 3.11 bits, SQNR 13.75 dB, weighted 14.21 dB
}
