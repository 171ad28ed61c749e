package hf

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bitmod-go/bitmod/internal/gguf"
)

// A model is one of testdata, which testdata/make.py has made.
type model struct {
	Config  map[string]any
	Tensors map[string]expected
}

type expected struct {
	shape  []int
	sha256 string
}

func (e *expected) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&e.shape, &e.sha256})
}

// names returns the models of testdata.
func names(tb testing.TB) []string {
	paths, err := filepath.Glob("testdata/*.gguf")
	if err != nil || len(paths) < 14 {
		tb.Fatalf("%d models, %v", len(paths), err)
	}
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(p), ".gguf")
	}
	return paths
}

func readModel(tb testing.TB, name string) model {
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	var m model
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// openSource opens a GGUF file.
func openSource(tb testing.TB, path string) (Source, func(i int) Data) {
	f, err := gguf.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	return sourceOf(f)
}

type stored struct {
	f *gguf.File
	t gguf.Tensor
}

func (s stored) Read(dst []float32, first int64) error   { return s.f.Read(dst, s.t, first) }
func (s stored) Read64(dst []float64, first int64) error { return s.f.Read64(dst, s.t, first) }

func sourceOf(f *gguf.File) (Source, func(i int) Data) {
	ts := f.Tensors()
	return Source{Pairs: f.Metadata(), Tensors: ts, Read: func(i int, dst []float32) error { return f.Read(dst, ts[i], 0) }},
		func(i int) Data { return stored{f, ts[i]} }
}

// open returns the elements of a tensor of a model.
func (t Tensor) open(data func(i int) Data) Data {
	from := make([]Data, len(t.From))
	for i, j := range t.From {
		from[i] = data(j)
	}
	return t.View.Open(t.Shape, from)
}

func elements(shape []int) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= int64(d)
	}
	return n
}

// TestFamilies compares with the models that the files were made of: every tensor
// and every member of config.json.
func TestFamilies(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			want := readModel(t, name)
			s, data := openSource(t, "testdata/"+name+".gguf")
			m, err := Convert(s)
			if err != nil {
				t.Fatal(err)
			}
			if m.Family == "" {
				t.Fatalf("unknown: %s", m.Reason)
			}
			if m.Reason != "" {
				t.Errorf("known, but with a reason: %s", m.Reason)
			}
			for _, x := range m.Tensors {
				e, ok := want.Tensors[x.Name]
				delete(want.Tensors, x.Name)
				switch {
				case !ok:
					t.Errorf("%s should not be there", x.Name)
					continue
				case !slices.Equal(x.Shape, e.shape):
					t.Errorf("%s has shape %v, want %v", x.Name, x.Shape, e.shape)
					continue
				}
				v := make([]float32, elements(x.Shape))
				if err := x.open(data).Read(v, 0); err != nil {
					t.Fatalf("%s: %v", x.Name, err)
				}
				var b bytes.Buffer
				binary.Write(&b, binary.LittleEndian, v)
				if sum := sha256.Sum256(b.Bytes()); hex.EncodeToString(sum[:]) != e.sha256 {
					t.Errorf("%s has other elements", x.Name)
				}
				checkParts(t, x, data, v)
			}
			for name := range want.Tensors {
				t.Errorf("%s is missing", name)
			}
			checkConfig(t, m, want.Config)
		})
	}
}

// checkParts reads parts of a tensor, and in both precisions.
func checkParts(t *testing.T, x Tensor, data func(i int) Data, want []float32) {
	t.Helper()
	d, n := x.open(data), len(want)
	for _, part := range [][2]int{{0, 1}, {n - 1, n}, {n / 3, n/3 + 1}, {n / 3, n - n/5}, {1, n}} {
		got, got64 := make([]float32, part[1]-part[0]), make([]float64, part[1]-part[0])
		if err := d.Read(got, int64(part[0])); err != nil {
			t.Fatal(err)
		}
		if err := d.Read64(got64, int64(part[0])); err != nil {
			t.Fatal(err)
		}
		for i, x := range want[part[0]:part[1]] {
			if got[i] != x || got64[i] != float64(x) {
				t.Fatalf("%T: element %d of %d to %d is %v and %v, want %v", d, part[0]+i, part[0], part[1], got[i], got64[i], x)
			}
		}
	}
	turned, ok := d.(Turned)
	if !ok {
		return
	}
	rows, cols := x.Shape[len(x.Shape)-2], x.Shape[len(x.Shape)-1]
	got := make([]float32, n)
	if err := turned.Untransposed().Read(got, 0); err != nil {
		t.Fatal(err)
	}
	for i := range n / (rows * cols) * rows {
		for j := range cols {
			at, row := i/rows*rows*cols, i%rows
			if got[at+j*rows+row] != want[i*cols+j] {
				t.Fatalf("%s: the transpose has %v at row %d of %d, want %v", x.Name, got[at+j*rows+row], j, i, want[i*cols+j])
			}
		}
	}
}

// checkConfig compares config.json with what a model was published with.
func checkConfig(t *testing.T, m *Model, want map[string]any) {
	t.Helper()
	b, err := fs.ReadFile(m.Files, "config.json")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	for k, v := range want {
		if k == "rope_theta" && want["rope_theta"] == nil {
			continue
		}
		if !reflect.DeepEqual(got[k], v) {
			t.Errorf("config.json has %s %v, want %v", k, got[k], v)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok && k != "head_dim" {
			t.Errorf("config.json has %s: %v, which the model has not", k, got[k])
		}
	}
	present := slices.Sorted(maps.Keys(m.Files.build().files))
	if err := fstest.TestFS(m.Files, present...); err != nil {
		t.Error(err)
	}
}

func ExampleConvert() {
	f, err := gguf.Open("testdata/qwen2.gguf")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	s, _ := sourceOf(f)
	m, err := Convert(s)
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Tensors[2].Name, "is", m.Tensors[2].Name)
	// Output: blk.0.ffn_down.weight is model.layers.0.mlp.down_proj.weight
}
