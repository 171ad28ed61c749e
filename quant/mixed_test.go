package quant

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/x448/float16"
)

var mixedConfigs = []Config{
	{Type: datatype.BitMoD3, GroupSize: 32}, {Type: datatype.BitMoD4}, {Type: datatype.Int8, GroupSize: 64}, {Type: datatype.NVFP4},
}

// randomMixed returns weights and a matrix of them, with the configuration of each
// row.
func randomMixed(t testing.TB, rows, cols int, seed uint64) (w []float32, of []uint8, m *Matrix) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 5))
	w, of = make([]float32, rows*cols), make([]uint8, rows)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	for i := range of {
		of[i] = uint8(r.IntN(len(mixedConfigs)))
	}
	m, err := GroupMixed(context.Background(), w, cols, of, mixedConfigs)
	if err != nil {
		t.Fatal(err)
	}
	return w, of, m
}

// Rows of several types equal rows that Group makes of each type alone.
func TestGroupMixed(t *testing.T) {
	for seed, s := range []struct{ rows, cols int }{{1, 1}, {2, 100}, {30, 200}, {100, 64}} {
		w, of, m := randomMixed(t, s.rows, s.cols, uint64(seed))
		if m.Rows() != s.rows || m.Cols() != s.cols {
			t.Fatalf("%d×%d, want %d×%d", m.Rows(), m.Cols(), s.rows, s.cols)
		}
		all := make([]float32, len(w))
		if err := m.Dequantize(all); err != nil {
			t.Fatal(err)
		}
		size := 0
		for i, c := range mixedConfigs {
			var part []float32
			for row, p := range of {
				if int(p) == i {
					part = append(part, w[row*s.cols:][:s.cols]...)
				}
			}
			if part == nil {
				continue
			}
			q, err := Group(part, s.cols, c)
			if err != nil {
				t.Fatal(err)
			}
			size += q.Bytes()
			next := 0
			got, want := make([]float32, s.cols), make([]float32, s.cols)
			for row, p := range of {
				if int(p) != i {
					continue
				}
				if err := q.DequantizeRow(want, next); err != nil {
					t.Fatal(err)
				}
				if err := m.DequantizeRow(got, row); err != nil {
					t.Fatal(err)
				}
				checkRow(t, m, row, q, next)
				if !slices.Equal(got, want) || !slices.Equal(all[row*s.cols:][:s.cols], want) {
					t.Errorf("%v: row %d is not as of its type alone", m, row)
				}
				next++
			}
		}
		if m.Parts() > 1 { // the order, and the places of its rows
			size += s.rows + 4*m.Parts()*((s.rows-1)/(64*m.Parts()))
		}
		if m.Bytes() != size {
			t.Errorf("%v: %d bytes, want %d", m, m.Bytes(), size)
		}
		if got, want := m.BitsPerWeight(), 8*float64(size)/float64(len(w)); got != want {
			t.Errorf("%v: %v bits a weight, want %v", m, got, want)
		}
		rows := 0
		for i := range m.Parts() {
			rows += m.Part(i).Rows()
		}
		if rows != s.rows || m.Part(m.Parts()) != nil || m.Part(-1) != nil {
			t.Errorf("%v: parts have %d rows", m, rows)
		}
		for row := range s.rows {
			p, at := m.RowPart(row)
			if c := mixedConfigs[of[row]]; m.Part(p).Type() != c.Type || at < 0 || at >= m.Part(p).Rows() {
				t.Errorf("%v: row %d is row %d of %v", m, row, at, m.Part(p))
			}
		}
	}
	// Half-precision weights, too.
	h := make([]float16.Float16, 8*8)
	for i := range h {
		h[i] = float16.Fromfloat32(float32(i))
	}
	if _, err := GroupMixed(context.Background(), h, 8, make([]uint8, 8), mixedConfigs[1:]); err != nil {
		t.Error(err)
	}
}

