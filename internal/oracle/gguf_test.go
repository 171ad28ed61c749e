package oracle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	ours "github.com/bitmod-go/bitmod/internal/gguf"
	theirs "github.com/gpustack/gguf-parser-go"
)

type builder struct{ bytes.Buffer }

func (b *builder) num(vs ...any) {
	for _, v := range vs {
		if s, ok := v.(string); ok {
			b.num(uint64(len(s)))
			b.WriteString(s)
			continue
		}
		binary.Write(b, binary.LittleEndian, v)
	}
}

func (b *builder) pad(n int) {
	for b.Len()%n != 0 {
		b.WriteByte(0)
	}
}

// TestGGUF has both read files with tensors of every type that both know, and
// metadata of every type.
func TestGGUF(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for _, version := range []uint32{2, 3} {
		for _, align := range []int{32, 64} {
			var types []uint32
			for typ := range uint32(43) {
				tr, ok := theirs.GGMLType(typ).Trait()
				// Types that ggml has removed, or has for repacking in memory, are
				// no types of files for us.
				if _, repacked := removed[typ]; ok && tr.TypeSize > 0 && !repacked {
					types = append(types, typ)
				}
			}
			b := file(r, version, align, types)
			path := filepath.Join(t.TempDir(), "m.gguf")
			if err := os.WriteFile(path, b, 0o666); err != nil {
				t.Fatal(err)
			}
			f, err := ours.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			g, err := theirs.ParseGGUFFile(path)
			if err != nil {
				t.Fatal(err)
			}
			compareTensors(t, f, g)
			compareMetadata(t, f, g)
			f.Close()
		}
	}
}

// TestPythonGGUF has both read what the Python package gguf wrote.
func TestPythonGGUF(t *testing.T) {
	const path = "../gguf/testdata/quants.gguf"
	f, err := ours.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g, err := theirs.ParseGGUFFile(path)
	if err != nil {
		t.Fatal(err)
	}
	compareTensors(t, f, g)
	compareMetadata(t, f, g)
}

var removed = map[uint32]bool{4: true, 5: true, 36: true, 37: true, 38: true}

func file(r *rand.Rand, version uint32, align int, types []uint32) []byte {
	b := new(builder)
	b.WriteString("GGUF")
	b.num(version, uint64(len(types)), uint64(15))
	b.num("general.architecture", uint32(8), "llama")
	b.num("general.alignment", uint32(4), uint32(align))
	b.num("u8", uint32(0), uint8(200), "i8", uint32(1), int8(-100), "u16", uint32(2), uint16(60000), "i16", uint32(3), int16(-30000))
	b.num("u32", uint32(4), uint32(4e9), "i32", uint32(5), int32(-2e9), "f32", uint32(6), float32(1.5), "bool", uint32(7), true)
	b.num("u64", uint32(10), uint64(1<<63), "i64", uint32(11), int64(-1<<62), "f64", uint32(12), 1e-300)
	b.num("strings", uint32(9), uint32(8), uint64(3), "a", "", "ccc")
	b.num("floats", uint32(9), uint32(6), uint64(2), []float32{1, -2})
	offset := 0
	for i, typ := range types {
		tr, _ := theirs.GGMLType(typ).Trait()
		rows, blocks := 1+r.IntN(4), 1+r.IntN(3)
		cols := blocks * int(tr.BlockSize)
		b.num(fmt.Sprintf("tensor.%d", i), uint32(2), uint64(cols), uint64(rows), typ, uint64(offset))
		offset += (rows*blocks*int(tr.TypeSize) + align - 1) / align * align
	}
	b.pad(align)
	b.Write(make([]byte, offset))
	return b.Bytes()
}

func compareTensors(t *testing.T, f *ours.File, g *theirs.GGUFFile) {
	t.Helper()
	if a, b := len(f.Tensors()), len(g.TensorInfos); a != b {
		t.Fatalf("we have %d tensors, they have %d", a, b)
	}
	for _, y := range g.TensorInfos {
		x, ok := f.Tensor(y.Name)
		shape := make([]uint64, len(x.Shape))
		for i, d := range x.Shape {
			shape[len(shape)-1-i] = uint64(d)
		}
		if !ok || uint32(x.Type) != uint32(y.Type) || !slices.Equal(shape, y.Dimensions) {
			t.Errorf("we have %+v, they have %+v", x, y)
		}
		if x.Begin != g.TensorDataStartOffset+int64(y.Offset) || uint64(x.Bytes()) != y.Bytes() || uint64(x.Elements()) != y.Elements() {
			t.Errorf("%s: we have %d bytes at %d, they have %d at %d", x.Name, x.Bytes(), x.Begin, y.Bytes(), g.TensorDataStartOffset+int64(y.Offset))
		}
		if x.Type.String() != y.Type.String() {
			t.Errorf("type %d is %v for us, %v for them", y.Type, x.Type, y.Type)
		}
	}
}

func compareMetadata(t *testing.T, f *ours.File, g *theirs.GGUFFile) {
	t.Helper()
	m := f.Metadata()
	if len(m) != len(g.Header.MetadataKV) {
		t.Fatalf("we have %d pairs, they have %d", len(m), len(g.Header.MetadataKV))
	}
	for _, kv := range g.Header.MetadataKV {
		want := fmt.Sprint(kv.Value)
		if a, ok := kv.Value.(theirs.GGUFMetadataKVArrayValue); ok {
			want = fmt.Sprint(a.Array)
		}
		if got := fmt.Sprint(m[kv.Key]); got != want {
			t.Errorf("%s is %s for us, %s for them", kv.Key, got, want)
		}
	}
}
