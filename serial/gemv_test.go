package serial

import (
	"context"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/x448/float16"
)

func randomMatrix(t testing.TB, r *rand.Rand, rows, cols int, c quant.Config) *quant.Matrix {
	t.Helper()
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(r.NormFloat64() * math.Ldexp(1, r.IntN(3)))
	}
	m, err := quant.Group(w, cols, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func randomInt8(r *rand.Rand, n int) []int8 {
	x := make([]int8, n)
	for i := range x {
		x[i] = int8(r.Uint32())
	}
	return x
}

// plainGEMV is the definition of GEMV, from values and scales.
func plainGEMV(m *quant.Matrix, x []int8, blockColumns int) []int64 {
	blocks := (m.Cols() + blockColumns - 1) / blockColumns
	dst := make([]int64, m.Rows()*blocks)
	codes := make([]uint8, m.Cols())
	for row := range m.Rows() {
		m.Codes(codes, row)
		part, _ := m.RowPart(row)
		of := m.Part(part)
		for col, c := range codes {
			g := col / of.GroupSize()
			v := math.Round(float64(m.Codebook(row, g).Value(c)) / float64(of.Type().Unit()))
			dst[row*blocks+col/blockColumns] += int64(m.ScaleCode(row, g)) * int64(v) * int64(x[col])
		}
	}
	return dst
}

// TestMixed checks that rows of several types give what they give in matrices of one
// type.
func TestMixed(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 7))
	const rows, cols = 9, 200
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	of := []uint8{0, 1, 2, 2, 0, 1, 3, 0, 1}
	configs := []quant.Config{{Type: datatype.BitMoD3, GroupSize: 32}, {Type: datatype.BitMoD4}, {Type: datatype.Int8, GroupSize: 48}, {Type: datatype.Int4Asym}}
	m, err := quant.GroupMixed(context.Background(), w, cols, of, configs)
	if err != nil {
		t.Fatal(err)
	}
	x := randomInt8(r, cols)
	h := make([]float16.Float16, cols)
	for i := range h {
		h[i] = float16.Fromfloat32(float32(r.NormFloat64()))
	}
	sums, floats := make([]int64, rows*2), make([]float64, rows)
	stats, err1 := GEMV(sums, m, x, 128)
	_, err2 := GEMVFloat16(floats, m, h, Exact)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if want := plainGEMV(m, x, 128); !slices.Equal(sums, want) {
		t.Errorf("sums %v, want %v", sums, want)
	}
	var element int64
	for row := range rows {
		one, err := quant.Group(w[row*cols:(row+1)*cols], cols, configs[of[row]])
		if err != nil {
			t.Fatal(err)
		}
		a, b := make([]int64, 2), make([]float64, 1)
		s, err1 := GEMV(a, one, x, 128)
		_, err2 := GEMVFloat16(b, one, h, Exact)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a, sums[2*row:2*row+2]) || b[0] != floats[row] {
			t.Errorf("row %d: %v and %v, want %v and %v as alone", row, sums[2*row:2*row+2], floats[row], a, b[0])
		}
		element += s.Element
	}
	if stats.Element != element {
		t.Errorf("%d cycles, want %d", stats.Element, element)
	}
	configs[3].Type = datatype.NF4
	if m, err = quant.GroupMixed(context.Background(), w, cols, of, configs); err != nil {
		t.Fatal(err)
	}
	if _, err := GEMV(sums, m, x, 128); !errors.Is(err, ErrNotBitSerial) {
		t.Errorf("with a row of nf4: error %v", err)
	}
	configs[3].Type = datatype.MXFP4
	if m, err = quant.GroupMixed(context.Background(), w, cols, of, configs); err != nil {
		t.Fatal(err)
	}
	if _, err := GEMVFloat16(floats, m, h, Exact); !errors.Is(err, ErrNotBitSerial) {
		t.Errorf("with a row of mxfp4: error %v", err)
	}
}