// checkRow checks that all methods with a row argument return for a row of m the same as
// for row at of part.
func checkRow(t *testing.T, m *Matrix, row int, part *Matrix, at int) {
	t.Helper()
	got, want := make([]uint8, m.Cols()), make([]uint8, m.Cols())
	if err := errors.Join(m.Codes(got, row), part.Codes(want, at)); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v: row %d has other codes, error %v", m, row, err)
	}
	if m.RowScale(row) != part.RowScale(at) {
		t.Errorf("%v: row %d has scale %v, want %v", m, row, m.RowScale(row), part.RowScale(at))
	}
	for g := range part.Groups() {
		if m.Selector(row, g) != part.Selector(at, g) || m.ScaleCode(row, g) != part.ScaleCode(at, g) ||
			m.Scale(row, g) != part.Scale(at, g) || !slices.Equal(m.Codebook(row, g).Values(), part.Codebook(at, g).Values()) {
			t.Errorf("%v: row %d, group %d: another group than in a matrix of its type", m, row, g)
		}
	}
	checkAbsent(t, m, row, -1)
	checkAbsent(t, m, row, part.Groups())
}

// checkAbsent checks the methods of m for a group that does not exist.
func checkAbsent(t *testing.T, m *Matrix, row, group int) {
	t.Helper()
	if s := m.Scale(row, group); m.Selector(row, group) != -1 || m.ScaleCode(row, group) != 0 || s == s || m.Codebook(row, group).Len() != 0 {
		t.Errorf("%v has a group %d in row %d", m, group, row)
	}
}

// TestMixedWhole checks the methods about the whole matrix.
func TestMixedWhole(t *testing.T) {
	w := normalWeights(200*100, 1)
	of := make([]uint8, 200)
	for i := range of {
		of[i] = uint8(i % 2)
	}
	for _, test := range []struct {
		a, b              Config
		parts             int
		typ               datatype.Type
		groupSize, groups int
		text              string
	}{
		{Config{}, Config{}, 1, datatype.BitMoD4, 128, 1, "200×100 bitmod4, group 128, 4.480 bits/weight"},
		{Config{}, Config{Search: true}, 1, datatype.BitMoD4, 128, 1, "200×100 bitmod4, group 128, 4.480 bits/weight"},
		{Config{}, Config{Type: datatype.Int8}, 2, several, 128, 1, "200×100 mixed, group 128, 6.523 bits/weight; 100 rows bitmod4; 100 rows int8"},
		{Config{}, Config{GroupSize: 64}, 2, several, 0, 0, "200×100 mixed, 4.603 bits/weight; 100 rows bitmod4 in groups of 128; 100 rows bitmod4 in groups of 64"},
		{Config{GroupSize: 100}, Config{GroupSize: 200}, 2, several, 0, 1, ""},
	} {
		m, err := GroupMixed(context.Background(), w, 100, of, []Config{test.a, test.b})
		if err != nil {
			t.Fatal(err)
		}
		if m.Parts() != test.parts || m.Type() != test.typ || m.GroupSize() != test.groupSize || m.Groups() != test.groups {
			t.Errorf("%v: %d parts of %v, group size %d, groups %d", m, m.Parts(), m.Type(), m.GroupSize(), m.Groups())
		}
		if test.text != "" && m.String() != test.text {
			t.Errorf("it is %v, want %s", m, test.text)
		}
		if one := test.parts == 1; m.Type().Valid() != one || (m.Order() == nil) != one || (len(m.Storage().Codes) > 0) != one || one && m.Part(0) != m {
			t.Errorf("%v: Type, Order, Storage or Part say something else", m)
		}
		if m.Part(-1) != nil || m.Part(m.Parts()) != nil {
			t.Errorf("%v has more parts than it has", m)
		}
		for _, row := range []int{-1, 200, math.MinInt, math.MaxInt} {
			if p, at := m.RowPart(row); p != -1 || at != -1 {
				t.Errorf("%v has row %d", m, row)
			}
			if s := m.RowScale(row); s == s {
				t.Errorf("%v: row %d has scale %v", m, row, s)
			}
			checkAbsent(t, m, row, 0)
			if err := m.Codes(make([]uint8, 100), row); !errors.Is(err, ErrShape) {
				t.Errorf("%v: codes of row %d: %v", m, row, err)
			}
		}
	}
	var zero Matrix
	if p, at := zero.RowPart(0); zero.Parts() != 0 || zero.Part(0) != nil || p != -1 || at != -1 || zero.Order() != nil {
		t.Error("the zero Matrix has parts")
	}
	if several.Valid() {
		t.Errorf("%v is a type", several)
	}
}

func normalWeights(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 6))
	w := make([]float32, n)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	return w
}

