package safetensors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// memory is an io.WriterAt.
type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if n := int(off) + len(p); n > len(m.b) {
		m.b = append(m.b, make([]byte, n-len(m.b))...)
	}
	return copy(m.b[off:], p), nil
}

// TestWriteRead writes random tensors in random parts and reads them.
func TestWriteRead(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		var tensors []Tensor
		data := make(map[string][]byte)
		for i := range r.IntN(8) {
			x := Tensor{Name: fmt.Sprintf("täns\"or <%d>\n", i), DType: []DType{F32, F16, U8, "I64", "BOOL"}[r.IntN(5)], Shape: []int{}}
			for range r.IntN(4) {
				x.Shape = append(x.Shape, r.IntN(6))
			}
			b := make([]byte, x.Elements()*int64(x.DType.Bits()/8))
			for j := range b {
				b[j] = byte(r.Uint32())
			}
			data[x.Name] = b
			tensors = append(tensors, x)
		}
		var m memory
		w, err := NewWriter(&m, tensors, map[string]string{"k\u2028": "0000", "a": "<b>"})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range r.Perm(len(tensors)) {
			name := tensors[i].Name
			b := data[name]
			cut := r.IntN(len(b) + 1)
			if err := errors.Join(w.WriteAt(name, b[cut:], int64(cut)), w.WriteAt(name, b[:cut], 0)); err != nil {
				t.Fatal(err)
			}
		}
		meta := map[string]string{"k\u2028": "abcd", "a": "<b>"}
		if err := w.Finish(meta); err != nil {
			t.Fatal(err)
		}
		if int64(len(m.b)) != w.Size() {
			t.Fatalf("%d bytes, Size is %d", len(m.b), w.Size())
		}
		f, err := openBytes(m.b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(meta, f.Metadata()); diff != "" {
			t.Fatalf("metadata (-want +got)\n%s", diff)
		}
		for _, want := range tensors {
			got, ok := f.Tensor(want.Name)
			if !ok || got.DType != want.DType || cmp.Diff(want.Shape, got.Shape) != "" {
				t.Fatalf("got %+v, want %+v", got, want)
			}
			if got.Begin*8%int64(got.DType.Bits()) != 0 {
				t.Fatalf("%+v is not aligned", got)
			}
			b, err := io.ReadAll(f.Section(got))
			if err != nil || !bytes.Equal(b, data[want.Name]) {
				t.Fatalf("%q: %v", want.Name, err)
			}
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	u8 := Tensor{Name: "a", DType: U8, Shape: []int{4}}
	for _, tensors := range [][]Tensor{
		{u8, u8},
		{{Name: metadataKey, DType: U8}},
		{{Name: "a", DType: "X"}},
		{{Name: "a", DType: "F4", Shape: []int{3}}},
		{{Name: "a", DType: F64, Shape: []int{1 << 30, 1 << 30, 1 << 30}}},
	} {
		if _, err := NewWriter(&memory{}, tensors, nil); err == nil {
			t.Errorf("%v: no error", tensors)
		}
	}
	w, err := NewWriter(&memory{}, []Tensor{u8}, map[string]string{"k": "v"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		n    int
		off  int64
	}{{"b", 1, 0}, {"a", 5, 0}, {"a", 1, 4}, {"a", 1, -1}, {"a", 0, 5}} {
		if err := w.WriteAt(c.name, make([]byte, c.n), c.off); err == nil {
			t.Errorf("%v: no error", c)
		}
	}
	if err := w.Finish(map[string]string{"k": "v"}); err == nil || !strings.Contains(err.Error(), "0 of 4") {
		t.Errorf("incomplete: %v", err)
	}
	w.WriteAt("a", make([]byte, 4), 0)
	if err := w.Finish(map[string]string{"k": "much longer"}); err == nil {
		t.Error("the header grew into the data")
	}
	if err := w.Finish(map[string]string{"k": "w"}); err != nil {
		t.Error(err)
	}
}