func TestGEMV(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 1))
	for _, typ := range datatype.Types() {
		for _, c := range []struct{ rows, cols, group, block int }{
			{3, 256, 128, 128}, {2, 300, 32, 128}, {3, 172, 64, 128}, {2, 130, 48, 128},
			{2, 64, 64, 10}, {1, 9, 16, 128}, {2, 77, 16, 7},
		} {
			m := randomMatrix(t, r, c.rows, c.cols, quant.Config{Type: typ, GroupSize: c.group})
			x := randomInt8(r, c.cols)
			dst := make([]int64, c.rows*((c.cols+c.block-1)/c.block))
			_, err := GEMV(dst, m, x, c.block)
			if typ.Unit() == 0 || typ.Scale() != datatype.RowStep {
				if !errors.Is(err, ErrNotBitSerial) {
					t.Errorf("%v: %v", typ, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range plainGEMV(m, x, c.block) {
				if dst[i] != want {
					t.Fatalf("%v, %+v: sum %d is %d, want %d", typ, c, i, dst[i], want)
				}
				if want != int64(int32(want)) && c.block <= 128 {
					t.Errorf("%v, %+v: sum %d is %d, beyond int32", typ, c, i, want)
				}
			}
		}
	}
}

func TestGEMVStats(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 1))
	for _, c := range []struct {
		typ                    datatype.Type
		rows, cols, group, blk int
		want                   Stats
	}{
		// Two terms, group 128: 64 cycles each, and only the last dequantization is not
		// hidden. INT6 takes 96 cycles, and INT8 128.
		{datatype.BitMoD4, 4, 1024, 128, 128, Stats{32*64 + 8, 32 * 64, 0, 32}},
		{datatype.BitMoD3, 4, 1024, 128, 128, Stats{32*64 + 8, 32 * 64, 0, 32}},
		{datatype.Int6, 4, 1024, 128, 128, Stats{32*96 + 8, 32 * 96, 0, 32}},
		{datatype.Int8, 4, 1024, 128, 128, Stats{32*128 + 8, 32 * 128, 0, 32}},
		// Groups of 8 take 4 cycles, and wait 4 for the dequantizer.
		{datatype.BitMoD4, 2, 64, 8, 128, Stats{16*4 + 15*4 + 8, 16 * 4, 15 * 4, 16}},
		// Groups of 48 in blocks of 128: 48 48 32 | 16 48 48 16, two rows.
		{datatype.BitMoD4, 2, 256, 48, 128, Stats{256 + 8, 256, 0, 14}},
	} {
		m := randomMatrix(t, r, c.rows, c.cols, quant.Config{Type: c.typ, GroupSize: c.group})
		blocks := (c.cols + c.blk - 1) / c.blk
		got, err := GEMV(make([]int64, c.rows*blocks), m, randomInt8(r, c.cols), c.blk)
		if err != nil || got != c.want {
			t.Errorf("%v, group %d: %+v, %v, want %+v", c.typ, c.group, got, err, c.want)
		}
	}
}

// TestGEMVFloat16 compares the exact mode with the matrix product in rational numbers,
// rounded at the end. The other modes differ from it by what the groups lose.
func TestGEMVFloat16(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 1))
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3, datatype.Int6, datatype.Int8Asym, datatype.APoT4, datatype.FP6E3M2, datatype.ANT4} {
		const rows, cols = 3, 300
		m := randomMatrix(t, r, rows, cols, quant.Config{Type: typ, GroupSize: 64})
		x := make([]float16.Float16, cols)
		for i := range x {
			x[i] = half(r.NormFloat64())
		}
		got, codes := make([]float64, rows), make([]uint8, cols)
		exact, err := GEMVFloat16(got, m, x, Exact)
		if err != nil {
			t.Fatal(err)
		}
		for row := range rows {
			sum, abs := new(big.Rat), 0.
			m.Codes(codes, row)
			scale := 1.
			for col, c := range codes {
				g := col / 64
				tab := mustTable(t, m.Codebook(row, g))
				scale = float64(tab.Scale())
				n := 0.
				for _, term := range tab.Terms(c) {
					n += term.Value()
				}
				v := new(big.Rat).SetFloat64(n * float64(m.ScaleCode(row, g)))
				sum.Add(sum, v.Mul(v, bigHalf(x[col])))
				f, _ := v.Float64()
				abs += math.Abs(f)
			}
			scale *= float64(m.RowScale(row))
			if want := ratFloat(sum) * scale; got[row] != want {
				t.Errorf("%v, row %d: %v, want %v", typ, row, got[row], want)
			}
			for _, mode := range []Mode{Paper, Truncate} {
				dst := make([]float64, rows)
				stats, err := GEMVFloat16(dst, m, x, mode)
				if err != nil || stats != exact {
					t.Errorf("%v, %v: %+v, %v, want %+v", typ, mode, stats, err, exact)
				}
				if d := math.Abs(dst[row] - got[row]); d > abs*scale*0x1p-7 || d == 0 {
					t.Errorf("%v, %v, row %d: %v, exactly %v", typ, mode, row, dst[row], got[row])
				}
			}
		}
		x[7] = float16.Inf(-1)
		if _, err := GEMVFloat16(got, m, x, Paper); err != nil || !math.IsNaN(got[0]) || !math.IsNaN(got[2]) {
			t.Errorf("%v: with an infinity %v, %v", typ, got, err)
		}
	}
}

