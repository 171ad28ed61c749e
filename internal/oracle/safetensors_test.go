package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	ours "github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
	theirs "github.com/nlpodyssey/safetensors"
)

// memory is an io.WriterAt.
type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if n := int(off) + len(p); n > len(m.b) {
		m.b = append(m.b, make([]byte, n-len(m.b))...)
	}
	return copy(m.b[off:], p), nil
}

type tensor struct {
	name  string
	dtype string
	shape []int
	data  []byte
}

func random(r *rand.Rand) []tensor {
	var ts []tensor
	for i := range r.IntN(6) {
		t := tensor{name: fmt.Sprintf("tensor \"%d\" é", i), dtype: []string{"F64", "F32", "F16", "BF16", "I64", "U8", "BOOL"}[r.IntN(7)]}
		n := ours.DType(t.dtype).Bits() / 8
		for range r.IntN(4) {
			d := r.IntN(5)
			t.shape = append(t.shape, d)
			n *= d
		}
		t.data = make([]byte, n)
		for j := range t.data {
			t.data[j] = byte(r.Uint32())
		}
		ts = append(ts, t)
	}
	return ts
}

// write writes with our writer.
func write(t *testing.T, ts []tensor) []byte {
	t.Helper()
	var list []ours.Tensor
	for _, x := range ts {
		list = append(list, ours.Tensor{Name: x.name, DType: ours.DType(x.dtype), Shape: x.shape})
	}
	var m memory
	meta := map[string]string{"a": "b"}
	w, err := ours.NewWriter(&m, list, meta)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range ts {
		if err := w.WriteAt(x.name, x.data, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(meta); err != nil {
		t.Fatal(err)
	}
	return m.b
}

// same compares what both read of a file.
func same(t *testing.T, f *ours.File, st theirs.SafeTensors) {
	t.Helper()
	if a, b := len(f.Tensors()), st.Len(); a != b {
		t.Fatalf("we have %d tensors, they have %d", a, b)
	}
	for _, x := range f.Tensors() {
		y, ok := st.Tensor(x.Name)
		if !ok || y.DType().String() != string(x.DType) || fmt.Sprint(y.Shape()) != fmt.Sprint(x.Shape) {
			t.Fatalf("we have %+v, they have %v %v", x, y.DType(), y.Shape())
		}
		b, err := io.ReadAll(f.Section(x))
		if err != nil || !bytes.Equal(b, y.Data()) {
			t.Fatalf("%q: different data, %v", x.Name, err)
		}
	}
}

func TestTheyReadWhatWeWrite(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		b := write(t, random(r))
		st, err := theirs.Deserialize(b)
		if err != nil {
			t.Fatal(err)
		}
		f, err := ours.New(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		same(t, f, st)
	}
}

func TestWeReadWhatTheyWrite(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for range 200 {
		views := make(map[string]theirs.TensorView)
		for _, x := range random(r) {
			if len(x.shape) == 0 {
				continue // NewTensorView takes a scalar for empty
			}
			d, err := theirs.ParseDType(x.dtype)
			if err != nil {
				t.Fatal(err)
			}
			shape := []uint64{}
			for _, n := range x.shape {
				shape = append(shape, uint64(n))
			}
			if views[x.name], err = theirs.NewTensorView(d, shape, x.data); err != nil {
				t.Fatal(err)
			}
		}
		b, err := theirs.Serialize(views, map[string]string{"k": "v"})
		if err != nil {
			t.Fatal(err)
		}
		f, err := ours.New(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		st, err := theirs.Deserialize(b)
		if err != nil {
			t.Fatal(err)
		}
		same(t, f, st)
	}
}

// TestDamagedFiles changes bytes of the header: what we accept they accept, with
// the same tensors, but for dtypes that they do not know.
func TestDamagedFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	accepted, stricter := 0, 0
	for range 20_000 {
		b := write(t, random(r))
		for range 1 + r.IntN(2) {
			header := int(b[0]) + int(b[1])<<8 + 8
			at := r.IntN(min(header, len(b)))
			switch r.IntN(3) {
			case 0:
				b[at] ^= 1 << r.IntN(8)
			case 1:
				b[at] = `{}[]",:0123456789 `[r.IntN(18)]
			case 2:
				b = b[:len(b)-r.IntN(min(len(b), 9))]
			}
			if len(b) < 8 {
				break
			}
		}
		f, err := ours.New(bytes.NewReader(b), int64(len(b)))
		st, theirErr := theirs.Deserialize(b)
		switch {
		case err != nil && !errors.Is(err, quant.ErrFormat):
			t.Fatalf("not ErrFormat: %v", err)
		case err == nil && theirErr != nil:
			t.Fatalf("we accept what they reject with %v:\n%q", theirErr, b)
		case err == nil:
			accepted++
			same(t, f, st)
		case theirErr == nil:
			stricter++
		}
	}
	t.Logf("%d accepted by both, %d by them only", accepted, stricter)
	if accepted == 0 {
		t.Error("none accepted: the test compares nothing")
	}
}
