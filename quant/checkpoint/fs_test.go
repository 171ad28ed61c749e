package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/quant"
)

// loadFS reads a directory into memory, under a prefix.
func loadFS(t testing.TB, dir, prefix string) fstest.MapFS {
	t.Helper()
	fsys := make(fstest.MapFS)
	for _, n := range dirtest.Names(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		fsys[prefix+n] = &fstest.MapFile{Data: b, Mode: 0o444}
	}
	return fsys
}

// limitedFS opens files with only some of their methods.
type limitedFS struct {
	fs.FS
	limit func(fs.File) fs.File
}

func (l limitedFS) Open(name string) (fs.File, error) {
	f, err := l.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if d, ok := f.(fs.ReadDirFile); ok {
		return d, nil
	}
	return l.limit(f), nil
}

// Files with nothing but fs.File, and with Seek.
type (
	onlyReads struct{ fs.File }
	alsoSeeks struct {
		fs.File
		io.Seeker
	}
	readsAt struct {
		fs.File
		io.ReaderAt
	}
	oneByte struct {
		fs.File
		io.Reader
	}
)

func (f oneByte) Read(p []byte) (int, error) { return f.Reader.Read(p) }

// kinds are the ways in which a file of a file system can be read.
var kinds = map[string]func(fs.File) fs.File{
	"all":           func(f fs.File) fs.File { return f },
	"from start":    func(f fs.File) fs.File { return onlyReads{f} },
	"byte by byte":  func(f fs.File) fs.File { return oneByte{f, iotest.OneByteReader(f)} },
	"end with data": func(f fs.File) fs.File { return oneByte{f, iotest.DataErrReader(f)} },
	"seek":          func(f fs.File) fs.File { return alsoSeeks{f, f.(io.Seeker)} },
	"at":            func(f fs.File) fs.File { return readsAt{f, f.(io.ReaderAt)} },
}

// sameCheckpoint compares descriptions and contents of two checkpoints, with base names
// for files.
func sameCheckpoint(t *testing.T, got, want *Checkpoint) {
	t.Helper()
	if !reflect.DeepEqual(got.Tensors(), want.Tensors()) {
		t.Fatalf("tensors are %+v, want %+v", got.Tensors(), want.Tensors())
	}
	if !maps.Equal(got.Metadata(), want.Metadata()) {
		t.Fatalf("metadata is %v, want %v", got.Metadata(), want.Metadata())
	}
	for _, x := range want.Tensors() {
		sameTensor(t, got, want, x.Name)
	}
}

// sameTensor compares the stored bytes of a tensor of two checkpoints.
func sameTensor(t *testing.T, got, want *Checkpoint, name string) {
	t.Helper()
	x, _ := want.Tensor(name)
	if x.Quantized {
		a, err1 := got.Matrix(name)
		b, err2 := want.Matrix(name)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(binaryForm(t, a), binaryForm(t, b)) {
			t.Fatalf("%s has other codes", name)
		}
		return
	}
	y, _ := got.Tensor(name)
	a, err1 := io.ReadAll(got.dataOf(y).(raw).Bytes())
	b, err2 := io.ReadAll(want.dataOf(x).(raw).Bytes())
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Fatalf("%s has other bytes", name)
	}
}

