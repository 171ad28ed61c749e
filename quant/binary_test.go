package quant_test

import (
	"bytes"
	"context"
	"encoding"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

var (
	_ encoding.BinaryAppender    = (*quant.Matrix)(nil)
	_ encoding.BinaryMarshaler   = (*quant.Matrix)(nil)
	_ encoding.BinaryUnmarshaler = (*quant.Matrix)(nil)
)

func TestBinaryRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, typ := range datatype.Types() {
		for _, cols := range []int{1, 40, 172, 512} {
			m, err := quant.Group(normals(r, 3*cols), cols, quant.Config{Type: typ, GroupSize: 32})
			if err != nil {
				t.Fatal(err)
			}
			data, err := m.AppendBinary([]byte("prefix"))
			if err != nil || !bytes.HasPrefix(data, []byte("prefix")) {
				t.Fatal(err)
			}
			data = data[len("prefix"):]
			var back quant.Matrix
			if err := back.UnmarshalBinary(data); err != nil {
				t.Fatalf("%v: %v", m, err)
			}
			if back.String() != m.String() || !bytes.Equal(encode(t, &back), data) {
				t.Fatalf("%v came back as %v", m, &back)
			}
			clear(data) // the matrix must not keep a part of it
			if !bytes.Equal(encode(t, &back), encode(t, m)) {
				t.Fatal("the matrix changed with the data that it was read from")
			}
			made, err := quant.New(m.Type(), m.GroupSize(), m.Rows(), m.Cols(), m.Storage())
			if err != nil || !bytes.Equal(encode(t, made), encode(t, m)) {
				t.Fatalf("New of the parts of %v: %v", m, err)
			}
		}
	}
}

// TestBinaryDamage changes every bit, cuts at every length, and adds bytes.
func TestBinaryDamage(t *testing.T) {
	w := normals(rand.New(rand.NewPCG(2, 2)), 2*70)
	m, err := quant.Group(w, 70, quant.Config{Type: datatype.BitMoD3, GroupSize: 16})
	if err != nil {
		t.Fatal(err)
	}
	good := encode(t, m)
	rejects := func(what string, at int, data []byte) {
		t.Helper()
		got := *m
		err := got.UnmarshalBinary(data)
		var fe *quant.FormatError
		if !errors.Is(err, quant.ErrFormat) || !errors.As(err, &fe) {
			t.Fatalf("%s %d: error %v", what, at, err)
		}
		if fe.Offset < 0 || fe.Offset > int64(len(data)) {
			t.Fatalf("%s %d: offset %d of %d bytes", what, at, fe.Offset, len(data))
		}
		if !bytes.Equal(encode(t, &got), good) {
			t.Fatalf("%s %d: the matrix changed", what, at)
		}
	}
	for n := range good {
		rejects("cut to", n, good[:n])
	}
	for i := range 8 * len(good) {
		bad := bytes.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		rejects("flipped bit", i, bad)
	}
	for _, n := range []int{1, 4, 100} {
		rejects("bytes added:", n, append(bytes.Clone(good), make([]byte, n)...))
	}
}

// seal sets the right checksum.
func seal(data []byte) []byte {
	end := len(data) - 4
	binary.LittleEndian.PutUint32(data[end:], crc32.Checksum(data[:end], crc32.MakeTable(crc32.Castagnoli)))
	return data
}

