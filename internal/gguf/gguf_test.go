package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/google/go-cmp/cmp"
	"github.com/x448/float16"
)

// A builder writes a GGUF file field by field, right or wrong.
type builder struct{ bytes.Buffer }

func (b *builder) num(vs ...any) *builder {
	for _, v := range vs {
		if s, ok := v.(string); ok {
			b.num(uint64(len(s)))
			b.WriteString(s)
			continue
		}
		binary.Write(b, binary.LittleEndian, v)
	}
	return b
}

func header(version uint32, tensors, pairs uint64) *builder {
	b := new(builder)
	b.WriteString("GGUF")
	return b.num(version, tensors, pairs)
}

func (b *builder) pad(n int) *builder {
	for b.Len()%n != 0 {
		b.WriteByte(0)
	}
	return b
}

func (b *builder) open() (*File, error) {
	return New(bytes.NewReader(b.Bytes()), int64(b.Len()))
}

const (
	u32  = uint32(valueU32)
	str  = uint32(valueString)
	arr  = uint32(valueArray)
	f32t = uint32(F32)
)

func valid() *builder {
	b := header(3, 2, 5)
	b.num("general.architecture", str, "llama")
	b.num("general.alignment", u32, uint32(64))
	b.num("tokens", arr, str, uint64(2), "a", "bc")
	b.num("nested", arr, arr, uint64(2), uint32(valueI8), uint64(1), int8(-3), uint32(valueBool), uint64(2), true, false)
	b.num("eps", uint32(valueF64), 1e-5)
	b.num("w", uint32(2), uint64(3), uint64(2), f32t, uint64(0))
	b.num("q", uint32(1), uint64(64), uint32(Q80), uint64(64))
	b.pad(64)
	b.num([]float32{1, 2, 3, 4, 5, 6}).pad(64)
	for block := range 2 {
		b.num(uint16(float16.Fromfloat32(0.5 + float32(block))))
		for i := range 32 {
			b.num(int8(i - 16))
		}
	}
	return b.pad(64)
}

func TestRead(t *testing.T) {
	f, err := valid().open()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"general.architecture": "llama",
		"general.alignment":    uint32(64),
		"tokens":               []string{"a", "bc"},
		"nested":               []any{[]int8{-3}, []bool{true, false}},
		"eps":                  1e-5,
	}
	if diff := cmp.Diff(want, f.Metadata()); diff != "" {
		t.Errorf("metadata (-want +got)\n%s", diff)
	}
	w, ok := f.Tensor("w")
	if diff := cmp.Diff([]int{2, 3}, w.Shape); !ok || diff != "" {
		t.Errorf("shape of w (-want +got)\n%s", diff)
	}
	got := make([]float32, 3)
	if err := f.Read(got, w, 3); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{4, 5, 6}, got); diff != "" {
		t.Errorf("row 1 (-want +got)\n%s", diff)
	}
	q, _ := f.Tensor("q")
	for first := range int64(64) {
		for n := range 64 - first + 1 {
			got := make([]float64, n)
			if err := f.Read64(got, q, first); err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				at := int(first) + i
				if want := (0.5 + float64(at/32)) * float64(at%32-16); v != want {
					t.Fatalf("%d elements from %d: element %d is %v, want %v", n, first, i, v, want)
				}
			}
		}
	}
	if err := f.Read(make([]float32, 2), q, 63); err == nil {
		t.Error("read past the end")
	}
	if f.Version() != 3 {
		t.Errorf("version %d", f.Version())
	}
}

// TestReadLong crosses the buffer.
func TestReadLong(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const n = 5000 * 32
	b := header(2, 1, 0).num("q", uint32(2), uint64(n/8), uint64(8), uint32(Q80), uint64(0)).pad(32)
	want := make([]float32, n)
	for i := range n / 32 {
		d := float16.Frombits(uint16(r.IntN(0x7c00)))
		b.num(uint16(d))
		for j := range 32 {
			v := int8(r.Uint32())
			b.num(v)
			want[32*i+j] = d.Float32() * float32(v)
		}
	}
	f, err := b.pad(32).open()
	if err != nil {
		t.Fatal(err)
	}
	q, _ := f.Tensor("q")
	got := make([]float32, n-5)
	if err := f.Read(got, q, 5); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i] != want[i+5] {
			t.Fatalf("element %d is %v, want %v", i+5, got[i], want[i+5])
		}
	}
}

