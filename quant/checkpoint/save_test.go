package checkpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// all returns entries that copy every tensor of c.
func all(c *Checkpoint) (entries []Entry) {
	for _, t := range c.Tensors() {
		entries = append(entries, Entry{Name: t.Name, From: c})
	}
	return entries
}

func saved(t testing.TB, dst string, entries []Entry, o SaveOptions) *Checkpoint {
	t.Helper()
	if err := Save(context.Background(), dst, entries, o); err != nil {
		t.Fatal(err)
	}
	return open(t, dst)
}

func sortedTensors(c *Checkpoint) []Tensor {
	return slices.SortedFunc(slices.Values(c.Tensors()), func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
}

// sameContent compares two checkpoints except for the order of tensors, and compares the
// metadata that Save copies.
func sameContent(t *testing.T, got, want *Checkpoint) {
	t.Helper()
	if !reflect.DeepEqual(sortedTensors(got), sortedTensors(want)) {
		t.Fatalf("tensors are %+v, want %+v", got.Tensors(), want.Tensors())
	}
	for _, x := range want.Tensors() {
		sameTensor(t, got, want, x.Name)
	}
	a, b := carried(got.Metadata(), 0), carried(want.Metadata(), 0)
	if !maps.Equal(a, b) || got.Metadata()[keySettings] != want.Metadata()[keySettings] {
		t.Fatalf("metadata is %v, want %v", a, b)
	}
}

// everyType has a tensor of each type of safetensors, a scalar and tensors without
// elements.
func everyType() (ws []weight) {
	for i, d := range []safetensors.DType{
		"F64", "I64", "U64", "C64", "F32", "I32", "U32", "F16", "BF16", "I16", "U16", "U8", "I8", "BOOL",
		"F8_E4M3", "F8_E5M2", "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4",
	} {
		b := make([]byte, 12*d.Bits()/8)
		for j := range b {
			b[j] = byte(i + 7*j)
		}
		ws = append(ws, weight{fmt.Sprintf("t%02d", i), d, []int{3, 4}, b})
	}
	return append(ws, weight{"scalar", "I64", nil, []byte{1, 2, 3, 4, 5, 6, 7, 8}}, weight{"none", "BF16", []int{0, 4}, nil}, weight{"name \"with\"\n\u202e", "U8", []int{1}, []byte{1}})
}

// openMixed opens a file of matrices with rows of several types.
func openMixed(t *testing.T) *Checkpoint {
	t.Helper()
	path, _, _ := saveMixed(t)
	return open(t, path)
}

func TestSaveRoundTrip(t *testing.T) {
	quantized := t.TempDir()
	run(t, plan(t, openSource(t, append(model(9), everyType()[9:]...)...), Options{ShardSize: 50_000}), quantized, RunOptions{})
	mixed := filepath.Join(t.TempDir(), "q.safetensors")
	run(t, plan(t, openSource(t, model(4)...), Options{Rules: Rules{Transposed: []string{"*o_proj*"}}, Config: quant.Config{Type: datatype.NVFP4RaZeR}}), mixed, RunOptions{})
	for name, c := range map[string]*Checkpoint{
		"model": openSource(t, model(9)...), "types": openSource(t, everyType()...),
		"quantized": open(t, quantized), "quantized file": open(t, mixed), "quantized rows": openMixed(t),
	} {
		for _, shardSize := range []int64{0, 1, 30_000, 1 << 40} {
			dir := filepath.Join(t.TempDir(), "new", "dir")
			got := saved(t, dir, all(c), SaveOptions{Metadata: c.Metadata(), ShardSize: shardSize})
			sameContent(t, got, c)
			if shardSize == 1 {
				if len(got.Files()) != len(c.Tensors()) {
					t.Errorf("%s: %d files for %d tensors", name, len(got.Files()), len(c.Tensors()))
				}
				for i, x := range c.Tensors() { // in the order of the entries
					if got.Tensors()[i].Name != x.Name {
						t.Errorf("%s: tensor %d is %s, want %s", name, i, got.Tensors()[i].Name, x.Name)
					}
				}
			}
			_, ofFormat := got.Metadata()[keyVersion]
			if quantized := strings.HasPrefix(name, "quantized"); ofFormat != quantized {
				t.Errorf("%s: is of the format: %v", name, ofFormat)
			} else if quantized {
				if _, err := Verify(context.Background(), got, nil, nil); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			// Copy repeatedly, as a file: once tensors are in the order of the copy, the
			// bytes stay the same.
			var file []byte
			for i := range 3 {
				path := filepath.Join(dir, fmt.Sprint(i, ".safetensors"))
				got = saved(t, path, all(got), SaveOptions{Metadata: got.Metadata()})
				sameContent(t, got, c)
				b, err := os.ReadFile(path)
				if err != nil || i == 2 && !bytes.Equal(b, file) {
					t.Errorf("%s: copy %d of a copy differs (%v)", name, i, err)
				}
				file = b
			}
		}
	}
}

func TestSaveGGUF(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	r := rand.New(rand.NewPCG(6, 6))
	q := make([]byte, 34*4)
	for i := range q {
		q[i] = byte(r.Uint32())
	}
	for i := range 4 {
		q[34*i+1] = 0x20 // a finite scale
	}
	writeGGUF(t, path, func(num func(...any)) int {
		num("general.name", uint32(8), "x")
		return 1
	}, random(r, "f16", "F16", 2, 32), random(r, "f32", "F32", 3), weight{"q8", "Q8_0", []int{2, 64}, q})
	c := open(t, path)
	got := saved(t, t.TempDir(), all(c), SaveOptions{Metadata: c.Metadata(), ShardSize: 1})
	for _, x := range []struct{ name, dtype string }{{"f16", "F16"}, {"f32", "F32"}, {"q8", "F32"}} {
		if y, _ := got.Tensor(x.name); y.DType != x.dtype {
			t.Errorf("%s is %s, want %s", x.name, y.DType, x.dtype)
		}
		if !slices.Equal(floats(t, got, x.name), floats(t, c, x.name)) {
			t.Errorf("%s differs", x.name)
		}
	}
	if got.Metadata()["gguf.general.name"] != `"x"` {
		t.Errorf("metadata %v", got.Metadata())
	}
}

// TestSaveTypes stores floats from memory as each type.
func TestSaveTypes(t *testing.T) {
	vs := []float32{1, -0.1, 3.14159265, 1e-7, 65504, 0}
	var entries []Entry
	for _, d := range []string{"", "F32", "F16", "BF16", "F64"} {
		entries = append(entries, Entry{Name: "x" + d, Floats: vs, DType: d, Shape: []int{2, 3}})
	}
	c := saved(t, filepath.Join(t.TempDir(), "s.safetensors"), entries, SaveOptions{})
	for name, unit := range map[string]float64{"x": 0, "xF32": 0, "xF64": 0, "xF16": 0x1p-11, "xBF16": 0x1p-8} {
		for i, v := range floats(t, c, name) {
			if d := math.Abs(float64(v) - float64(vs[i])); d > unit*math.Abs(float64(vs[i]))+0x1p-25*float64(min(unit, 1)*2048) {
				t.Errorf("%s: %v became %v", name, vs[i], v)
			}
		}
	}
	// The same from a checkpoint. A float64 is rounded once: 1+2^-11+2^-40 is above the
	// midpoint of two F16, but its float32 is the midpoint.
	b := binary.LittleEndian.AppendUint64(nil, math.Float64bits(1+0x1p-11+0x1p-40))
	src := openSource(t, weight{"w", "F64", []int{1}, b}, weight{"i", "I64", []int{1}, b}, weight{"big", "F64", []int{2, 2}, slices.Concat(b, b, b, binary.LittleEndian.AppendUint64(nil, math.Float64bits(1e300)))})
	got := saved(t, filepath.Join(t.TempDir(), "s.safetensors"), []Entry{{Name: "v", From: src, Source: "w", DType: "F16"}}, SaveOptions{})
	if v := floats(t, got, "v")[0]; v != 1+0x1p-10 {
		t.Errorf("rounded twice: %v", v)
	}
	dst := filepath.Join(t.TempDir(), "s.safetensors")
	for _, e := range []Entry{{Name: "big", From: src, DType: "F32"}, {Name: "big", From: src, DType: "BF16"}, {Name: "big", Floats: []float32{0, 0, 0, 65520}, Shape: []int{2, 2}, DType: "F16"}} {
		err := Save(context.Background(), dst, []Entry{e}, SaveOptions{})
		if !errors.Is(err, quant.ErrNotFinite) || !strings.Contains(fmt.Sprint(err), `"big"`) || !strings.Contains(fmt.Sprint(err), "row 1, column 1") {
			t.Errorf("%s to %s: %v", e.Name, e.DType, err)
		}
	}
	if err := Save(context.Background(), dst, []Entry{{Name: "i", From: src, DType: "F32"}}, SaveOptions{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("integers to floats: %v", err)
	}
	if ns := dirtest.Names(t, filepath.Dir(dst)); len(ns) > 0 {
		t.Errorf("left: %q", ns)
	}
}

// TestSaveRead stores floats that a function gives, as if they were in memory.
func TestSaveRead(t *testing.T) {
	vs := make([]float32, 3*blockWeights/4+5)
	for i := range vs {
		vs[i] = float32(i%1000) / 7
	}
	next := int64(0)
	read := func(dst []float32, first int64) error {
		if first != next {
			t.Errorf("elements from %d on, want %d", first, next)
		}
		next = first + int64(len(dst))
		return inMemory(vs).Read(dst, first)
	}
	dir := t.TempDir()
	for _, d := range []string{"", "F32", "F16", "BF16", "F64"} {
		next = 0
		a := saved(t, filepath.Join(dir, "a.safetensors"), []Entry{{Name: "x", Read: read, DType: d, Shape: []int{len(vs)}}}, SaveOptions{})
		b := saved(t, filepath.Join(dir, "b.safetensors"), []Entry{{Name: "x", Floats: vs, DType: d, Shape: []int{len(vs)}}}, SaveOptions{})
		sameContent(t, a, b)
		if next != int64(len(vs)) {
			t.Errorf("%s: %d elements of %d", d, next, len(vs))
		}
	}
}

// TestSaveDequantized writes quantized tensors as floats.
func TestSaveDequantized(t *testing.T) {
	dir := quantizedModel(t)
	q := open(t, dir)
	entries := all(q)
	for i, x := range q.Tensors() {
		if x.Quantized {
			entries[i].DType = "F32"
		}
	}
	c := saved(t, t.TempDir(), entries, SaveOptions{Metadata: q.Metadata()})
	for _, x := range q.Tensors() {
		if y, _ := c.Tensor(x.Name); x.Quantized && (y.DType != "F32" || !slices.Equal(floats(t, c, x.Name), floats(t, q, x.Name))) {
			t.Errorf("%s differs", x.Name)
		}
	}
	if _, ok := c.Metadata()[keyVersion]; ok || c.Metadata()["format"] != "pt" {
		t.Errorf("metadata %v", c.Metadata())
	}
}

func TestSaveErrors(t *testing.T) {
	w := make([]float32, 3*40)
	m, err := quant.Group(w, 40, quant.Config{Type: datatype.NVFP4RaZeR})
	if err != nil {
		t.Fatal(err)
	}
	c := openSource(t, random(rand.New(rand.NewPCG(1, 1)), "w", "F32", 2, 8))
	dir := t.TempDir()
	path := filepath.Join(dir, "s.safetensors")
	saved(t, path, []Entry{{Name: "m", Matrix: m, Shape: []int{1, 3, 40}}}, SaveOptions{})
	for i, x := range []struct {
		entries []Entry
		want    error
	}{
		{[]Entry{{Name: "a"}}, quant.ErrShape},
		{[]Entry{{Name: "a", Shape: []int{0}}}, quant.ErrShape},
		{[]Entry{{Name: "a", Floats: w, Shape: []int{7}}}, quant.ErrShape},
		{[]Entry{{Name: "a", Floats: w[:1], Shape: []int{-1, -1}}}, quant.ErrShape},
		{[]Entry{{Name: "a", Floats: w[:0], Shape: []int{math.MaxInt, math.MaxInt}}}, quant.ErrShape},
		{[]Entry{{Name: "a", Floats: w[:1], Matrix: m}}, quant.ErrShape},
		{[]Entry{{Name: "a", Floats: w[:1], Read: inMemory(w).Read}}, quant.ErrShape},
		{[]Entry{{Name: "a", Read: inMemory(w).Read, Shape: []int{math.MaxInt32, math.MaxInt32}}}, quant.ErrShape},
		{[]Entry{{Name: "a", Read: inMemory(w).Read, DType: "I64"}}, ErrUnsupported},
		{[]Entry{{Name: "a", Read: inMemory(w).Read, Shape: []int{len(w) + 1}}}, io.ErrUnexpectedEOF},
		{[]Entry{{Name: "a", Floats: w[:1], DType: "I64"}}, ErrUnsupported},
		{[]Entry{{Name: "a", Floats: w[:1], DType: "F128"}}, ErrUnsupported},
		{[]Entry{{Name: "a", Matrix: new(quant.Matrix)}}, quant.ErrShape},
		{[]Entry{{Name: "a", Matrix: m, Shape: []int{40, 3}}}, quant.ErrShape},
		{[]Entry{{Name: "a", Matrix: m, DType: "F32"}}, quant.ErrShape},
		{[]Entry{{Name: "a", Matrix: m}, {Name: "a", Matrix: m}}, quant.ErrFormat},
		{[]Entry{{Name: "a", Matrix: m}, {Name: "a.codes", Floats: w[:1]}}, quant.ErrFormat},
		{[]Entry{{Name: "a.codes", Floats: w[:1]}, {Name: "a", Matrix: m}}, quant.ErrFormat},
		{[]Entry{{Name: "a", Data: []byte{1}, DType: "I64"}}, quant.ErrShape},
		{[]Entry{{Name: "a", Data: []byte{1}, DType: "F4"}}, quant.ErrShape},
		{[]Entry{{Name: "a", Data: []byte{1}}}, ErrUnsupported},
		{[]Entry{{Name: "a", Data: []byte{1}, DType: "bitmod4"}}, ErrUnsupported},
		{[]Entry{{Name: "a", From: c}}, ErrNoTensor},
		{[]Entry{{Name: "w", From: c, Shape: []int{16}}}, quant.ErrShape},
		{[]Entry{{Name: "w", From: c, DType: "U8"}}, ErrUnsupported},
		{[]Entry{{Name: "w", Floats: w[:1], Source: "w"}}, quant.ErrShape},
		{[]Entry{{Name: "\xff", Floats: w[:1]}}, quant.ErrFormat},
		{[]Entry{{Name: "__metadata__", Floats: w[:1]}}, nil},
	} {
		err := Save(context.Background(), path, x.entries, SaveOptions{})
		if err == nil || x.want != nil && !errors.Is(err, x.want) {
			t.Errorf("%d, %+v: %v, want %v", i, x.entries, err, x.want)
		}
		if te, ok := errors.AsType[*TensorError](err); x.want != nil && (!ok || !slices.ContainsFunc(x.entries, func(e Entry) bool { return e.Name == te.Tensor })) {
			t.Errorf("%d: the error blames %+v", i, te)
		}
	}
	if err := Save(context.Background(), path, nil, SaveOptions{ShardSize: -1}); !errors.Is(err, quant.ErrShape) {
		t.Errorf("ShardSize −1: %v", err)
	}
	os.WriteFile(filepath.Join(dir, "other.safetensors.index.json"), []byte("{}"), 0o666)
	if err := Save(context.Background(), dir, all(c), SaveOptions{}); !errors.Is(err, ErrExists) {
		t.Errorf("another index: %v", err)
	}
	if open(t, path); len(dirtest.Names(t, dir)) != 2 {
		t.Errorf("left %v", dirtest.Names(t, dir))
	}
	c.Close()
	if err := Save(context.Background(), path, all(c), SaveOptions{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed source: %v", err)
	}
	open(t, path)
}

// A hookedDisk calls hook before and after every operation with a name.
type hookedDisk struct{ hook func() error }

func (d hookedDisk) create(path string) (atomicfile.File, error) {
	f, err := atomicfile.Create(path)
	return hookedFile{f, d}, err
}

type hookedFile struct {
	atomicfile.File
	d hookedDisk
}

func (f hookedFile) Commit() error {
	if err := f.d.hook(); err != nil {
		f.Abort()
		return err
	}
	return errors.Join(f.File.Commit(), f.d.hook())
}

func (d hookedDisk) remove(path string) error {
	if err := d.hook(); err != nil {
		return err
	}
	return errors.Join(os.Remove(path), d.hook())
}

// identity reads the checkpoint of a directory and returns the value of its tensors,
// which must be the same in all.
func identity(dir string) (float32, error) {
	c, err := Open(dir)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := Verify(context.Background(), c, nil, nil); err != nil && !strings.Contains(err.Error(), "no checksums") {
		return 0, err
	}
	var first float32
	for i, x := range c.Tensors() {
		v := make([]float32, x.Elements())
		if err := c.ReadRows(v, x.Name, 0, x.Rows()); err != nil {
			return 0, err
		}
		if i == 0 {
			first = v[0]
		} else if v[0] != first {
			return 0, fmt.Errorf("a mixture of %v and %v", v[0], first)
		}
	}
	if n := len(c.Tensors()); n != 4 {
		return 0, fmt.Errorf("%d of 4 tensors", n)
	}
	return first, nil
}

// entriesOf returns 4 tensors full of v.
func entriesOf(v float32) (entries []Entry) {
	for i := range 4 {
		entries = append(entries, Entry{Name: fmt.Sprint("t", i), Floats: []float32{v, v, v, v}, Shape: []int{2, 2}})
	}
	return entries
}

// TestSaveInterrupted saves over a checkpoint, for all pairs of numbers of files, and
// stops at each step that another process could see. A reader then opens the old
// checkpoint, or the new, or nothing, and never the old after the new.
func TestSaveInterrupted(t *testing.T) {
	sizes := []int64{0, 16, 32, 48} // 1, 4, 2, 2 files
	stop := errors.New("stop")
	states, refused := 0, 0
	for _, from := range append(sizes, -1) {
		for _, to := range sizes {
			for at := 0; ; at += stride(7) {
				dir := t.TempDir()
				old := float32(0)
				if from >= 0 {
					old = 1
					saved(t, dir, entriesOf(1), SaveOptions{ShardSize: from}).Close()
				}
				steps := 0
				reached := false
				hook := func() error {
					states++
					v, err := identity(dir)
					switch {
					case err != nil && (strings.Contains(err.Error(), "mixture") || strings.Contains(err.Error(), "of 4")):
						t.Fatalf("from %d to %d, step %d: %v", from, to, steps, err)
					case err != nil:
						refused++
					case v == 2:
						reached = true
					case v != old || reached:
						t.Fatalf("from %d to %d, step %d: opened as %v", from, to, steps, v)
					}
					if steps++; steps > at {
						return stop
					}
					return nil
				}
				disk := hookedDisk{hook}
				err := Save(context.Background(), dir, entriesOf(2), SaveOptions{ShardSize: to, create: disk.create, remove: disk.remove})
				for _, n := range dirtest.Names(t, dir) {
					if strings.HasPrefix(n, ".") {
						t.Fatalf("from %d to %d, step %d: %s is left", from, to, at, n)
					}
				}
				// Another Save continues from there.
				next := saved(t, dir, entriesOf(2), SaveOptions{ShardSize: to})
				next.Close()
				want := len(next.Files())
				if v, err := identity(dir); v != 2 || err != nil {
					t.Fatalf("from %d to %d, after step %d: %v, %v", from, to, at, v, err)
				}
				if want > 1 {
					want++
				}
				if ns := dirtest.Names(t, dir); len(ns) != want {
					t.Fatalf("from %d to %d, after step %d: %q", from, to, at, ns)
				}
				if err == nil {
					break
				} else if !errors.Is(err, stop) {
					t.Fatal(err)
				}
			}
		}
	}
	t.Logf("%d states looked at, %d of them refused", states, refused)
}

// TestSaveEveryWriteFails fills the disk at every operation. The old checkpoint remains
// or is refused, and no temporary file is left.
func TestSaveEveryWriteFails(t *testing.T) {
	src := openSource(t, model(9)...)
	for k := int64(0); ; k += int64(stride(5)) {
		dir := t.TempDir()
		saved(t, dir, entriesOf(1), SaveOptions{ShardSize: 32}).Close()
		disk := &countingDisk{fail: k, part: func(n int) int { return n / 2 }}
		err := Save(context.Background(), dir, all(src), SaveOptions{ShardSize: 30_000, create: disk.create, remove: os.Remove})
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("operation %d: %v", k, err)
		}
		if v, err := identity(dir); v != 1 || err != nil {
			t.Fatalf("operation %d: %v, %v", k, v, err)
		}
		for _, n := range dirtest.Names(t, dir) {
			if strings.HasPrefix(n, ".") {
				t.Fatalf("operation %d: %s is left", k, n)
			}
		}
	}
}

// TestSaveOverSource changes a model in place.
func TestSaveOverSource(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("open files can't be replaced on Windows")
	}
	dir := t.TempDir()
	want := openSource(t, model(9)...)
	saved(t, dir, all(want), SaveOptions{ShardSize: 30_000, Metadata: want.Metadata()})
	for _, size := range []int64{30_000, 0, 20_000} {
		c := open(t, dir)
		sameContent(t, saved(t, dir, all(c), SaveOptions{ShardSize: size, Metadata: c.Metadata()}), want)
	}
}

func TestSaveCancel(t *testing.T) {
	c := openSource(t, model(9)...)
	reason := errors.New("interrupted")
	for stop := 0; stop < 20; stop += 6 {
		dir := t.TempDir()
		ctx, cancel := context.WithCancelCause(context.Background())
		n := 0
		err := Save(ctx, dir, all(c), SaveOptions{ShardSize: 20_000, Progress: func(Progress) {
			if n == stop {
				cancel(reason)
			}
			n++
		}})
		if !errors.Is(err, reason) {
			t.Errorf("stopped at %d of %d: %v", stop, n, err)
		}
		if ns := dirtest.Names(t, dir); len(ns) > 0 {
			t.Errorf("left %q", ns)
		}
	}
	var last Progress
	saved(t, t.TempDir(), all(c), SaveOptions{Progress: func(p Progress) { last = p }})
	if last.Done != last.Total || last.Total == 0 {
		t.Errorf("progress ends at %+v", last)
	}
}

// TestSaveReadFaults makes each tensor of the source fail in turn.
func TestSaveReadFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.safetensors")
	writeFile(t, path, model(9)...)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := int64(-1)
	c, err := New(readAtFunc(func(p []byte, off int64) (int, error) {
		if off <= bad && bad < off+int64(len(p)) {
			return 0, syscall.EIO
		}
		return bytes.NewReader(file).ReadAt(p, off)
	}), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range c.Tensors() {
		bad = c.data[i].(plain).t.End - 1
		dir := t.TempDir()
		err := Save(context.Background(), dir, all(c), SaveOptions{ShardSize: 20_000})
		if te, ok := errors.AsType[*TensorError](err); !ok || te.Tensor != x.Name || !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", x.Name, err)
		}
		if ns := dirtest.Names(t, dir); len(ns) > 0 {
			t.Errorf("left %q", ns)
		}
	}
}

// TestSaveMemory checks that copying 64 MiB takes little memory.
func TestSaveMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 128 MiB")
	}
	src := saved(t, t.TempDir(), []Entry{{Name: "w", Data: make([]byte, 64<<20), DType: "BF16", Shape: []int{1 << 15, 1 << 10}}}, SaveOptions{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	saved(t, t.TempDir(), []Entry{{Name: "w", From: src}, {Name: "v", From: src, Source: "w", DType: "F32"}}, SaveOptions{})
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 8<<20 {
		t.Errorf("%d MiB were allocated", (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}

// TestLoneShard checks that a directory with one file of several is refused.
func TestLoneShard(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "model-00001-of-00003.safetensors"), everyType()...)
	if _, err := Open(dir); !errors.Is(err, quant.ErrFormat) || !strings.Contains(fmt.Sprint(err), "one of several") {
		t.Errorf("got %v", err)
	}
	open(t, filepath.Join(dir, "model-00001-of-00003.safetensors"))
}

// TestSaveStale checks that Save removes files that killed processes left, for other
// numbers of files.
func TestSaveStale(t *testing.T) {
	dir := t.TempDir()
	stay := []string{".config.json.partial-12", "model.safetensors.partial-12"}
	for _, n := range append(stay, ".model-00001-of-00009.safetensors.partial-12", ".model.safetensors.index.json.partial-3") {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	saved(t, dir, entriesOf(1), SaveOptions{ShardSize: 32})
	want := append(stay, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", indexName)
	if got := dirtest.Names(t, dir); len(got) != len(want) {
		t.Errorf("there are %q, want %q", got, want)
	}
}
