package gguf

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/x448/float16"
)

// element is the definition: element i of a block of a type, by where its bits
// are.
func element(t Type, b []byte, i int) float32 {
	f16 := func(at int) float32 { return float16.Frombits(binary.LittleEndian.Uint16(b[at:])).Float32() }
	// field returns the given number of bits of a byte, from bit shift on.
	field := func(at, shift, bits int) int { return int(b[at]) >> shift & (1<<bits - 1) }
	// nibble returns one of the codes of 4 bits that begin at a byte, in runs of
	// length elements in the low halves, and then in the high halves.
	nibble := func(at, length int) int {
		return field(at+i/(2*length)*length+i%length, i/length%2*4, 4)
	}
	// pair returns 2 bits, of which a byte has those of elements 32 apart.
	pair := func(at int) int { return field(at+i/128*32+i%32, i%128/32*2, 2) }
	nonlinear := []float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
	switch t {
	case Q40:
		return f16(0) * float32(nibble(2, 16)-8)
	case Q41:
		return float32(f16(0)*float32(nibble(4, 16))) + f16(2)
	case Q50:
		return f16(0) * float32(nibble(6, 16)+16*field(2+i/8, i%8, 1)-16)
	case Q51:
		return float32(f16(0)*float32(nibble(8, 16)+16*field(4+i/8, i%8, 1))) + f16(2)
	case Q80:
		return f16(0) * float32(int8(b[2+i]))
	case IQ4NL:
		return f16(0) * nonlinear[nibble(2, 16)]
	case MXFP4:
		values := []float32{0, .5, 1, 1.5, 2, 3, 4, 6, 0, -.5, -1, -1.5, -2, -3, -4, -6}
		scale := math.Ldexp(1, int(b[0])-127)
		return float32(scale * float64(values[nibble(1, 16)])) // once rounded, but exact
	case Q2K:
		scale, minimum := f16(80)*float32(field(i/16, 0, 4)), f16(82)*float32(field(i/16, 4, 4))
		return float32(scale*float32(pair(16))) - minimum
	case Q3K:
		sub := i / 16
		scale := field(96+sub%8, sub/8*4, 4) + 16*field(104+sub%4, sub/4*2, 2) - 32
		code := pair(32) + 4*field(i%32, i/32, 1) - 4
		return float32(f16(108)*float32(scale)) * float32(code)
	case Q4K, Q5K:
		sub := i / 32
		scale, minimum := field(4+sub%4, 0, 6), field(8+sub%4, 0, 6)
		if sub >= 4 {
			scale = field(12+sub%4, 0, 4) + 16*field(4+sub%4, 6, 2)
			minimum = field(12+sub%4, 4, 4) + 16*field(8+sub%4, 6, 2)
		}
		var code int
		if t == Q4K {
			code = nibble(16, 32)
		} else {
			code = nibble(48, 32) + 16*field(16+i%32, i/32, 1)
		}
		return float32(float32(f16(0)*float32(scale))*float32(code)) - float32(f16(2)*float32(minimum))
	case Q6K:
		code := nibble(0, 64) + 16*pair(128) - 32
		return float32(f16(208)*float32(int8(b[192+i/16]))) * float32(code)
	case IQ4XS:
		sub := i / 32
		scale := field(4+sub/2, sub%2*4, 4) + 16*field(2+sub/4, sub%4*2, 2) - 32
		return float32(f16(0)*float32(scale)) * nonlinear[nibble(8, 16)]
	}
	panic(t)
}

func same(a, b float32) bool {
	return a != a && b != b || math.Float32bits(a) == math.Float32bits(b)
}

// blockTypes are the types that [layout.decode] decodes.
func blockTypes() []Type {
	var ts []Type
	for i, l := range layouts {
		if l.decode != nil {
			ts = append(ts, Type(i))
		}
	}
	return ts
}

// blocksFile is a file of one tensor "w" of b's whole blocks.
func blocksFile(t Type, b []byte) *builder {
	l, _ := t.layout()
	n := len(b) / l.bytes
	return header(3, 1, 0).num("w", uint32(1), uint64(n*l.block), uint32(t), uint64(0)).pad(32).num(b[:n*l.bytes]).pad(32)
}