// TestRowPart compares with counting, up to the largest number of parts.
func TestRowPart(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, n := range []int{1, 2, 3, 100, maxParts} {
		configs := make([]Config, n)
		for i := range configs {
			configs[i].GroupSize = 8 + i
		}
		of := make([]uint8, 300+2*64*n)
		for i := range of {
			if of[i] = uint8(r.IntN(n)); i >= 64*n && i < 2*64*n {
				of[i] = 0
			}
		}
		m, err := GroupMixed(context.Background(), make([]float32, 8*len(of)), 8, of, configs)
		if err != nil {
			t.Fatal(err)
		}
		if m.Parts() != n {
			t.Fatalf("%d parts, want %d", m.Parts(), n)
		}
		counts := make([]int, n)
		for row := range of {
			p, at := m.RowPart(row)
			if m.Part(p).GroupSize() != configs[of[row]].GroupSize || at != counts[p] || n > 1 && int(m.Order()[row]) != p {
				t.Fatalf("row %d is row %d of part %d", row, at, p)
			}
			counts[p]++
		}
		if a := testing.AllocsPerRun(10, func() { m.RowPart(len(of) - 1) }); a != 0 {
			t.Errorf("RowPart allocates %v times", a)
		}
	}
}

// TestMixedCanonical puts the same rows together in many ways.
func TestMixedCanonical(t *testing.T) {
	const rows, cols = 40, 48
	w, of, want := randomMixed(t, rows, cols, 7)
	data, err := want.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(8, 8))
	for range 20 {
		// The parts in any order, each cut into several.
		var parts []*Matrix
		numbers := make([]uint8, rows)
		for _, i := range r.Perm(len(mixedConfigs)) {
			cuts := 1 + r.IntN(3)
			if mixedConfigs[i].Type == datatype.NVFP4 {
				cuts = 1 // the scale of the tensor
			}
			var cut [3][]int
			for row, c := range of {
				if int(c) == i {
					k := r.IntN(cuts)
					cut[k] = append(cut[k], row)
				}
			}
			for _, in := range cut {
				var part []float32
				for _, row := range in {
					part = append(part, w[row*cols:][:cols]...)
					numbers[row] = uint8(len(parts))
				}
				if part == nil {
					continue
				}
				m, err := Group(part, cols, mixedConfigs[i])
				if err != nil {
					t.Fatal(err)
				}
				parts = append(parts, m)
			}
		}
		m, err := NewMixed(parts, numbers)
		if err != nil {
			t.Fatal(err)
		}
		clear(numbers) // m has a copy
		if got, err := m.MarshalBinary(); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%v of %d parts is not %v, error %v", m, len(parts), want, err)
		}
	}
	// Parts of an NV type stay apart if their scales differ, and are merged otherwise.
	nv := Config{Type: datatype.NVFP4RaZeR}
	a, err1 := Group(w[:cols], cols, nv)
	b, err2 := Group(w[cols:3*cols], cols, nv)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		b    *Matrix
		n    int
		rows []uint8
	}{{a, 1, []uint8{1, 0}}, {b, 2, []uint8{1, 0, 1}}} {
		m, err := NewMixed([]*Matrix{a, test.b}, test.rows)
		if err != nil || m.Parts() != test.n {
			t.Fatalf("%v, error %v, want %d parts", m, err, test.n)
		}
		for row := range test.rows {
			checkRow(t, m, row, []*Matrix{a, test.b}[test.rows[row]], row/2)
		}
	}
}

// TestMixedMeasure compares measures of rows of several types with those of each type
// alone.
func TestMixedMeasure(t *testing.T) {
	w, of, m := randomMixed(t, 30, 72, 3)
	h, err := NewHessian(72)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Add(normalWeights(72*100, 2)); err != nil {
		t.Fatal(err)
	}
	rep, err1 := Measure(w, m, h.Importance())
	outs, err2 := OutputErrors(w, m, h)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if rep.Choices != nil {
		t.Errorf("%v: groups %v", m, rep.Choices)
	}
	for i := range mixedConfigs {
		var part []float32
		var in []int
		for row, c := range of {
			if int(c) == i {
				part = append(part, w[row*72:][:72]...)
				in = append(in, row)
			}
		}
		q, err := Group(part, 72, mixedConfigs[i])
		if err != nil {
			t.Fatal(err)
		}
		alone, err1 := Measure(part, q, h.Importance())
		errs, err2 := OutputErrors(part, q, h)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		for at, row := range in {
			if rep.Rows[row] != alone.Rows[at] || outs[row] != errs[at] {
				t.Errorf("%v: row %d has other errors than in a matrix of its type", m, row)
			}
		}
	}
}

