package quant

import (
	"bytes"
	"errors"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"encoding/binary"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/x448/float16"
)

var mixedConfigs = []Config{
	{Type: datatype.BitMoD3, GroupSize: 32}, {Type: datatype.BitMoD4}, {Type: datatype.Int8, GroupSize: 64}, {Type: datatype.NVFP4},
}

// randomMixed returns weights and a matrix of them, with the configuration of each
// row.
func randomMixed(t testing.TB, rows, cols int, seed uint64) (w []float32, of []uint8, m *Mixed) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 5))
	w, of = make([]float32, rows*cols), make([]uint8, rows)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	for i := range of {
		of[i] = uint8(r.IntN(len(mixedConfigs)))
	}
	m, err := GroupMixed(w, cols, of, mixedConfigs)
	if err != nil {
		t.Fatal(err)
	}
	return w, of, m
}

// Rows of a Mixed are those of a Group of the rows of one type.
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
		size := s.rows
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
				if !slices.Equal(got, want) || !slices.Equal(all[row*s.cols:][:s.cols], want) {
					t.Errorf("%v: row %d is not as of its type alone", m, row)
				}
				next++
			}
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
		for row, p := range m.Order() {
			if m.Part(int(p)).Type() != mixedConfigs[of[row]].Type {
				t.Errorf("%v: row %d is %v", m, row, m.Part(int(p)).Type())
			}
		}
	}
	// Half-precision weights, too.
	h := make([]float16.Float16, 8*8)
	for i := range h {
		h[i] = float16.Fromfloat32(float32(i))
	}
	if _, err := GroupMixed(h, 8, make([]uint8, 8), mixedConfigs[1:]); err != nil {
		t.Error(err)
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
		_, err := GroupMixed(test.w, test.cols, test.of, test.configs)
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
	} {
		if _, err := NewMixed(test.parts, test.of); !errors.Is(err, ErrShape) {
			t.Errorf("%v, %d: error %v, want ErrShape", test.parts, test.of, err)
		}
	}
	m, err := NewMixed([]*Matrix{a}, make([]uint8, 4))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		m.Dequantize(make([]float32, 3)), m.DequantizeRow(make([]float32, 40), 4),
		m.DequantizeRow(make([]float32, 40), -1), m.DequantizeRow(make([]float32, 39), 0),
	} {
		if !errors.Is(err, ErrShape) {
			t.Errorf("error %v, want ErrShape", err)
		}
	}
	var zero Mixed
	if zero.BitsPerWeight() != 0 || zero.Rows() != 0 || zero.Parts() != 0 {
		t.Error("the zero Mixed has something")
	}
	if _, err := zero.AppendBinary(nil); !errors.Is(err, ErrShape) {
		t.Errorf("the zero Mixed has a binary form, error %v", err)
	}
}

func TestMixedBinary(t *testing.T) {
	_, _, m := randomMixed(t, 20, 100, 1)
	data, err := m.AppendBinary([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	data = data[len("before"):]
	var back Mixed
	if err := back.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	again, err := back.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, data) {
		t.Error("not the same bytes again")
	}
	got, want := make([]float32, 20*100), make([]float32, 20*100)
	if err := back.Dequantize(got); err != nil {
		t.Fatal(err)
	}
	if err := m.Dequantize(want); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Error("not the same weights again")
	}

	// Any change is noticed, also with a checksum that is right.
	for cut := range data {
		if err := new(Mixed).UnmarshalBinary(data[:cut]); !errors.Is(err, ErrFormat) {
			t.Fatalf("cut at %d: error %v, want ErrFormat", cut, err)
		}
	}
	sum := func(b []byte) []byte {
		end := len(b) - 4
		binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[:end], castagnoli))
		return b
	}
	for i := range mixedHeaderSize + 8*m.Parts() + m.Rows() {
		b := slices.Clone(data)
		b[i] ^= 1
		if err := new(Mixed).UnmarshalBinary(b); !errors.Is(err, ErrFormat) {
			t.Errorf("byte %d changed: error %v, want ErrFormat", i, err)
		}
		if err := new(Mixed).UnmarshalBinary(sum(b)); !errors.Is(err, ErrFormat) {
			t.Errorf("byte %d and checksum changed: error %v, want ErrFormat", i, err)
		}
	}
	if err := new(Mixed).UnmarshalBinary(sum(append(slices.Clone(data), 0))); !errors.Is(err, ErrFormat) {
		t.Errorf("a byte more: error %v, want ErrFormat", err)
	}
}

// sealMixed makes the checksums right, those of the parts, too: they are not what is
// to be found.
func sealMixed(data []byte) {
	seal := func(b []byte) {
		if end := len(b) - 4; end >= 0 {
			binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[:end], castagnoli))
		}
	}
	defer seal(data)
	if len(data) < mixedHeaderSize {
		return
	}
	parts, rows := uint64(binary.LittleEndian.Uint32(data[12:])), binary.LittleEndian.Uint64(data[16:])
	at, size := mixedHeaderSize+8*parts, uint64(len(data))
	if at > size || rows > size-at {
		return
	}
	at += rows
	for i := range parts {
		n := binary.LittleEndian.Uint64(data[mixedHeaderSize+8*i:])
		if n > size-at {
			return
		}
		seal(data[at : at+n])
		at += n
	}
}

func FuzzMixedUnmarshalBinary(f *testing.F) {
	_, _, m := randomMixed(f, 5, 20, 1)
	data, err := m.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:30])
	f.Fuzz(func(t *testing.T, data []byte) {
		data = slices.Clone(data)
		sealMixed(data)
		var m Mixed
		if err := m.UnmarshalBinary(data); err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("error %v, want ErrFormat", err)
			}
			return
		}
		again, err := m.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%v: not the same bytes again, error %v", &m, err)
		}
	})
}