// TestBinaryHostile reads headers and contents that no writer makes, with the right
// checksum.
func TestBinaryHostile(t *testing.T) {
	m, err := quant.Group(make([]float32, 2*40), 40, quant.Config{Type: datatype.ANT3, GroupSize: 16})
	if err != nil {
		t.Fatal(err)
	}
	good := encode(t, m) // 48 header, 8 row scales, 6 scales, 2 selectors, 2·15 codes, 4 checksum
	if len(good) != 48+8+6+2+30+4 {
		t.Fatalf("%d bytes", len(good))
	}
	u32 := func(b []byte, x uint32) { binary.LittleEndian.PutUint32(b, x) }
	u64 := func(b []byte, x uint64) { binary.LittleEndian.PutUint64(b, x) }
	for _, tc := range []struct {
		name   string
		offset int64
		change func(b []byte)
	}{
		{"version 0", 8, func(b []byte) { u32(b[8:], 0) }},
		{"version 2", 16, func(b []byte) { u32(b[8:], 2) }}, // the name of the type is not a number of rows
		{"version 3", 8, func(b []byte) { u32(b[8:], 3) }},
		{"group size 0", 12, func(b []byte) { u32(b[12:], 0) }},
		{"group size 7", 12, func(b []byte) { u32(b[12:], 7) }},
		{"group size 2^31", 12, func(b []byte) { u32(b[12:], 1<<31) }},
		{"type", 16, func(b []byte) { b[16] = 'A' }},
		{"type padding", 16, func(b []byte) { b[31] = 'x' }},
		{"no rows", 32, func(b []byte) { u64(b[32:], 0) }},
		{"2^60 rows", 32, func(b []byte) { u64(b[32:], 1<<60) }},
		{"2^64−1 rows", 32, func(b []byte) { u64(b[32:], 1<<64-1) }},
		{"90 rows", 98, func(b []byte) { u64(b[32:], 90) }},
		{"no columns", 40, func(b []byte) { u64(b[40:], 0) }},
		{"2^60 columns", 40, func(b []byte) { u64(b[40:], 1<<60) }},
		{"2^64−1 columns", 40, func(b []byte) { u64(b[40:], 1<<64-1) }},
		{"2^62 columns", 40, func(b []byte) { u64(b[40:], 1<<62) }},
		{"200 columns", 98, func(b []byte) { u64(b[40:], 200) }},
		{"8 columns", 48 + 8 + 2 + 2 + 6 + 4, func(b []byte) { u64(b[40:], 8) }},
		{"NaN step", 48, func(b []byte) { u32(b[48:], 0x7fc00000) }},
		{"infinite step", 52, func(b []byte) { u32(b[52:], 0x7f800000) }},
		{"negative step", 48, func(b []byte) { u32(b[48:], 0x80000000) }},
		{"selector padding", 62, func(b []byte) { b[62] = 8 }},
		{"code 7 of int3", 64, func(b []byte) { b[64] = 7 }},
		{"code padding", 64 + 15, func(b []byte) { b[64+15+2*5+4] = 0x80 }},
	} {
		if tc.name == "code padding" {
			continue // checked below, with padding
		}
		bad := bytes.Clone(good)
		tc.change(bad)
		err := new(quant.Matrix).UnmarshalBinary(seal(bad))
		var fe *quant.FormatError
		if !errors.As(err, &fe) || fe.Offset != tc.offset {
			t.Errorf("%s: %v, want an error at byte %d", tc.name, err, tc.offset)
		}
	}

	// 33 columns of 3 bits leave padding.
	m, err = quant.Group(make([]float32, 33), 33, quant.Config{Type: datatype.BitMoD3})
	if err != nil {
		t.Fatal(err)
	}
	padded := encode(t, m)
	padded[len(padded)-5] |= 0x80
	if err := new(quant.Matrix).UnmarshalBinary(seal(padded)); !errors.Is(err, quant.ErrFormat) {
		t.Errorf("padding set: %v", err)
	}
	// MX and NV scale bytes that are not numbers.
	for typ, b := range map[datatype.Type]byte{datatype.MXFP4: 255, datatype.NVFP4: 0x7f} {
		m, err := quant.Group(make([]float32, 32), 32, quant.Config{Type: typ})
		if err != nil {
			t.Fatal(err)
		}
		data := encode(t, m)
		at := 48 + 4*len(m.Storage().RowScales)
		data[at] = b
		var fe *quant.FormatError
		if err := new(quant.Matrix).UnmarshalBinary(seal(data)); !errors.As(err, &fe) || fe.Offset != int64(at) {
			t.Errorf("%v scale %#x: %v", typ, b, err)
		}
	}
}