func TestMixedErrors(t *testing.T) {
	w := make([]float32, 40*4)
	of := []uint8{0, 1, 2, 1}
	bad := slices.Clone(w)
	bad[3*40+7] = float32(math.NaN())
	for _, test := range []struct {
		name    string
		w       []float32
		cols    int
		of      []uint8
		configs []Config
		want    error
	}{
		{"no configs", w, 40, of, nil, ErrShape},
		{"too many configs", w, 40, of, make([]Config, 257), ErrShape},
		{"no columns", w, 0, of, mixedConfigs, ErrShape},
		{"no rows", nil, 40, nil, mixedConfigs, ErrShape},
		{"too few rows", w, 40, of[:3], mixedConfigs, ErrShape},
		{"no such config", w, 40, of, mixedConfigs[:2], ErrShape},
		{"group size", w, 40, of, []Config{{}, {GroupSize: 1}, {}}, ErrShape},
		{"type", w, 40, of, []Config{{}, {Type: 255}, {}}, datatype.ErrUnknown},
		{"NaN", bad, 40, of, mixedConfigs, ErrNotFinite},
	} {
		_, err := GroupMixed(context.Background(), test.w, test.cols, test.of, test.configs)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", test.name, err, test.want)
		}
		var at *WeightError
		if test.name == "NaN" && (!errors.As(err, &at) || at.Row != 3 || at.Col != 7) {
			t.Errorf("error %v, want row 3, column 7", err)
		}
	}

	a, err := Group(w, 40, Config{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Group(w, 80, Config{})
	if err != nil {
		t.Fatal(err)
	}
	mixed, err := GroupMixed(context.Background(), w, 40, of, mixedConfigs)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		parts []*Matrix
		of    []uint8
	}{
		{nil, nil},
		{make([]*Matrix, 257), of},
		{[]*Matrix{nil}, of},
		{[]*Matrix{{}}, nil},
		{[]*Matrix{a}, []uint8{0, 0, 0}},
		{[]*Matrix{a}, []uint8{0, 0, 0, 1}},
		{[]*Matrix{a, b}, []uint8{0, 0, 0, 1, 0, 1}},
		{[]*Matrix{mixed}, make([]uint8, 4)},
		{[]*Matrix{a, {}}, make([]uint8, 4)},
	} {
		if _, err := NewMixed(test.parts, test.of); !errors.Is(err, ErrShape) {
			t.Errorf("%v, %d: error %v, want ErrShape", test.parts, test.of, err)
		}
	}
	if m, err := NewMixed([]*Matrix{a}, make([]uint8, 4)); err != nil || m != a {
		t.Errorf("a single part is not the result: %v, error %v", m, err)
	}
	for _, err := range []error{
		mixed.Dequantize(make([]float32, 3)), mixed.DequantizeRow(make([]float32, 40), 4),
		mixed.DequantizeRow(make([]float32, 40), -1), mixed.DequantizeRow(make([]float32, 39), 0),
		mixed.Codes(make([]uint8, 41), 0),
	} {
		if !errors.Is(err, ErrShape) {
			t.Errorf("error %v, want ErrShape", err)
		}
	}
	if _, err := Measure(w[1:], mixed, nil); !errors.Is(err, ErrShape) {
		t.Errorf("Measure of fewer weights: error %v, want ErrShape", err)
	}
}

// sealed sets the right checksum.
func sealed(b []byte) []byte {
	end := len(b) - 4
	binary.LittleEndian.PutUint32(b[end:], checksum(b[:end]))
	return b
}

