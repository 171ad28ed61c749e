package checkpoint

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// memory is an io.WriterAt.
type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if n := int(off) + len(p); n > len(m.b) {
		m.b = append(m.b, make([]byte, n-len(m.b))...)
	}
	return copy(m.b[off:], p), nil
}

// FuzzMetadata opens a file with arbitrary metadata and data. An accepted matrix can be
// dequantized.
func FuzzMetadata(f *testing.F) {
	f.Add(`{"w":{"type":"bitmod4","group_size":128,"shape":[2,8]}}`, []byte{1, 2, 3, 4}, uint8(4), uint8(1), uint8(1))
	f.Add(`{"w":{"type":"nvfp4","group_size":16,"shape":[1,2,8]}}`, []byte{1, 2, 3, 4}, uint8(4), uint8(1), uint8(0))
	f.Add(`{"w":{"type":"int3_asym","group_size":8,"shape":[2,4611686018427387904]}}`, []byte{}, uint8(3), uint8(1), uint8(1))
	// Two parts of a row each; their data follows the data above.
	mixed := append(make([]byte, 2*4+2+2*4+2), 1, 0) // order
	f.Add(`{"w":{"shape":[2,8],"parts":[{"type":"bitmod4","group_size":128,"rows":1},{"type":"fp4_er","group_size":8,"rows":1}]}}`, mixed, uint8(4), uint8(1), uint8(1))
	f.Add(`{"w":{"shape":[2,1,8],"parts":[{"type":"bitmod4","group_size":8,"rows":1},{"type":"bitmod4","group_size":8,"rows":1}]}}`, mixed, uint8(4), uint8(1), uint8(1))
	f.Add(`{"w":{"shape":[2,8],"parts":[{"type":"bitmod4","group_size":8,"rows":2},{"rows":-1}]}}`, mixed, uint8(4), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, tensors string, data []byte, codes, scales, special uint8) {
		ts := []safetensors.Tensor{
			{Name: "w.codes", DType: "U8", Shape: []int{2, int(codes)}},
			{Name: "w.scales", DType: "U8", Shape: []int{2, int(scales)}},
			{Name: "w.row_scales", DType: "F32", Shape: []int{2}},
			{Name: "w.special", DType: "U8", Shape: []int{2, int(special)}},
			{Name: "w.order", DType: "U8", Shape: []int{2}},
		}
		for _, part := range []string{"w.0", "w.1"} {
			ts = append(ts,
				safetensors.Tensor{Name: part + ".codes", DType: "U8", Shape: []int{1, int(codes)}},
				safetensors.Tensor{Name: part + ".scales", DType: "U8", Shape: []int{1, int(scales)}},
				safetensors.Tensor{Name: part + ".row_scales", DType: "F32", Shape: []int{1}},
				safetensors.Tensor{Name: part + ".special", DType: "U8", Shape: []int{1, int(special)}})
		}
		meta := map[string]string{keyVersion: "1", keyTensors: tensors, keySHA256: "{}"}
		var m memory
		w, err := safetensors.NewWriter(&m, ts, meta)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range ts {
			b := make([]byte, x.Elements()*int64(x.DType.Bits()/8))
			data = data[copy(b, data):]
			w.WriteAt(x.Name, b, 0)
		}
		if err := w.Finish(meta); err != nil {
			t.Skip(err)
		}
		file, err := safetensors.New(bytes.NewReader(m.b), int64(len(m.b)))
		if err != nil {
			t.Skip(err) // invalid UTF-8
		}
		c := &Checkpoint{byName: make(map[string]int), metadata: make(map[string]string)}
		if err := c.addFile(file); err != nil {
			if !errors.Is(err, quant.ErrFormat) {
				t.Fatalf("not ErrFormat: %v", err)
			}
			return
		}
		for _, x := range c.Tensors() {
			if !x.Quantized {
				continue
			}
			matrix, err := c.Matrix(x.Name)
			if err != nil {
				if !errors.Is(err, quant.ErrFormat) {
					t.Fatalf("not ErrFormat: %v", err)
				}
				continue
			}
			a, b := make([]float32, x.Elements()), make([]float32, x.Elements())
			if err := errors.Join(matrix.Dequantize(a), c.ReadRows(b, x.Name, 0, x.Rows())); err != nil {
				t.Fatal(err)
			}
			for i := range a {
				if a[i] != b[i] {
					t.Fatalf("element %d is %v and %v", i, a[i], b[i])
				}
			}
		}
	})
}

// FuzzNew opens arbitrary bytes, as a single file and in a file system. Both agree, and
// all of an accepted checkpoint can be read.
func FuzzNew(f *testing.F) {
	small, err := os.ReadFile("testdata/small.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(small)
	path := filepath.Join(f.TempDir(), "q.safetensors")
	run(f, plan(f, openSource(f, random(rand.New(rand.NewPCG(8, 8)), "w", "F32", 3, 40)), Options{}), path, RunOptions{})
	quantized, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(quantized)
	writeGGUF(f, path, func(num func(...any)) int {
		num("split.count", uint32(2), uint16(1))
		return 1
	}, random(rand.New(rand.NewPCG(8, 9)), "w", "F16", 2, 32))
	gguf, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(gguf)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := New(bytes.NewReader(b), int64(len(b)))
		d, err2 := OpenFS(fstest.MapFS{"m": {Data: b}}, "m")
		if (err == nil) != (err2 == nil) {
			t.Fatalf("New: %v, OpenFS: %v", err, err2)
		}
		if err != nil {
			return
		}
		if !slices.EqualFunc(c.Tensors(), d.Tensors(), func(a, b Tensor) bool { return reflect.DeepEqual(a, b) }) {
			t.Fatal("New and OpenFS have different tensors")
		}
		for _, x := range c.Tensors() {
			if x.Float && x.Elements() < 1<<20 {
				if err := c.ReadRows(make([]float32, x.Elements()), x.Name, 0, x.Rows()); err != nil && !errors.Is(err, quant.ErrFormat) {
					t.Fatalf("%s: %v", x.Name, err)
				}
			}
		}
	})
}