func TestHostileHeaderDoesNotAllocate(t *testing.T) {
	m, err := quant.Group(make([]float32, 64), 64, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	data := encode(t, m)
	for _, shape := range [][2]uint64{{1, 1 << 60}, {1 << 60, 1}, {1 << 31, 1 << 31}, {1 << 40, 1 << 24}, {80, 80}} {
		binary.LittleEndian.PutUint64(data[32:], shape[0])
		binary.LittleEndian.PutUint64(data[40:], shape[1])
		seal(data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := new(quant.Matrix).UnmarshalBinary(data)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, quant.ErrFormat) || n > 64<<10 {
			t.Errorf("%d×%d: %v, after allocating %d bytes", shape[0], shape[1], err, n)
		}
	}
}

func TestNewErrors(t *testing.T) {
	m, err := quant.Group(make([]float32, 256), 128, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := m.Storage()
	for name, change := range map[string]func(*quant.Storage){
		"RowScales": func(s *quant.Storage) { s.RowScales = s.RowScales[1:] },
		"Scales":    func(s *quant.Storage) { s.Scales = nil },
		"Selectors": func(s *quant.Storage) { s.Selectors = append([]byte{0}, s.Selectors...) },
		"Codes":     func(s *quant.Storage) { s.Codes = s.Codes[:3] },
	} {
		bad := s
		change(&bad)
		if _, err := quant.New(datatype.BitMoD4, 128, 2, 128, bad); !errors.Is(err, quant.ErrShape) {
			t.Errorf("%s of another length: %v", name, err)
		}
	}
	for _, shape := range [][2]int{{0, 128}, {2, 0}, {-1, 128}, {math.MaxInt, math.MaxInt}} {
		if _, err := quant.New(datatype.BitMoD4, 128, shape[0], shape[1], s); !errors.Is(err, quant.ErrShape) {
			t.Errorf("%v: %v", shape, err)
		}
	}
	bad := s
	bad.Selectors = []byte{4, 0}
	if _, err := quant.New(datatype.BitMoD4, 128, 2, 128, bad); !errors.Is(err, quant.ErrFormat) {
		t.Errorf("selector padding: %v", err)
	}
}

// FuzzUnmarshalBinary checks that AppendBinary writes accepted data exactly as read, and
// that the matrix can be used. It sets the right checksum, so that the fuzzer gets past
// it.
func FuzzUnmarshalBinary(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, typ := range datatype.Types() {
		m, err := quant.Group(normals(r, 2*50), 50, quant.Config{Type: typ, GroupSize: 16})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encode(f, m), true)
	}
	for _, configs := range [][]quant.Config{
		{{Type: datatype.BitMoD3}, {Type: datatype.BitMoD4}, {Type: datatype.Int8}},
		{{GroupSize: 16}, {GroupSize: 32}, {Type: datatype.NVFP4}, {Type: datatype.MXFP4RaZeR}},
	} {
		of := []uint8{0, 1, 0, 2, 1, uint8(len(configs) - 1)}
		m, err := quant.GroupMixed(context.Background(), normals(r, 6*20), 20, of, configs)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encode(f, m), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, fix bool) {
		if fix && len(data) > 4 {
			data = seal(bytes.Clone(data))
		}
		var m quant.Matrix
		if err := m.UnmarshalBinary(data); err != nil {
			if !errors.Is(err, quant.ErrFormat) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if !bytes.Equal(encode(t, &m), data) {
			t.Fatal("accepted bytes that it would not write")
		}
		if err := m.Dequantize(make([]float32, m.Rows()*m.Cols())); err != nil {
			t.Fatal(err)
		}
	})
}