// checkBlocks reads every element of b's blocks, at once and in pieces, and
// compares with the definition.
func checkBlocks(t *testing.T, typ Type, b []byte, first, n int) {
	t.Helper()
	f, err := blocksFile(typ, b).open()
	if err != nil {
		t.Fatal(err)
	}
	w, _ := f.Tensor("w")
	l, _ := typ.layout()
	whole := make([]float32, w.Elements())
	if err := f.Read(whole, w, 0); err != nil {
		t.Fatal(err)
	}
	for i, got := range whole {
		block := b[i/l.block*l.bytes:][:l.bytes]
		if want := element(typ, block, i%l.block); !same(got, want) {
			t.Fatalf("%v: element %d of block % x is %v, want %v", typ, i%l.block, block, got, want)
		}
	}
	if first > len(whole) {
		return
	}
	n = min(n, len(whole)-first)
	part, part64 := make([]float32, n+1), make([]float64, n+1)
	part[n], part64[n] = 7, 7
	if err := f.Read(part[:n], w, int64(first)); err != nil {
		t.Fatal(err)
	}
	if err := f.Read64(part64[:n], w, int64(first)); err != nil {
		t.Fatal(err)
	}
	for i, want := range append(whole[first:first+n:first+n], 7) {
		if !same(part[i], want) || !same(float32(part64[i]), want) {
			t.Fatalf("%v: element %d of %d from %d is %v and %v, want %v", typ, i, n, first, part[i], part64[i], want)
		}
	}
}

func TestBlocksEqualDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 1))
	for _, typ := range blockTypes() {
		l, _ := typ.layout()
		for range 300 {
			b := make([]byte, (1+r.IntN(4))*l.bytes)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			n := len(b) / l.bytes * l.block
			checkBlocks(t, typ, b, r.IntN(n), r.IntN(n))
		}
		// More than the buffers hold, and of that a piece with ragged ends.
		b := bytes.Repeat(slices.Concat(make([]byte, l.bytes), bytes.Repeat([]byte{0x39}, l.bytes)), 2*len(buffer{}.raw)/l.bytes)
		n := len(b) / l.bytes * l.block
		checkBlocks(t, typ, b, 5, n-12)
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	for _, typ := range blockTypes() {
		l, _ := typ.layout()
		f, err := blocksFile(typ, make([]byte, 64*l.bytes)).open()
		if err != nil {
			t.Fatal(err)
		}
		w, _ := f.Tensor("w")
		dst, dst64 := make([]float32, 50*l.block), make([]float64, 50*l.block)
		if n := testing.AllocsPerRun(20, func() {
			if f.Read(dst, w, 3) != nil || f.Read64(dst64, w, 3) != nil {
				t.Fatal("error")
			}
		}); n > 0 {
			t.Errorf("%v: %v allocations", typ, n)
		}
	}
}

// TestCutBlocks cuts a file with a tensor of each type everywhere: what is
// missing is an error when the file is opened, never a value.
func TestCutBlocks(t *testing.T) {
	for _, typ := range blockTypes() {
		l, _ := typ.layout()
		b := blocksFile(typ, make([]byte, 2*l.bytes)).Bytes()
		f, err := New(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		w, _ := f.Tensor("w")
		for n := range w.End {
			if _, err := New(bytes.NewReader(b[:n]), n); err == nil {
				t.Fatalf("%v: no error for %d of %d bytes", typ, n, len(b))
			}
			// The file shrinks once it is open.
			f, err := New(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			f.Source = badfile.Of(bytes.NewReader(b[:n]), f.Size())
			if err := f.Read(make([]float32, w.Elements()), w, 0); err == nil {
				t.Fatalf("%v: no error when shrunk to %d of %d bytes", typ, n, len(b))
			}
		}
	}
}

// FuzzRead reads any bytes as blocks of each type, whole and in part.
func FuzzRead(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 1))
	for _, typ := range blockTypes() {
		l, _ := typ.layout()
		b := make([]byte, 2*l.bytes)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(uint8(typ), b, uint16(l.block-3), uint16(9))
		f.Add(uint8(typ), b, uint16(0), uint16(2*l.block))
	}
	f.Fuzz(func(t *testing.T, typ uint8, b []byte, first, n uint16) {
		if l, _ := Type(typ).layout(); l.decode != nil && len(b) >= l.bytes && len(b) < 1<<16 {
			checkBlocks(t, Type(typ), b, int(first), int(n))
		}
	})
}

func BenchmarkRead(b *testing.B) {
	r := rand.New(rand.NewPCG(6, 1))
	for i, l := range layouts {
		typ := Type(i)
		if !typ.IsFloat() {
			continue
		}
		const n = 1 << 16
		raw := make([]byte, n/l.block*l.bytes)
		for i := range raw {
			raw[i] = byte(r.Uint32())&0x3b | 4 // 16-bit floats that are normal
		}
		f, err := blocksFile(typ, raw).open()
		if err != nil {
			b.Fatal(err)
		}
		w, _ := f.Tensor("w")
		dst := make([]float32, n)
		b.Run("type="+l.name, func(b *testing.B) {
			for b.Loop() {
				if err := f.Read(dst, w, 0); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mweights/s")
		})
	}
}
