// Package atomicfile writes files that appear whole or not at all.
package atomicfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A File is a file that is being written under a temporary name. Exactly one of Commit
// and Abort must be called. A File is not safe for concurrent use.
type File interface {
	io.Writer
	io.WriterAt
	// Finish syncs the data to the disk and closes the file. Nothing can be written
	// afterwards. Commit calls it if it was not called before.
	Finish() error
	// Commit finishes the file, renames it, which replaces any file of that name, and
	// syncs the directory. If Commit fails, it removes the temporary file and leaves a
	// file of that name as it was.
	Commit() error
	// Abort removes the temporary file.
	Abort() error
}

// A Creator starts a File that will be called path.
type Creator func(path string) (File, error)

const suffix = ".partial-"

type file struct {
	*os.File
	path     string
	unsynced int
	syncing  chan error // of the sync under way; nil if there is none
	err      error      // of one before
	finished bool
}

// syncBytes is the number of bytes after which a sync begins while writing goes on, so
// that Commit need not wait for the whole file.
const syncBytes = 32 << 20

// Create starts a file that will be called path, as ".NAME.partial-RANDOM" in the same
// directory. It first removes files of that pattern, which a killed process may have
// left. Because of the random part, two processes that write the same file do not write
// to the same temporary file; one of them then fails to commit.
func Create(path string) (File, error) {
	if err := RemoveStale(path); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+suffix+"*")
	if err != nil {
		return nil, err
	}
	// CreateTemp makes files of mode 0600, which is for secrets. The umask cannot be
	// read without setting it.
	if err := f.Chmod(0o644); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return &file{File: f, path: path}, nil
}

// RemoveStale removes the temporary files that killed processes left of the file called
// path.
func RemoveStale(path string) error {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	prefix := "." + base + suffix
	for _, e := range entries {
		if n := e.Name(); len(n) > len(prefix) && n[:len(prefix)] == prefix {
			if err := os.Remove(filepath.Join(dir, n)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

func (f *file) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.wrote(n)
	return n, err
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	f.wrote(n)
	return n, err
}

// wrote starts a sync on another goroutine now and then, one at a time.
func (f *file) wrote(n int) {
	if f.unsynced += n; f.unsynced < syncBytes {
		return
	}
	if f.syncing != nil {
		if len(f.syncing) == 0 {
			return
		}
		f.wait()
	}
	f.unsynced = 0
	done := make(chan error, 1)
	f.syncing = done
	go func() { done <- f.Sync() }()
}

// wait waits for the sync that is under way. It keeps the error, as the system may
// report a failure only once.
func (f *file) wait() {
	if f.syncing != nil {
		f.err = cmp.Or(f.err, <-f.syncing)
		f.syncing = nil
	}
}

func (f *file) Finish() error {
	if f.finished {
		return f.err
	}
	f.finished = true
	f.wait()
	f.err = cmp.Or(f.err, f.Sync())
	f.err = cmp.Or(f.err, f.Close())
	return f.err
}

func (f *file) Commit() error {
	err := f.Finish()
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("%s is not written: %w", f.path, err)
	}
	return syncDir(filepath.Dir(f.path))
}

func (f *file) Abort() error {
	f.wait()
	f.Close()
	return os.Remove(f.Name())
}

// syncDir makes a rename durable. It ignores errors: not every system can open or sync
// a directory, and the file is whole without it.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	d.Sync()
	return nil
}

// WriteFile writes data to the file called path with c.
func (c Creator) WriteFile(path string, data []byte) error {
	f, err := c(path)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Abort()
		return fmt.Errorf("%s is not written: %w", path, err)
	}
	return f.Commit()
}
