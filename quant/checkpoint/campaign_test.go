package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// stride is the distance of the cases of a campaign that run by default; all run
// on request:
//
//	CHECKPOINT_FAULTS=all go test -run Every -v ./quant/checkpoint
func stride(by int) int {
	if os.Getenv("CHECKPOINT_FAULTS") == "all" {
		return 1
	}
	if testing.Short() {
		return 5 * by
	}
	return by
}

// A countingDisk fails its operation number fail. Operations are making, writing and
// committing a file; a failing write writes a first part.
type countingDisk struct {
	fail int64
	part func(n int) int // bytes of n that a failing write writes
	ops  atomic.Int64
}

func (d *countingDisk) failsNow() bool { return d.ops.Add(1)-1 == d.fail }

func (d *countingDisk) create(path string) (atomicfile.File, error) {
	if d.failsNow() {
		return nil, &os.PathError{Op: "open", Path: path, Err: syscall.ENOSPC}
	}
	f, err := atomicfile.Create(path)
	return &countingFile{f, d}, err
}

type countingFile struct {
	atomicfile.File
	d *countingDisk
}

func (f *countingFile) WriteAt(p []byte, off int64) (int, error) {
	if f.d.failsNow() {
		n, _ := f.File.WriteAt(p[:f.d.part(len(p))], off)
		return n, syscall.ENOSPC
	}
	return f.File.WriteAt(p, off)
}

func (f *countingFile) Write(p []byte) (int, error) {
	if f.d.failsNow() {
		n, _ := f.File.Write(p[:f.d.part(len(p))])
		return n, syscall.ENOSPC
	}
	return f.File.Write(p)
}

func (f *countingFile) Commit() error {
	if f.d.failsNow() {
		f.File.Abort()
		return syscall.ENOSPC
	}
	return f.File.Commit()
}

// bytesOf reads the files of a directory.
func bytesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	for _, n := range dirtest.Names(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		files[n] = b
	}
	return files
}

// checkAgain checks that all files in dst are those of an uninterrupted run, and that
// another run makes the rest. It returns the number of files before that run.
func checkAgain(t *testing.T, p *Plan, dst string, want map[string][]byte) int {
	t.Helper()
	left := bytesOf(t, dst)
	for n, b := range left {
		if w, ok := want[n]; !ok || !bytes.Equal(b, w) {
			t.Fatalf("%s is left with %d bytes, which an uninterrupted run does not write", n, len(b))
		}
	}
	run(t, p, dst, RunOptions{})
	got := bytesOf(t, dst)
	if len(got) != len(want) {
		t.Fatalf("in the end there are %d files, want %d", len(got), len(want))
	}
	for n, b := range got {
		if !bytes.Equal(b, want[n]) {
			t.Fatalf("in the end %s differs", n)
		}
	}
	return len(left)
}

// TestEveryWriteFails fills the disk at every operation of a run in turn, with
// none, some and nearly all of its bytes written.
func TestEveryWriteFails(t *testing.T) {
	p := plan(t, openSource(t, model(9)...), Options{ShardSize: 25_000})
	whole := t.TempDir()
	all := &countingDisk{fail: -1}
	run(t, p, whole, RunOptions{create: all.create})
	want := bytesOf(t, whole)

	cases, left, with := 0, 0, 0
	for k := int64(0); k < all.ops.Load(); k += int64(stride(7)) {
		for i, part := range []func(int) int{
			func(int) int { return 0 }, func(n int) int { return min(n, 1) },
			func(n int) int { return n / 2 }, func(n int) int { return max(n-1, 0) },
		} {
			if stride(7) > 1 && int(k)%4 != i {
				continue
			}
			dst := t.TempDir()
			disk := &countingDisk{fail: k, part: part}
			if _, err := p.Run(context.Background(), dst, RunOptions{create: disk.create}); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("operation %d, part %d: %v", k, i, err)
			}
			n := checkAgain(t, p, dst, want)
			cases, left = cases+1, left+n
			if n > 0 {
				with++
			}
			os.RemoveAll(dst)
		}
	}
	t.Logf("%d operations, %d cases: each ended with ENOSPC; %d whole files were left, in %d of them, and nothing else; each was then finished, bit for bit", all.ops.Load(), cases, left, with)
}

// A shortReader ends reads at a byte of the file, in one of several ways.
type shortReader struct {
	r  io.ReaderAt
	at int64 // −1: never
	// err is returned with the bytes before at.
	err error
}