func TestUnsupportedTypeIsNamed(t *testing.T) {
	f, err := header(3, 1, 0).num("k", uint32(1), uint64(256), uint32(16), uint64(0)).pad(32).num(make([]byte, 66)).pad(32).open()
	if err != nil {
		t.Fatal(err)
	}
	k, _ := f.Tensor("k")
	if err := f.Read(make([]float32, 1), k, 0); err == nil || !strings.Contains(err.Error(), `tensor "k": IQ2_XXS can`) {
		t.Error(err)
	}
}

func TestMalformed(t *testing.T) {
	tensor := func(name string, dims []uint64, typ uint32, offset uint64) *builder {
		b := header(3, 1, 0).num(name, uint32(len(dims)))
		for _, d := range dims {
			b.num(d)
		}
		return b.num(typ, offset).pad(32)
	}
	floats := make([]byte, 64)
	for _, c := range []struct {
		name string
		b    *builder
		want string
	}{
		{"empty", new(builder), "ends at byte 0"},
		{"magic", new(builder).num([]byte("GGML....")), "GGUF"},
		{"version 1", header(1, 0, 0), "version 1"},
		{"version 4", header(4, 0, 0), "version 4"},
		{"big-endian", header(3<<24, 0, 0), "big-endian"},
		{"hostile tensor count", header(3, 1<<60, 0), "tensors"},
		{"hostile pair count", header(3, 0, 1<<60), "pairs"},
		{"hostile string", header(3, 0, 1).num(uint64(1<<62), make([]byte, 64)), "string"},
		{"hostile array", header(3, 0, 1).num("k", arr, uint32(valueU64), uint64(1<<61), make([]byte, 64)), "array elements"},
		{"hostile array in array", header(3, 0, 1).num("k", arr, arr, uint64(1<<60), make([]byte, 64)), "array elements"},
		{"deep arrays", header(3, 0, 1).num("k", arr).num(arr, uint64(1), arr, uint64(1), arr, uint64(1), arr, uint64(1), arr, uint64(1), arr, uint64(1), make([]byte, 64)), "nested"},
		{"value type", header(3, 0, 1).num("k", uint32(13), make([]byte, 64)), "value type 13"},
		{"array of type", header(3, 0, 1).num("k", arr, uint32(99), uint64(1), make([]byte, 64)), "value type 99"},
		{"bool of 2", header(3, 0, 1).num("k", uint32(valueBool), byte(2)), "bool of 2"},
		{"key twice", header(3, 0, 2).num("k", u32, uint32(1), "k", u32, uint32(1)), `"k" occurs twice`},
		{"alignment 0", header(3, 0, 1).num("general.alignment", u32, uint32(0)), "alignment"},
		{"alignment 48", header(3, 0, 1).num("general.alignment", u32, uint32(48)), "alignment"},
		{"alignment a string", header(3, 0, 1).num("general.alignment", str, "32"), "alignment"},
		{"tensor twice", header(3, 2, 0).num("a", uint32(1), uint64(8), f32t, uint64(0), "a", uint32(1), uint64(8), f32t, uint64(32)).pad(32).num(floats), `tensor "a": the name occurs twice`},
		{"rank", tensor("a", make([]uint64, 9), f32t, 0), `tensor "a": 9 dimensions`},
		{"unknown type", tensor("a", []uint64{8}, 77, 0), `tensor "a": unknown type 77`},
		{"removed type", tensor("a", []uint64{32}, 4, 0), `unknown type 4`},
		{"overflow", tensor("a", []uint64{1 << 32, 1 << 32}, f32t, 0), `tensor "a": shape`},
		{"overflow hidden by zero", tensor("a", []uint64{0, 1 << 62, 1 << 62}, f32t, 0), `tensor "a": shape`},
		{"overflowing bytes", tensor("a", []uint64{1 << 62}, uint32(F64), 0), `tensor "a": shape`},
		{"part of a block", tensor("a", []uint64{33}, uint32(Q80), 0), "32 columns"},
		{"scalar block", tensor("a", nil, uint32(Q80), 0), "32 columns"},
		{"offset not aligned", tensor("a", []uint64{2}, f32t, 8).num(floats), "alignment"},
		{"offset overflows", tensor("a", []uint64{8}, f32t, 1<<64-32), "truncated"},
		{"truncated", tensor("a", []uint64{8}, f32t, 0).num(floats[:31]), `tensor "a": `},
		{"hole", tensor("a", []uint64{8}, f32t, 32).num(floats), "hole"},
		{"trailing", tensor("a", []uint64{8}, f32t, 0).num(floats), "32 trailing"},
		{"overlap", header(3, 2, 0).num("a", uint32(1), uint64(16), f32t, uint64(0), "b", uint32(1), uint64(8), f32t, uint64(32)).pad(32).num(floats), `tensor "b": offset 32 overlaps tensor "a"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.b.open()
			if !errors.Is(err, quant.ErrFormat) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v, want ErrFormat with %s", err, c.want)
			}
		})
	}
}

// TestTruncated cuts a valid file everywhere but in its last padding.
func TestTruncated(t *testing.T) {
	whole := valid().Bytes()
	f, err := New(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	q, _ := f.Tensor("q")
	for n := range q.End {
		if _, err := New(bytes.NewReader(whole[:n]), n); !errors.Is(err, quant.ErrFormat) {
			t.Fatalf("cut at %d of %d: %v", n, len(whole), err)
		}
	}
	if _, err := New(bytes.NewReader(whole), q.End); err != nil {
		t.Errorf("without padding: %v", err)
	}
}

// TestHostileSizesDoNotAllocate claims sizes that only a huge file could have,
// in a reader that says it is one.
func TestHostileSizesDoNotAllocate(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, b := range []*builder{
		header(3, 1<<35, 0), header(3, 0, 1<<35),
		header(3, 0, 1).num(uint64(1 << 35)),
		header(3, 0, 1).num(uint64(200 << 20)),
		header(3, 0, 1).num("k", arr, uint32(valueU64), uint64(1<<24)),
		header(3, 0, 1).num("k", arr, str, uint64(1<<24)),
	} {
		if _, err := New(bytes.NewReader(b.Bytes()), 1<<40); err == nil {
			t.Error("no error")
		}
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
		t.Errorf("allocated %d bytes", got)
	}
}

type failing struct{ io.ReaderAt }

var errDisk = errors.New("input/output error")

func (f failing) ReadAt(p []byte, off int64) (int, error) { return 0, errDisk }

func TestReadErrors(t *testing.T) {
	if _, err := New(failing{}, 1000); !errors.Is(err, errDisk) {
		t.Error(err)
	}
	f, err := valid().open()
	if err != nil {
		t.Fatal(err)
	}
	f.Source = badfile.Of(failing{}, f.Size())
	w, _ := f.Tensor("w")
	if err := f.Read(make([]float32, 1), w, 0); !errors.Is(err, errDisk) || !strings.Contains(err.Error(), `"w"`) {
		t.Error(err)
	}
}

func FuzzNew(f *testing.F) {
	f.Add(valid().Bytes())
	f.Add(header(2, 0, 0).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := New(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, quant.ErrFormat) {
				t.Fatalf("not ErrFormat: %v", err)
			}
			return
		}
		var end int64
		for _, x := range g.Tensors() {
			if x.Begin < end || x.End > int64(len(b)) || x.End < x.Begin {
				t.Fatalf("tensor %+v at %d of %d", x, end, len(b))
			}
			end = x.End
			if x.Type.IsFloat() && x.Elements() < 1<<20 {
				if err := g.Read(make([]float32, x.Elements()), x, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