func TestMixedBinary(t *testing.T) {
	_, _, m := randomMixed(t, 20, 100, 1)
	data, err := m.AppendBinary([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	data = data[len("before"):]
	var back Matrix
	if err := back.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	again, err := back.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, data) || back.Bytes() != m.Bytes() || back.String() != m.String() {
		t.Errorf("%v came back as %v", m, &back)
	}
	got, want := make([]float32, 20*100), make([]float32, 20*100)
	if err := errors.Join(back.Dequantize(got), m.Dequantize(want)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Error("not the same weights again")
	}

	// Any change is an error, also with the right checksum.
	for cut := range data {
		if err := new(Matrix).UnmarshalBinary(data[:cut]); !errors.Is(err, ErrFormat) {
			t.Fatalf("cut at %d: error %v, want ErrFormat", cut, err)
		}
		if cut > 4 {
			if err := new(Matrix).UnmarshalBinary(sealed(slices.Clone(data[:cut]))); !errors.Is(err, ErrFormat) {
				t.Fatalf("cut at %d with a checksum: error %v, want ErrFormat", cut, err)
			}
		}
	}
	for i := range 8 * len(data) {
		b := slices.Clone(data)
		b[i/8] ^= 1 << (i % 8)
		if err := new(Matrix).UnmarshalBinary(b); !errors.Is(err, ErrFormat) {
			t.Errorf("bit %d changed: error %v, want ErrFormat", i, err)
		}
	}
	if err := new(Matrix).UnmarshalBinary(sealed(append(slices.Clone(data), 0))); !errors.Is(err, ErrFormat) {
		t.Errorf("a byte more: error %v, want ErrFormat", err)
	}
}

// TestMixedBinaryHostile reads headers, orders and contents that no writer makes, with
// the right checksum.
func TestMixedBinaryHostile(t *testing.T) {
	w := normalWeights(4*40, 5)
	m, err := GroupMixed(context.Background(), w, 40, []uint8{0, 1, 0, 1}, []Config{{Type: datatype.Int3, GroupSize: 16}, {Type: datatype.BitMoD4, GroupSize: 16}})
	if err != nil {
		t.Fatal(err)
	}
	good, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	const table, order, first = 32, 32 + 2*20, 32 + 2*20 + 4
	const second = first + 2*(4+3+15) // of int3: 40 columns of 3 bits are 15 bytes
	if want := second + 2*(4+3+1+20) + 4; len(good) != want {
		t.Fatalf("%d bytes, want %d", len(good), want)
	}
	u32 := func(b []byte, x uint32) { binary.LittleEndian.PutUint32(b, x) }
	u64 := func(b []byte, x uint64) { binary.LittleEndian.PutUint64(b, x) }
	for _, test := range []struct {
		name   string
		offset int64
		change func(b []byte)
	}{
		{"no parts", 12, func(b []byte) { u32(b[12:], 0) }},
		{"one part", 12, func(b []byte) { u32(b[12:], 1) }},
		{"257 parts", 12, func(b []byte) { u32(b[12:], 257) }},
		{"2^32−1 parts", 12, func(b []byte) { u32(b[12:], 1<<32-1) }},
		{"256 parts", int64(len(good)), func(b []byte) { u32(b[12:], 256) }},
		{"no rows", 16, func(b []byte) { u64(b[16:], 0) }},
		{"2^60 rows", 16, func(b []byte) { u64(b[16:], 1<<60) }},
		{"2^64−1 rows", 16, func(b []byte) { u64(b[16:], 1<<64-1) }},
		{"150 rows", int64(len(good)), func(b []byte) { u64(b[16:], 150) }},
		{"no columns", 24, func(b []byte) { u64(b[24:], 0) }},
		{"2^64−1 columns", 24, func(b []byte) { u64(b[24:], 1<<64-1) }},
		{"200 columns", int64(len(good)), func(b []byte) { u64(b[24:], 200) }},
		{"group size 7", table, func(b []byte) { u32(b[table:], 7) }},
		{"group size 2^31", table + 20, func(b []byte) { u32(b[table+20:], 1<<31) }},
		{"type", table + 24, func(b []byte) { b[table+24] = 'A' }},
		{"type padding", table + 4, func(b []byte) { b[table+19] = 'x' }},
		{"no such part", order + 2, func(b []byte) { b[order+2] = 2 }},
		{"part 255", order + 3, func(b []byte) { b[order+3] = 255 }},
		{"part 1 first", order, func(b []byte) { copy(b[order:], []byte{1, 0, 0, 1}) }},
		{"part 1 of no row", order, func(b []byte) { clear(b[order : order+4]) }},
		{"NaN step", first, func(b []byte) { u32(b[first:], 0x7fc00000) }},
		{"code 7 of int3", first + 8 + 6, func(b []byte) { b[first+8+6] |= 7 }},
		{"infinite step", second + 4, func(b []byte) { u32(b[second+4:], 0x7f800000) }},
		{"selector padding", second + 8 + 6, func(b []byte) { b[second+8+6] |= 0x40 }},
	} {
		b := slices.Clone(good)
		test.change(b)
		got := *m
		err := got.UnmarshalBinary(sealed(b))
		var bad *FormatError
		if !errors.As(err, &bad) || bad.Offset != test.offset {
			t.Errorf("%s: %v, want an error at byte %d", test.name, err, test.offset)
		}
		if got.mixed != m.mixed || got.layout != m.layout {
			t.Errorf("%s: the matrix changed", test.name)
		}
	}
}

// TestMixedBinaryAlike has parts that should be one part, which has a shorter form.
func TestMixedBinaryAlike(t *testing.T) {
	w := normalWeights(4*32, 5)
	for _, test := range []struct {
		a, b datatype.Type // of as many bytes
		want bool
	}{
		{datatype.FP4, datatype.Int4, true}, {datatype.FP4, datatype.FP4, false},
		{datatype.NVFP4, datatype.NVFP4, true}, {datatype.MXFP4, datatype.MXFP4, false},
	} {
		a, err1 := Group(w[:64], 32, Config{Type: test.a})
		b, err2 := Group(w[64:], 32, Config{Type: test.b})
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		x := newMixed([]*Matrix{a, b}, []uint8{0, 1, 1, 0})
		data, err := x.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		err = new(Matrix).UnmarshalBinary(data)
		var bad *FormatError
		if test.want != (err == nil) || err != nil && (!errors.As(err, &bad) || bad.Offset != mixedHeaderSize+typeSize) {
			t.Errorf("parts of %v and %v: error %v", test.a, test.b, err)
		}
	}
}

func TestMixedHostileHeaderDoesNotAllocate(t *testing.T) {
	_, _, m := randomMixed(t, 20, 100, 1)
	good, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for _, shape := range [][2]uint64{{1, 1 << 60}, {1 << 60, 1}, {1 << 31, 1 << 31}, {20, 4000}, {20, 1e4}, {2000, 1}} {
		b := slices.Clone(good)
		binary.LittleEndian.PutUint64(b[16:], shape[0])
		binary.LittleEndian.PutUint64(b[24:], shape[1])
		sealed(b)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := new(Matrix).UnmarshalBinary(b)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrFormat) || n > 64<<10 {
			t.Errorf("%d×%d: %v, after allocating %d bytes", shape[0], shape[1], err, n)
		}
	}
}