func (r *shortReader) ReadAt(p []byte, off int64) (int, error) {
	if r.at < 0 || off+int64(len(p)) <= r.at {
		return r.r.ReadAt(p, off)
	}
	n, err := r.r.ReadAt(p[:max(r.at-off, 0)], off)
	if err == nil {
		err = r.err
	}
	return n, err
}

// TestEveryReadFails truncates the source at the boundaries of the header, of every
// tensor, and of its buffers and blocks, before and after it is opened.
func TestEveryReadFails(t *testing.T) {
	ws := model(9)
	ws = append(ws, weight{"model.embed_positions.weight", "F32", []int{700, 1000}, make([]byte, 4*700*1000)},
		weight{"model.layers.9.mlp.up_proj.weight", "BF16", []int{700, 1000}, make([]byte, 2*700*1000)})
	path := filepath.Join(t.TempDir(), "source.safetensors")
	writeFile(t, path, ws...)
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := safetensors.New(bytes.NewReader(source), int64(len(source)))
	if err != nil {
		t.Fatal(err)
	}
	header := whole.Tensors()[0].Begin
	offsets := []int64{0, 1, 7, 8, 9, header / 2, header - 1}
	for _, x := range whole.Tensors() {
		offsets = append(offsets, x.Begin, x.Begin+1, (x.Begin+x.End)/2, x.End-1)
		for _, unit := range []int64{4096, 128 << 10, 1 << 20, 2 * blockWeights, 4 * blockWeights} {
			if x.Bytes() > unit {
				offsets = append(offsets, x.Begin+unit-1, x.Begin+unit, x.Begin+unit+1, x.End-unit)
			}
		}
	}
	slices.Sort(offsets)
	offsets = slices.Compact(offsets)
	o := Options{ShardSize: 1 << 20}
	cases, refused, planned, failed, left := 0, 0, 0, 0, 0
	var want map[string][]byte
	for i := -1; i < len(offsets); i++ {
		for j, fault := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.EIO} {
			if i >= 0 && (i+j)%stride(10) != 0 || i < 0 && j > 0 {
				continue
			}
			at := int64(-1)
			if i >= 0 {
				at = offsets[i]
				cases++
				// Before it is opened.
				if f, err := safetensors.New(&shortReader{bytes.NewReader(source), at, fault}, int64(len(source))); at < header {
					if f != nil || !errors.Is(err, fault) && !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Fatalf("the header ends at %d with %v: %v", at, fault, err)
					}
					refused++
					continue
				}
			}
			r := &shortReader{bytes.NewReader(source), -1, fault}
			f, err := safetensors.New(r, int64(len(source)))
			if err != nil {
				t.Fatal(err)
			}
			c := &Checkpoint{byName: make(map[string]int), metadata: make(map[string]string), companions: noFiles{}}
			if err := c.addFile(f); err != nil {
				t.Fatal(err)
			}
			c.setRoles()
			p := plan(t, c, o)
			dst := t.TempDir()
			if i < 0 {
				run(t, p, dst, RunOptions{})
				want = bytesOf(t, dst)
				continue
			}
			var te *TensorError
			is := func(err error) bool {
				return (errors.Is(err, fault) || errors.Is(err, io.ErrUnexpectedEOF)) && !errors.Is(err, quant.ErrFormat) && errors.As(err, &te)
			}
			r.at = at
			if _, err := NewPlan(c, o); err != nil {
				if !is(err) {
					t.Fatalf("planning, the source ends at %d with %v: %v", at, fault, err)
				}
				planned++
			}
			if _, err = p.Run(context.Background(), dst, RunOptions{}); !is(err) {
				t.Fatalf("running, the source ends at %d with %v: %v", at, fault, err)
			}
			if x, _ := f.Tensor(te.Tensor); at >= x.End {
				t.Fatalf("the source ends at %d, and the error blames %s, which ends at %d", at, te.Tensor, x.End)
			}
			failed++
			r.at = -1
			left += checkAgain(t, p, dst, want)
			os.RemoveAll(dst)
		}
	}
	t.Logf("%d offsets, %d cases: %d refused as they were opened; %d runs failed, naming a tensor that can't be read (%d could not even be planned again); %d whole files were left, and nothing else; each was then finished, bit for bit", len(offsets), cases, refused, failed, planned, left)
}
