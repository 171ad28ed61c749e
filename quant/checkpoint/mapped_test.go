package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/kernel"
	"github.com/bitmod-go/bitmod/quant"
)

func openMapped(t testing.TB, path string) *Checkpoint {
	t.Helper()
	c, err := OpenMapped(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// isMapped reports whether the codes of a matrix are in the mapped file of a tensor.
func isMapped(c *Checkpoint, name string, m *quant.Matrix) bool {
	file := c.data[c.byName[name]].(*packed).f.Map()
	if file == nil {
		return false
	}
	b := file.Bytes()
	at := uintptr(unsafe.Pointer(unsafe.SliceData(m.Storage().Codes)))
	return at-uintptr(unsafe.Pointer(&b[0])) < uintptr(len(b))
}

func canMap() bool {
	return runtime.GOOS != "windows" && runtime.GOOS != "plan9" && runtime.GOOS != "js"
}

// TestMapped compares a mapped checkpoint of each type with the same checkpoint read.
func TestMapped(t *testing.T) {
	paths := []string{quantizedModel(t)}
	mixed, _, _ := saveMixed(t)
	paths = append(paths, mixed)
	src := openSource(t, model(4)...)
	for _, typ := range datatype.Types() {
		path := filepath.Join(t.TempDir(), "q.safetensors")
		run(t, plan(t, src, Options{Config: quant.Config{Type: typ}}), path, RunOptions{})
		paths = append(paths, path)
	}
	for _, path := range paths {
		want, c := open(t, path), openMapped(t, path)
		sameCheckpoint(t, c, want)
		for _, x := range c.Tensors() {
			if !x.Quantized {
				continue
			}
			for _, r := range [][2]int{{0, x.Rows()}, {0, 1}, {x.Rows() / 2, x.Rows()}} {
				a, err1 := c.MatrixRows(x.Name, r[0], r[1])
				b, err2 := want.MatrixRows(x.Name, r[0], r[1])
				if err := errors.Join(err1, err2); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(binaryForm(t, a), binaryForm(t, b)) {
					t.Errorf("%s: rows %v differ", x.Name, r)
				}
				if a.Parts() == 1 && isMapped(c, x.Name, a) != canMap() {
					t.Errorf("%s of %v is mapped: %v", x.Name, x.Type, !canMap())
				}
			}
		}
	}
}

// TestMappedUnaligned maps a file whose data starts at an odd byte, as other writers
// may have it: floats are copied.
func TestMappedUnaligned(t *testing.T) {
	path, _, _ := saveMixed(t)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(b)
	odd := filepath.Join(t.TempDir(), "odd.safetensors")
	moved := append(binary.LittleEndian.AppendUint64(nil, n+1), b[8:8+n]...)
	if err := os.WriteFile(odd, append(append(moved, ' '), b[8+n:]...), 0o666); err != nil {
		t.Fatal(err)
	}
	sameCheckpoint(t, openMapped(t, odd), open(t, path))
}

// TestMappedShrunk shortens a file before and after it is opened, and before it is
// mapped.
func TestMappedShrunk(t *testing.T) {
	path, _, _ := saveMixed(t)
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	c := openMapped(t, path)
	os.Truncate(path, st.Size()-1)
	failed := 0
	for _, x := range c.Tensors() {
		if x.Quantized {
			if _, err := c.Matrix(x.Name); errors.Is(err, io.ErrUnexpectedEOF) {
				failed++
			} else if err != nil {
				t.Error(err)
			}
		}
	}
	if failed != 1 {
		t.Errorf("%d matrices could not be read, want the one at the end", failed)
	}
	if _, err := OpenMapped(path); !errors.Is(err, quant.ErrFormat) {
		t.Errorf("opened later: %v", err)
	}
}

// TestMappedLifetime multiplies by matrices of files that are closed and removed, while
// the garbage collector runs.
func TestMappedLifetime(t *testing.T) {
	w := make([]float32, 64*512)
	for i := range w {
		w[i] = float32(i%13) - 6
	}
	m, err := quant.Group(w, 512, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	saved(t, path, []Entry{{Name: "w", Matrix: m}}, SaveOptions{}).Close()
	var a kernel.Activation
	if err := a.Load(w[:512]); err != nil {
		t.Fatal(err)
	}
	want := make([]float32, 64)
	if err := kernel.GEMV(want, m, &a); err != nil {
		t.Fatal(err)
	}
	stop := make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	only := func() *quant.Matrix {
		c, err := OpenMapped(path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		m, err := c.Matrix("w")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	take := func() *quant.Matrix {
		m := only()
		for range 2 { // unreachable files are unmapped by now
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
		return m
	}
	pool, err := kernel.NewPool(2)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	rounds := 80
	if testing.Short() {
		rounds = 20
	}
	got := make([]float32, 64)
	for i := range rounds {
		switch i % 4 {
		case 0:
			err = kernel.GEMV(got, take(), &a)
		case 1:
			err = kernel.GEMM(got, take(), unsafe.Slice(&a, 1))
		case 2:
			err = pool.GEMV(got, take(), &a)
		case 3:
			err = kernel.Reference(got, take(), &a)
		}
		if err != nil || !bytes.Equal(leBytes(got), leBytes(want)) {
			t.Fatalf("round %d: other results, %v", i, err)
		}
		if !bytes.Equal(binaryForm(t, take()), binaryForm(t, m)) {
			t.Fatalf("round %d: other codes", i)
		}
	}
	close(stop)
	wg.Wait()
}

// TestMapOnlyOnRequest checks that only files opened for mapping are mapped.
func TestMapOnlyOnRequest(t *testing.T) {
	path, _, _ := saveMixed(t)
	s, err := badfile.Open("a file", path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Map() != nil {
		t.Error("it is mapped")
	}
}