// TestGroupMixedFeedback checks that several types of rows share a factored Hessian and
// have the codes of each type alone, also with different options of feedback.
func TestGroupMixedFeedback(t *testing.T) {
	const rows, cols = 24, 40
	r := rand.New(rand.NewPCG(12, 1))
	h, err := NewHessian(cols)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 3*cols*cols)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	if err := h.Add(x); err != nil {
		t.Fatal(err)
	}
	w, of := make([]float32, rows*cols), make([]uint8, rows)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	configs := []Config{
		{Type: datatype.BitMoD3, GroupSize: 16, Feedback: &Feedback{Hessian: h}},
		{Type: datatype.BitMoD4, GroupSize: 16, Search: true, Feedback: &Feedback{Hessian: h}},
		{Type: datatype.Int8, Feedback: &Feedback{Hessian: h, ActOrder: true}},
		{Type: datatype.FP5E2M2, Feedback: &Feedback{Hessian: h, ActOrder: true, Sweeps: 1}},
		{Type: datatype.Int6},
	}
	for i := range of {
		of[i] = uint8(i * 7 % len(configs))
	}
	m, err := GroupMixed(context.Background(), w, cols, of, configs)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, cols)
	want := make([]float32, cols)
	for i, c := range configs {
		var part []float32
		for row, p := range of {
			if int(p) == i {
				part = append(part, w[row*cols:][:cols]...)
			}
		}
		alone, err := Group(part, cols, c)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for row, p := range of {
			if int(p) != i {
				continue
			}
			if err := errors.Join(m.DequantizeRow(got, row), alone.DequantizeRow(want, n)); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("row %d, of %v, is another among others", row, c.Type)
			}
			n++
		}
	}
}
