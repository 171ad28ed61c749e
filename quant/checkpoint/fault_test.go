package checkpoint

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/quant"
)

// A faultyDisk makes files that fail after some bytes, or when they are committed.
type faultyDisk struct {
	room      atomic.Int64 // one file is committed while the next is written
	err       error
	commitErr error
	short     bool // a write fails after part of it
}

type faultyFile struct {
	atomicfile.File
	d *faultyDisk
}

func (d *faultyDisk) create(path string) (atomicfile.File, error) {
	f, err := atomicfile.Create(path)
	return &faultyFile{f, d}, err
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if f.d.room.Add(-int64(len(p))) < 0 {
		n := 0
		if f.d.short {
			n, _ = f.File.WriteAt(p[:len(p)/2], off)
		}
		return n, f.d.err
	}
	return f.File.WriteAt(p, off)
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if f.d.room.Add(-int64(len(p))) < 0 {
		return 0, f.d.err
	}
	return f.File.Write(p)
}

func (f *faultyFile) Commit() error {
	if f.d.commitErr != nil {
		f.File.Abort()
		return f.d.commitErr
	}
	return f.File.Commit()
}

// checkLeft checks that every file in dir is whole, and returns their number.
func checkLeft(t *testing.T, p *Plan, dir string) int {
	t.Helper()
	ns := dirtest.Names(t, dir)
	for _, n := range ns {
		path := filepath.Join(dir, n)
		if strings.HasPrefix(n, ".") {
			t.Errorf("%s is left", n)
			continue
		}
		if strings.HasSuffix(n, ".json") {
			path = dir
		}
		c, err := Open(path)
		if err == nil {
			_, err = Verify(context.Background(), c, nil, nil)
			c.Close()
		}
		if err != nil {
			t.Errorf("%s is broken: %v", n, err)
		}
	}
	return len(ns)
}

// TestWriteFaults fails the disk after each of many numbers of bytes. It checks the files
// left and the error, and that a second run finishes the work.
func TestWriteFaults(t *testing.T) {
	c := openSource(t, model(9)...)
	o := Options{ShardSize: 25_000}
	p := plan(t, c, o)
	r := rand.New(rand.NewPCG(1, 9))
	left := 0
	for room := int64(0); ; room += 1 + r.Int64N(8000) {
		dst := t.TempDir()
		disk := &faultyDisk{err: syscall.ENOSPC, short: r.IntN(2) == 0}
		disk.room.Store(room)
		_, err := p.Run(context.Background(), dst, RunOptions{create: disk.create})
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "is not written") || !strings.Contains(err.Error(), dst) {
			t.Fatalf("%d bytes of room: %v", room, err)
		}
		left += checkLeft(t, p, dst)
		again := run(t, p, dst, RunOptions{})
		if len(again.Resumed)+len(again.Written) != len(p.parts) {
			t.Fatalf("second run: %d resumed, %d written", len(again.Resumed), len(again.Written))
		}
		checkResult(t, p, open(t, dst))
	}
	if left == 0 {
		t.Error("no run got as far as one file")
	}
}

func TestCommitFaults(t *testing.T) {
	p := plan(t, openSource(t, model(9)...), Options{ShardSize: 25_000})
	for _, fault := range []error{syscall.EIO, syscall.EDQUOT, os.ErrPermission} {
		dst := t.TempDir()
		disk := &faultyDisk{commitErr: fault}
		disk.room.Store(1 << 40)
		if _, err := p.Run(context.Background(), dst, RunOptions{create: disk.create}); !errors.Is(err, fault) {
			t.Errorf("got %v, want %v", err, fault)
		}
		if n := checkLeft(t, p, dst); n > 0 {
			t.Errorf("%d files are left", n)
		}
	}
}

func TestDirectoryFaults(t *testing.T) {
	p := plan(t, openSource(t, model(9)...), Options{})
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	os.WriteFile(file, []byte("precious"), 0o666)
	if _, err := p.Run(context.Background(), filepath.Join(file, "out"), RunOptions{}); err == nil {
		t.Error("made a directory in a file")
	}
	if _, err := p.Run(context.Background(), file, RunOptions{}); err == nil {
		t.Error("wrote into a file as a directory")
	}
	// Foreign files are not replaced.
	mine := filepath.Join(dir, "mine.safetensors")
	os.WriteFile(mine, []byte("precious"), 0o666)
	if _, err := p.Run(context.Background(), mine, RunOptions{}); !errors.Is(err, ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
	for _, path := range []string{file, mine} {
		if b, _ := os.ReadFile(path); string(b) != "precious" {
			t.Errorf("%s is %q", path, b)
		}
	}
}

// faultyData fails when an element beyond a limit is read.
type faultyData struct {
	data
	limit int64
	err   error
}

func (f faultyData) Read(dst []float32, first int64) error {
	if first+int64(len(dst)) > f.limit {
		return f.err
	}
	return f.data.Read(dst, first)
}

func (f faultyData) Read64(dst []float64, first int64) error {
	if first+int64(len(dst)) > f.limit {
		return f.err
	}
	return f.data.Read64(dst, first)
}

// TestReadFaults makes each tensor in turn unreadable, in its first block or after it.
func TestReadFaults(t *testing.T) {
	ws := append(model(9), random(rand.New(rand.NewPCG(2, 2)), "long", "F32", 600, 1000))
	c := openSource(t, ws...)
	p := plan(t, c, Options{ShardSize: 100_000})
	for i, x := range c.Tensors() {
		limit := int64(0)
		if x.Name == "long" {
			limit = 400_000
		}
		old := c.data[i]
		c.data[i] = faultyData{old, limit, syscall.EIO}
		dst := t.TempDir()
		_, err := p.Run(context.Background(), dst, RunOptions{})
		c.data[i] = old
		var te *TensorError
		if !errors.Is(err, syscall.EIO) || !errors.As(err, &te) || te.Tensor != x.Name {
			t.Errorf("%s: %v", x.Name, err)
		}
		checkLeft(t, p, dst)
	}
}

// TestShrunkSource truncates the source while it is open.
func TestShrunkSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.safetensors")
	writeFile(t, path, model(9)...)
	c := open(t, path)
	p := plan(t, c, Options{})
	st, _ := os.Stat(path)
	for _, n := range []int64{st.Size() - 1, st.Size() / 2} {
		os.Truncate(path, n)
		dst := t.TempDir()
		if _, err := p.Run(context.Background(), dst, RunOptions{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("truncated to %d: %v", n, err)
		}
		if k := checkLeft(t, p, dst); k > 0 {
			t.Errorf("%d files are left", k)
		}
	}
}

// TestCancel cancels after each of many blocks.
func TestCancel(t *testing.T) {
	c := openSource(t, model(9)...)
	p := plan(t, c, Options{Config: quant.Config{Workers: 3}, ShardSize: 25_000})
	reason := errors.New("interrupted")
	for stop := 0; stop < len(c.Tensors()); stop += 2 {
		dst := t.TempDir()
		ctx, cancel := context.WithCancelCause(context.Background())
		n := 0
		_, err := p.Run(ctx, dst, RunOptions{Progress: func(Progress) {
			if n == stop {
				cancel(reason)
			}
			n++
		}})
		if !errors.Is(err, reason) {
			t.Errorf("stopped at %d: %v", stop, err)
		}
		checkLeft(t, p, dst)
		run(t, p, dst, RunOptions{})
		checkResult(t, p, open(t, dst))
	}
}