// quantizedModel writes a quantized checkpoint of several files, and its companions, to a
// new directory.
func quantizedModel(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	ws := append(model(9), random(rand.New(rand.NewPCG(3, 3)), "ids", "I64", 3))
	run(t, plan(t, openSource(t, ws...), Options{ShardSize: 50_000}), dir, RunOptions{})
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOpenFS(t *testing.T) {
	dir := quantizedModel(t)
	want := open(t, dir)
	for kind, limit := range kinds {
		for _, x := range []struct{ prefix, name string }{
			{"", "."}, {"", "model.safetensors.index.json"}, {"models/small/", "models/small"}, {"a/", "a/model.safetensors.index.json"},
		} {
			c, err := OpenFS(limitedFS{loadFS(t, dir, x.prefix), limit}, x.name)
			if err != nil {
				t.Fatalf("%s, %s: %v", kind, x.name, err)
			}
			sameCheckpoint(t, c, want)
			if _, err := Verify(context.Background(), c, nil, nil); err != nil {
				t.Errorf("%s, %s: %v", kind, x.name, err)
			}
			if b, err := fs.ReadFile(c.Companions(), "config.json"); string(b) != "{}" {
				t.Errorf("%s, %s: config.json is %q, %v", kind, x.name, b, err)
			}
			if len(c.Files()) != len(want.Files()) || c.Files()[0] != x.prefix+filepath.Base(want.Files()[0]) || c.Path() != x.name {
				t.Errorf("%s, %s: path %s, files %q", kind, x.name, c.Path(), c.Files())
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		for _, path := range want.Files() {
			c, err := OpenFS(limitedFS{loadFS(t, dir, ""), limit}, filepath.Base(path))
			if err != nil {
				t.Fatal(err)
			}
			sameCheckpoint(t, c, open(t, path))
			c.Close()
		}
	}
}

func TestNew(t *testing.T) {
	for _, path := range open(t, quantizedModel(t)).Files() {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		sameCheckpoint(t, c, open(t, path))
		if _, err := c.Companions().Open("config.json"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a companion: %v", err)
		}
		c.Close()
		for _, size := range []int64{0, 1, 8, int64(len(b)) - 1, int64(len(b)) + 1, -1, 1<<63 - 1} {
			if c, err := New(bytes.NewReader(b), size); c != nil || err == nil {
				t.Errorf("%d bytes of %d: no error", size, len(b))
			}
		}
	}
	if _, err := New(nil, 100); err == nil {
		t.Error("no reader: no error")
	}
}

func TestFSGGUF(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 2 {
		writeGGUF(t, filepath.Join(dir, fmt.Sprintf("m-%05d-of-00002.gguf", i+1)), func(num func(...any)) int {
			num("split.count", uint32(2), uint16(2))
			num("split.no", uint32(2), uint16(i))
			num("split.tensors.count", uint32(5), int32(2))
			return 3
		}, random(r, fmt.Sprintf("blk.%d.ffn_up.weight", i), "F16", 4, 32))
	}
	want := open(t, filepath.Join(dir, "m-00001-of-00002.gguf"))
	fsys := loadFS(t, dir, "x/")
	for kind, limit := range kinds {
		c, err := OpenFS(limitedFS{fsys, limit}, "x/m-00001-of-00002.gguf")
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		sameCheckpoint(t, c, want)
		c.Close()
	}
	b := fsys["x/m-00001-of-00002.gguf"].Data
	if _, err := New(bytes.NewReader(b), int64(len(b))); err == nil || !strings.Contains(err.Error(), "one of 2 parts") {
		t.Errorf("New of a part: %v", err)
	}
	delete(fsys, "x/m-00002-of-00002.gguf")
	if _, err := OpenFS(fsys, "x/m-00001-of-00002.gguf"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the second part: %v", err)
	}
}

func TestOpenFSErrors(t *testing.T) {
	dir := quantizedModel(t)
	fsys := loadFS(t, dir, "")
	for _, name := range []string{"none", "none.json", "/", "", "..", "./model.safetensors.index.json", "config.json"} {
		if c, err := OpenFS(fsys, name); c != nil || err == nil {
			t.Errorf("%q: no error", name)
		}
	}
	fsys["pipe.safetensors"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
	if _, err := OpenFS(fsys, "pipe.safetensors"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a pipe: %v", err)
	}
}

// A lyingFile reports a wrong size.
type lyingFile struct {
	fs.File
	size int64
}

type lyingInfo struct {
	fs.FileInfo
	size int64
}

func (f lyingFile) Stat() (fs.FileInfo, error) {
	st, err := f.File.Stat()
	return lyingInfo{st, f.size}, err
}

func (l lyingInfo) Size() int64 { return l.size }

// Functions as the interfaces of one method.
type (
	readFunc   func([]byte) (int, error)
	readAtFunc func([]byte, int64) (int, error)
)

func (f readFunc) Read(p []byte) (int, error)                { return f(p) }
func (f readAtFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }
func (l lyingFile) ReadAt(p []byte, off int64) (int, error) {
	return l.File.(io.ReaderAt).ReadAt(p, off)
}
func (l lyingFile) Seek(offset int64, whence int) (int64, error) {
	return l.File.(io.Seeker).Seek(offset, whence)
}

// TestHostileFS opens and reads files whose methods break their contracts. There must be
// an error, soon and without much memory.
func TestHostileFS(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.safetensors")
	writeFile(t, path, model(9)...)
	fsys := loadFS(t, dir, "")
	data := fsys["m.safetensors"].Data
	boom := errors.New("boom")
	half := int64(len(data)) / 2
	at := func(read func(p []byte, off int64) (int, error)) func(fs.File) fs.File {
		return func(f fs.File) fs.File { return readsAt{f, readAtFunc(read)} }
	}
	from := func(read func(p []byte, n int64) (int, error)) func(fs.File) fs.File {
		return func(f fs.File) fs.File {
			n := int64(0)
			return oneByte{f, readFunc(func(p []byte) (int, error) {
				k, err := read(p, n)
				n += int64(max(k, 0))
				return k, err
			})}
		}
	}
	size := func(n int64, limit func(fs.File) fs.File) func(fs.File) fs.File {
		return func(f fs.File) fs.File { return limit(lyingFile{f, n}) }
	}
	r := bytes.NewReader(data)
	cases := map[string]func(fs.File) fs.File{
		"short without error": at(func(p []byte, off int64) (int, error) { return r.ReadAt(p[:len(p)/2], off) }),
		"nothing":             at(func(p []byte, off int64) (int, error) { return 0, nil }),
		"negative":            at(func(p []byte, off int64) (int, error) { return -1, nil }),
		"too many":            at(func(p []byte, off int64) (int, error) { return len(p) + 1, nil }),
		"fails midway": at(func(p []byte, off int64) (int, error) {
			if off+int64(len(p)) > half {
				return 0, boom
			}
			return r.ReadAt(p, off)
		}),
		"ends midway": at(func(p []byte, off int64) (int, error) {
			return bytes.NewReader(data[:half]).ReadAt(p, off)
		}),
		"read fails midway": from(func(p []byte, n int64) (int, error) {
			if n > half {
				return 0, boom
			}
			return copy(p[:min(len(p), 1000)], data[n:]), nil
		}),
		"read ends midway": from(func(p []byte, n int64) (int, error) {
			if n >= half {
				return 0, io.EOF
			}
			return copy(p, data[n:half]), nil
		}),
		"read nothing":  from(func(p []byte, n int64) (int, error) { return 0, nil }),
		"read negative": from(func(p []byte, n int64) (int, error) { return -1, nil }),
		"read too many": from(func(p []byte, n int64) (int, error) { return len(p) + 1, nil }),
	}
	for kind, limit := range kinds {
		for _, n := range []int64{-1, 0, 7, half, int64(len(data)) - 1, int64(len(data)) + 1, badfile.MaxInMemory, badfile.MaxInMemory + 1, 1 << 62} {
			if kind == "byte by byte" && n == badfile.MaxInMemory {
				continue // ends like the others, but later
			}
			cases[fmt.Sprintf("%s, %d bytes", kind, n)] = size(n, limit)
		}
	}
	for name, limit := range cases {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := OpenFS(limitedFS{fsys, limit}, "m.safetensors")
		if err == nil {
			for _, x := range c.Tensors() {
				if e := c.ReadRows(make([]float32, x.Elements()), x.Name, 0, x.Rows()); e != nil {
					err = errors.Join(err, e)
				}
			}
			c.Close()
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if strings.Contains(name, "fails") && !errors.Is(err, boom) {
			t.Errorf("%s: %v", name, err)
		}
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 64<<20 {
			t.Errorf("%s: %d MiB were allocated", name, (after.TotalAlloc-before.TotalAlloc)>>20)
		}
	}
}

// TestSharedFS reads one checkpoint from several goroutines, in each way.
func TestSharedFS(t *testing.T) {
	dir := quantizedModel(t)
	want := open(t, dir)
	for _, limit := range kinds {
		c, err := OpenFS(limitedFS{loadFS(t, dir, ""), limit}, ".")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for _, x := range c.Tensors() {
					if !x.Float {
						continue
					}
					a, b := make([]float32, x.Elements()), make([]float32, x.Elements())
					if err := errors.Join(c.ReadRows(a, x.Name, 0, x.Rows()), want.ReadRows(b, x.Name, 0, x.Rows())); err != nil {
						t.Error(err)
					}
					if !reflect.DeepEqual(a, b) {
						t.Errorf("%s differs", x.Name)
					}
				}
			})
		}
		wg.Wait()
		c.Close()
	}
}

// TestCutFS cuts safetensors and GGUF files at every length, in file systems and on disk.
func TestCutFS(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(7, 7))
	writeFile(t, filepath.Join(dir, "a.safetensors"), random(r, "w", "F32", 3, 8), random(r, "v", "U8", 5))
	writeGGUF(t, filepath.Join(dir, "a.gguf"), func(num func(...any)) int {
		num("general.name", uint32(8), "x")
		return 1
	}, random(r, "w", "F16", 2, 32))
	for name, file := range loadFS(t, dir, "") {
		c, err := New(bytes.NewReader(file.Data), int64(len(file.Data)))
		if err != nil {
			t.Fatal(err)
		}
		end := int64(0)
		for i := range c.tensors {
			switch d := c.data[i].(type) {
			case plain:
				end = max(end, d.t.End)
			case ggml:
				end = max(end, d.t.End)
			}
		}
		for n := range end {
			cut := file.Data[:n]
			if _, err := New(bytes.NewReader(cut), n); !errors.Is(err, quant.ErrFormat) {
				t.Errorf("%s cut at %d: %v", name, n, err)
			}
			if _, err := OpenFS(fstest.MapFS{name: {Data: cut}}, name); !errors.Is(err, quant.ErrFormat) {
				t.Errorf("%s cut at %d in a file system: %v", name, n, err)
			}
		}
	}
}
