package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bitmod-go/bitmod/quant"
	"github.com/google/go-cmp/cmp"
)

// file puts a header and data together.
func file(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func openBytes(b []byte) (*File, error) { return New(bytes.NewReader(b), int64(len(b))) }

func f32s(vs ...float32) []byte {
	var b []byte
	for _, v := range vs {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

const twoTensors = `{"b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{"format":"pt"},"a":{"dtype":"U8","shape":[5],"data_offsets":[24,29]}}   `

func TestRead(t *testing.T) {
	data := append(f32s(1, 2, 3, 4, 5, 6), 9, 8, 7, 6, 5)
	f, err := openBytes(file(twoTensors, data))
	if err != nil {
		t.Fatal(err)
	}
	start := int64(8 + len(twoTensors))
	want := []Tensor{
		{Name: "b", DType: F32, Shape: []int{2, 3}, Begin: start, End: start + 24},
		{Name: "a", DType: U8, Shape: []int{5}, Begin: start + 24, End: start + 29},
	}
	if diff := cmp.Diff(want, f.Tensors()); diff != "" {
		t.Errorf("tensors (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"format": "pt"}, f.Metadata()); diff != "" {
		t.Errorf("metadata (-want +got)\n%s", diff)
	}
	b, ok := f.Tensor("b")
	if !ok || b.Rows() != 2 || b.Cols() != 3 || b.Elements() != 6 {
		t.Fatalf("tensor b is %+v, %v", b, ok)
	}
	if _, ok := f.Tensor("c"); ok {
		t.Error("there is a tensor c")
	}
	row := make([]float32, 3)
	if err := f.ReadRows(row, b, 1, 2); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{4, 5, 6}, row); diff != "" {
		t.Errorf("row 1 (-want +got)\n%s", diff)
	}
	a, _ := f.Tensor("a")
	raw, err := io.ReadAll(f.Section(a))
	if err != nil || !bytes.Equal(raw, data[24:]) {
		t.Errorf("bytes of a are %v, %v", raw, err)
	}
	if err := f.ReadRows(make([]float32, 5), a, 0, 1); err == nil || !strings.Contains(err.Error(), `tensor "a": U8`) {
		t.Errorf("reading U8 as floats: %v", err)
	}
}

func TestReadRowsRange(t *testing.T) {
	f, err := openBytes(file(twoTensors, make([]byte, 29)))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := f.Tensor("b")
	for _, c := range []struct{ n, lo, hi int }{{3, -1, 0}, {3, 2, 3}, {0, 1, 0}, {4, 0, 1}, {3, 0, 2}} {
		if err := f.ReadRows(make([]float32, c.n), b, c.lo, c.hi); err == nil {
			t.Errorf("%d elements, rows %d to %d: no error", c.n, c.lo, c.hi)
		}
	}
	if err := f.ReadRows(nil, b, 2, 2); err != nil {
		t.Errorf("no rows: %v", err)
	}
}

func TestEmptyTensorsAndScalars(t *testing.T) {
	f, err := openBytes(file(`{"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"z":{"dtype":"F16","shape":[0,7],"data_offsets":[4,4]},"e":{"dtype":"BF16","shape":[3,0],"data_offsets":[0,0]}}`, f32s(2)))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := f.Tensor("s")
	var v [1]float32
	if err := f.ReadRows(v[:], s, 0, 1); err != nil || v[0] != 2 {
		t.Errorf("scalar: %v, %v", v[0], err)
	}
	for _, name := range []string{"z", "e"} {
		x, _ := f.Tensor(name)
		if err := f.ReadRows(nil, x, 0, x.Rows()); err != nil {
			t.Error(err)
		}
	}
	if _, err := openBytes(file(`{}`, nil)); err != nil {
		t.Errorf("a file without tensors: %v", err)
	}
}

func TestMalformed(t *testing.T) {
	const x = `"dtype":"F32","shape":[2],"data_offsets":[0,8]`
	eight := make([]byte, 8)
	for _, c := range []struct {
		name, header string
		data         []byte
		want         string // in the message
	}{
		{"not an object", `["a"]`, nil, "'{'"},
		{"leading space", ` {}`, nil, "'{'"},
		{"no JSON", `{"a"`, nil, "JSON"},
		{"cut", `{"a":{` + x, eight, `tensor "a"`},
		{"two objects", `{}{}`, nil, "text after its object"},
		{"not UTF-8", "{\"a\xff\":{" + x + "}}", eight, "UTF-8"},
		{"twice the name", `{"a":{` + x + `},"a":{` + x + `}}`, eight, `"a" twice`},
		{"twice the name, escaped", `{"a":{` + x + `},"\u0061":{` + x + `}}`, eight, `"a" twice`},
		{"twice metadata", `{"__metadata__":{},"__metadata__":{}}`, nil, "twice"},
		{"twice a metadata key", `{"__metadata__":{"k":"1","k":"2"}}`, nil, `"k" twice`},
		{"twice a field", `{"a":{` + x + `,"dtype":"F32"}}`, eight, `tensor "a": its description has the key "dtype" twice`},
		{"metadata of numbers", `{"__metadata__":{"k":1}}`, nil, `"k" is not a string`},
		{"metadata of null", `{"__metadata__":{"k":null}}`, nil, `"k" is not a string`},
		{"null and metadata", `{"__metadata__":null,"__metadata__":{"k":"1"}}`, nil, "twice"},
		{"metadata a string", `{"__metadata__":"null"}`, nil, "__metadata__"},
		{"metadata a list", `{"__metadata__":[]}`, nil, "__metadata__"},
		{"other case", `{"a":{"Dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, eight, "no dtype"},
		{"no shape", `{"a":{"dtype":"F32","data_offsets":[0,8]}}`, eight, "no shape"},
		{"no offsets", `{"a":{"dtype":"F32","shape":[2]}}`, eight, "no data_offsets"},
		{"not a description", `{"a":3}`, nil, `tensor "a"`},
		{"null", `{"a":null}`, nil, `tensor "a"`},
		{"unknown dtype", `{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}`, eight, `tensor "a": unknown dtype "F33"`},
		{"dtype a number", `{"a":{"dtype":4,"shape":[2],"data_offsets":[0,8]}}`, eight, `tensor "a": dtype`},
		{"negative shape", `{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, eight, `tensor "a": shape: "-2"`},
		{"fraction", `{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}`, eight, `"2.0"`},
		{"exponent", `{"a":{"dtype":"F32","shape":[2e0],"data_offsets":[0,8]}}`, eight, `"2e0"`},
		{"shape null", `{"a":{"dtype":"F32","shape":null,"data_offsets":[0,8]}}`, eight, `tensor "a": shape`},
		{"dtype null", `{"a":{"dtype":null,"shape":[2],"data_offsets":[0,8]}}`, eight, `tensor "a": dtype`},
		{"offsets null", `{"a":{"dtype":"F32","shape":[2],"data_offsets":null}}`, eight, `tensor "a": data_offsets`},
		{"shape a string", `{"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}`, eight, "not a number"},
		{"shape above int", `{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}`, eight, `tensor "a": shape`},
		{"overflowing shape", `{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}}`, nil, `tensor "a": shape`},
		{"overflow hidden by zero", `{"a":{"dtype":"F32","shape":[0,4294967296,4294967296,4],"data_offsets":[0,0]}}`, nil, `tensor "a": shape`},
		{"overflowing bytes", `{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}`, nil, `tensor "a": shape`},
		{"half a byte", `{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}`, eight[:1], "within a byte"},
		{"rank", `{"a":{"dtype":"F32","shape":[` + strings.Repeat("1,", 64) + `2],"data_offsets":[0,8]}}`, eight, "more than 64"},
		{"shape and bytes", `{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, eight, `tensor "a": data [0, 8) has 8 bytes`},
		{"offsets reversed", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, eight, `tensor "a": data_offsets`},
		{"one offset", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[8]}}`, eight, `tensor "a": data_offsets`},
		{"overlap", `{"a":{` + x + `},"b":{"dtype":"U8","shape":[2],"data_offsets":[7,9]}}`, make([]byte, 9), `tensor "b": data [7, 9) overlaps that of tensor "a"`},
		{"same data", `{"a":{` + x + `},"b":{` + x + `}}`, eight, `tensor "b"`},
		{"hole", `{"a":{` + x + `},"b":{"dtype":"U8","shape":[2],"data_offsets":[9,11]}}`, make([]byte, 11), `tensor "b": data starts at 9, after a hole`},
		{"hole at the start", `{"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, make([]byte, 3), `tensor "b": data starts at 1, after a hole`},
		{"truncated", `{"a":{` + x + `}}`, eight[:7], `tensor "a": data ends at 8, but the file is truncated at 7`},
		{"trailing", `{"a":{` + x + `}}`, make([]byte, 9), `tensor "a": it is the last, and 1 trailing`},
		{"no tensors, trailing", `{}`, eight, "8 bytes of data but no tensors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(file(c.header, c.data))
			if !errors.Is(err, quant.ErrFormat) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v, want ErrFormat with %s", err, c.want)
			}
		})
	}
}

// TestNullMetadata has what some programs write for no metadata.
func TestNullMetadata(t *testing.T) {
	f, err := openBytes(file(`{"__metadata__": null ,"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, make([]byte, 8)))
	if err != nil || f.Metadata() != nil || len(f.Tensors()) != 1 {
		t.Errorf("%v, %v", f, err)
	}
}

// TestDTypes opens a tensor of every type that the reference implementation
// 0.8.0 has, and of some that it doesn't.
func TestDTypes(t *testing.T) {
	for _, c := range []struct {
		dtypes string
		bits   int
	}{
		{"F4", 4}, {"F6_E2M3 F6_E3M2", 6}, {"BOOL U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ", 8}, {"I16 U16 F16 BF16", 16},
		{"I32 U32 F32", 32}, {"C64 F64 I64 U64", 64}, {"C128 F128 I4 U4 F4_E2M1 F8 f32", 0},
	} {
		for _, d := range strings.Fields(c.dtypes) {
			n := c.bits // bytes of 8 elements
			f, err := openBytes(file(fmt.Sprintf(`{"a":{"dtype":%q,"shape":[2,4],"data_offsets":[0,%d]}}`, d, n), make([]byte, n)))
			switch {
			case c.bits == 0:
				if !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), fmt.Sprintf("%q", d)) {
					t.Errorf("%s: %v", d, err)
				}
			case err != nil:
				t.Errorf("%s: %v", d, err)
			default:
				x := f.Tensors()[0]
				if err := f.ReadRows(make([]float32, 8), x, 0, 2); (err == nil) != (x.DType.IsFloat() || d == "F8_E8M0") {
					t.Errorf("%s is a float: %v; reading: %v", d, x.DType.IsFloat(), err)
				}
			}
		}
	}
}

func TestHeaderLength(t *testing.T) {
	long := binary.LittleEndian.AppendUint64(nil, maxHeader+1)
	for _, b := range [][]byte{nil, {1, 2, 3}, long, binary.LittleEndian.AppendUint64(nil, 1<<63), file("{}", nil)[:9]} {
		if _, err := openBytes(b); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("%v: %v", b, err)
		}
	}
	// The reader is not asked for a header that the size rules out.
	if _, err := New(bytes.NewReader(long), 1<<40); !errors.Is(err, quant.ErrFormat) {
		t.Error(err)
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	_, err := openBytes(file(`{"a":{"future":{"x":[1,{"dtype":"F64"}]},"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, make([]byte, 8)))
	if err != nil {
		t.Error(err)
	}
}

func TestHugeNamesAreCutInErrors(t *testing.T) {
	name := strings.Repeat("x", 1<<20)
	_, err := openBytes(file(`{"`+name+`":{"dtype":"`+name+`","shape":[2],"data_offsets":[0,8]}}`, make([]byte, 8)))
	if err == nil || len(err.Error()) > 1000 {
		t.Errorf("message of %d bytes", len(fmt.Sprint(err)))
	}
}

// TestConversions reads random rows of every float type, in ranges that cross
// the buffer, against a direct decoding of the bytes.
func TestConversions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const rows, cols = 61, 1237
	for _, d := range []DType{F64, F32, F16, BF16} {
		size := d.Bits() / 8
		data := make([]byte, rows*cols*size)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		f, err := openBytes(file(fmt.Sprintf(`{"w":{"dtype":%q,"shape":[%d,%d],"data_offsets":[0,%d]}}`, d, rows, cols, len(data)), data))
		if err != nil {
			t.Fatal(err)
		}
		w, _ := f.Tensor("w")
		for range 8 {
			lo := r.IntN(rows)
			hi := lo + r.IntN(rows-lo) + 1
			got32, got64 := make([]float32, (hi-lo)*cols), make([]float64, (hi-lo)*cols)
			if err := errors.Join(f.ReadRows(got32, w, lo, hi), f.Read64(got64, w, int64(lo)*cols)); err != nil {
				t.Fatal(err)
			}
			for i := range got64 {
				want := decodeOne(d, data[(lo*cols+i)*size:])
				if !same(got64[i], want) || !same(float64(got32[i]), float64(float32(want))) {
					t.Fatalf("%s, element %d: %v and %v, want %v", d, i, got32[i], got64[i], want)
				}
			}
		}
	}
}

func same(a, b float64) bool { return a == b || a != a && b != b }

func decodeOne(d DType, b []byte) float64 {
	le := binary.LittleEndian
	switch d {
	case F64:
		return math.Float64frombits(le.Uint64(b))
	case F32:
		return float64(math.Float32frombits(le.Uint32(b)))
	case BF16:
		return float64(math.Float32frombits(uint32(le.Uint16(b)) << 16))
	}
	u := le.Uint16(b)
	e, m := int(u>>10&31), float64(u&1023)
	v := math.Ldexp(m, -24)
	switch {
	case e == 31 && m != 0:
		return math.NaN()
	case e == 31:
		v = math.Inf(1)
	case e > 0:
		v = math.Ldexp(m+1024, e-25)
	}
	return math.Copysign(v, 1-2*float64(u>>15))
}

// failing is a disk that breaks after some bytes, or a file that has shrunk.
type failing struct {
	b    []byte
	upto int64
	err  error
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.upto {
		n := copy(p, f.b[min(off, f.upto):f.upto])
		return n, f.err
	}
	return bytes.NewReader(f.b).ReadAt(p, off)
}

func TestReadErrors(t *testing.T) {
	data := make([]byte, 29)
	b := file(twoTensors, data)
	disk := errors.New("input/output error")
	for _, upto := range []int64{4, 60} {
		if _, err := New(failing{b, upto, disk}, int64(len(b))); !errors.Is(err, disk) {
			t.Errorf("breaking at %d: %v", upto, err)
		}
	}
	for _, want := range []error{disk, io.ErrUnexpectedEOF} {
		fail := want
		if want == io.ErrUnexpectedEOF {
			fail = io.EOF
		}
		f, err := New(failing{b, int64(len(b)) - 6, fail}, int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		x, _ := f.Tensor("b")
		err = f.ReadRows(make([]float32, 6), x, 0, 2)
		if !errors.Is(err, want) || !strings.Contains(err.Error(), `tensor "b"`) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.safetensors")
	if err := os.WriteFile(path, file(twoTensors, make([]byte, 29)), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if f.Path() != path || f.Close() != nil {
		t.Error("path or close")
	}
	if _, err := Open(dir); err == nil {
		t.Error("opened a directory")
	}
	if _, err := Open(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want not exist", err)
	}
	os.WriteFile(path, []byte("hello, world"), 0o666)
	if _, err := Open(path); !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want ErrFormat with the path", err)
	}
}

func TestConcurrentReads(t *testing.T) {
	const rows, cols = 64, 100
	var vs []float32
	for i := range rows * cols {
		vs = append(vs, float32(i))
	}
	f, err := openBytes(file(fmt.Sprintf(`{"w":{"dtype":"F32","shape":[%d,%d],"data_offsets":[0,%d]}}`, rows, cols, 4*len(vs)), f32s(vs...)))
	if err != nil {
		t.Fatal(err)
	}
	w, _ := f.Tensor("w")
	var wg sync.WaitGroup
	for i := range rows {
		wg.Go(func() {
			dst := make([]float32, cols)
			if err := f.ReadRows(dst, w, i, i+1); err != nil || dst[cols-1] != float32(i*cols+cols-1) {
				t.Errorf("row %d: %v, %v", i, dst[cols-1], err)
			}
		})
	}
	wg.Wait()
}

// FuzzNew checks that whatever is accepted has tensors side by side that fill
// the file and can all be read.
func FuzzNew(f *testing.F) {
	f.Add(file(twoTensors, make([]byte, 29)))
	f.Add(file(`{"s":{"dtype":"F64","shape":[],"data_offsets":[0,8]},"z":{"dtype":"F4","shape":[0,7],"data_offsets":[8,8]}}`, make([]byte, 8)))
	f.Add(file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}}`, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := openBytes(b)
		if err != nil {
			if !errors.Is(err, quant.ErrFormat) {
				t.Fatalf("not ErrFormat: %v", err)
			}
			return
		}
		end := int64(8 + binary.LittleEndian.Uint64(b))
		for _, x := range s.Tensors() {
			if x.Begin != end || x.Bytes()*8 != x.Elements()*int64(x.DType.Bits()) {
				t.Fatalf("tensor %+v at %d", x, end)
			}
			end = x.End
			if y, ok := s.Tensor(x.Name); !ok || y.Begin != x.Begin {
				t.Fatalf("tensor %q is not found by its name", x.Name)
			}
			if x.DType.IsFloat() {
				if err := s.ReadRows(make([]float32, x.Elements()), x, 0, x.Rows()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if end != int64(len(b)) {
			t.Fatalf("tensors end at %d of %d", end, len(b))
		}
	})
}