func TestGEMVErrors(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 1))
	m := randomMatrix(t, r, 2, 64, quant.Config{GroupSize: 32})
	dst, x, f, h := make([]int64, 2), make([]int8, 64), make([]float64, 2), make([]float16.Float16, 64)
	for name, err := range map[string]error{
		"nil":      second(GEMV(dst, nil, x, 128)),
		"zero":     second(GEMV(dst, new(quant.Matrix), nil, 128)),
		"x":        second(GEMV(dst, m, x[1:], 128)),
		"dst":      second(GEMV(dst[1:], m, x, 128)),
		"block":    second(GEMV(dst, m, x, 0)),
		"negative": second(GEMV(dst, m, x, -1)),
		"half x":   second(GEMVFloat16(f, m, h[1:], Exact)),
		"half dst": second(GEMVFloat16(f[1:], m, h, Exact)),
	} {
		var shape *quant.ShapeError
		if !errors.Is(err, ErrShape) || !errors.As(err, &shape) || shape.Package != "serial" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := second(GEMVFloat16(f, m, h, 9)); !errors.Is(err, ErrConfig) {
		t.Errorf("mode: %v", err)
	}
	big := make([]int64, 2)
	if _, err := GEMV(big, m, x, math.MaxInt); err != nil {
		t.Errorf("one huge block: %v", err)
	}
}

func second(_ Stats, err error) error { return err }

const benchSize = 4096

// benchMatrix is square, with rows that repeat after 64.
func benchMatrix(b *testing.B, typ datatype.Type) *quant.Matrix {
	r := rand.New(rand.NewPCG(15, 1))
	w := make([]float32, benchSize*64)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	m, err := quant.Group(slices.Repeat(w, benchSize/64), benchSize, quant.Config{Type: typ})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func BenchmarkGEMV(b *testing.B) {
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3, datatype.Int6, datatype.Int8} {
		b.Run(typ.String(), func(b *testing.B) {
			m := benchMatrix(b, typ)
			dst, x := make([]int64, benchSize*benchSize/128), randomInt8(rand.New(rand.NewPCG(16, 1)), benchSize)
			for b.Loop() {
				if _, err := GEMV(dst, m, x, 128); err != nil {
					b.Fatal(err)
				}
			}
		})
		if typ != datatype.BitMoD4 {
			continue
		}
		b.Run(typ.String()+"/float16", func(b *testing.B) {
			m := benchMatrix(b, typ)
			dst, x := make([]float64, benchSize), make([]float16.Float16, benchSize)
			for i := range x {
				x[i] = half(float64(i%100) / 16)
			}
			for b.Loop() {
				if _, err := GEMVFloat16(dst, m, x, Exact); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzGEMV compares matrices of any type and shape with the definition by values and
// scales.
func FuzzGEMV(f *testing.F) {
	f.Add([]byte("some weights, some activations, not many of them"), uint8(0), uint8(3), uint8(16), uint8(10))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255}, uint8(40), uint8(1), uint8(8), uint8(128))
	f.Fuzz(func(t *testing.T, data []byte, typ, rows, group, block uint8) {
		n := max(1, int(rows%5))
		cols := len(data) / (n + 1)
		if cols == 0 {
			return
		}
		types := datatype.Types()
		c := quant.Config{Type: types[int(typ)%len(types)], GroupSize: max(8, int(group))}
		w := make([]float32, n*cols)
		for i := range w {
			w[i] = float32(int8(data[i])) * float32(1+i%3)
		}
		m, err := quant.Group(w, cols, c)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]int8, cols)
		for i := range x {
			x[i] = int8(data[n*cols+i])
		}
		b := max(1, int(block))
		dst := make([]int64, n*((cols+b-1)/b))
		if _, err = GEMV(dst, m, x, b); errors.Is(err, ErrNotBitSerial) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range plainGEMV(m, x, b) {
			if dst[i] != want {
				t.Fatalf("%v, %d × %d: sum %d is %d, want %d", m, n, cols, i, dst[i], want)
			}
		}
	})
}
