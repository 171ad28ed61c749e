package badfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
)

// Files opens the files of a checkpoint by name: files of the operating system, files
// of an [fs.FS], or a single file.
type Files interface {
	// Open opens a regular file. Anything else is an error. A named pipe is refused
	// before it is opened, as opening it might take for ever.
	Open(kind, name string) (*Source, error)
	// IsDir reports whether name is a directory.
	IsDir(name string) (bool, error)
	// ReadDir lists a directory.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Dir and Join are the functions of path or path/filepath.
	Dir(name string) string
	Join(dir, name string) string
	// Sub returns a directory as a file system, nil if there are no directories.
	Sub(dir string) fs.FS
}

// OS and Mapped are the files of the operating system. Sources that Mapped opens have a
// Map if the system can map files.
var (
	OS     Files = osFiles{}
	Mapped Files = osFiles{mapped: true}
)

type osFiles struct{ mapped bool }

func (osFiles) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (osFiles) Dir(name string) string                     { return filepath.Dir(name) }
func (osFiles) Join(dir, name string) string               { return filepath.Join(dir, name) }
func (osFiles) Sub(dir string) fs.FS                       { return os.DirFS(dir) }

func (f osFiles) Open(kind, name string) (*Source, error) {
	s, err := Open(kind, name)
	if err == nil && f.mapped {
		s.file = s.closer.(*os.File)
	}
	return s, err
}

func (osFiles) IsDir(name string) (bool, error) {
	st, err := os.Stat(name)
	return err == nil && st.IsDir(), err
}

// In returns the files of fsys. A file that is an [io.ReaderAt] is read where and when
// it is needed, and so is an [io.Seeker], by one reader at a time. Any other file is
// read into memory when it is opened; one of more than [MaxInMemory] bytes is an error.
func In(fsys fs.FS) Files { return inFS{fsys} }

// MaxInMemory is the largest size of a file that can only be read from its start, and
// is therefore read into memory.
const MaxInMemory = 1 << 30

type inFS struct{ fsys fs.FS }

func (f inFS) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(f.fsys, name) }
func (f inFS) Dir(name string) string                     { return path.Dir(name) }
func (f inFS) Join(dir, name string) string               { return path.Join(dir, name) }

func (f inFS) IsDir(name string) (bool, error) {
	st, err := fs.Stat(f.fsys, name)
	return err == nil && st.IsDir(), err
}

func (f inFS) Sub(dir string) fs.FS {
	sub, err := fs.Sub(f.fsys, dir)
	if err != nil {
		return nil
	}
	return sub
}

func (f inFS) Open(kind, name string) (*Source, error) {
	st, err := fs.Stat(f.fsys, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %s: %w", kind, name, errNotRegular)
	}
	file, err := f.fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	s, err := sourceOf(file, name)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %s: %w", kind, name, err)
	}
	return s, nil
}

func sourceOf(file fs.File, name string) (*Source, error) {
	st, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, errNotRegular
	case st.Size() < 0:
		return nil, fmt.Errorf("a file of %d bytes", st.Size())
	}
	if r, ok := file.(io.ReaderAt); ok {
		return &Source{r: strict{r}, path: name, size: st.Size(), closer: file}, nil
	}
	if r, ok := file.(io.ReadSeeker); ok {
		return &Source{r: &seeking{r: r}, path: name, size: st.Size(), closer: file}, nil
	}
	if st.Size() > MaxInMemory {
		return nil, fmt.Errorf("%d bytes that can only be read from the start; the limit is %d", st.Size(), MaxInMemory)
	}
	b, err := readAll(file, st.Size())
	if err != nil {
		return nil, err
	}
	return &Source{r: bytesAt(b), path: name, size: st.Size(), closer: file}, nil
}

// readAll reads the size bytes that r should have. It allocates memory as bytes arrive,
// because r may have fewer.
func readAll(r io.Reader, size int64) ([]byte, error) {
	const most = 100 // reads that bring nothing
	var b []byte
	for empty := 0; int64(len(b)) < size; {
		if len(b) == cap(b) {
			b = slices.Grow(b, int(min(size-int64(len(b)), int64(max(len(b)/2, 64<<10)))))
		}
		room := b[len(b):min(int64(cap(b)), size)]
		n, err := r.Read(room)
		if n < 0 || n > len(room) {
			return nil, errCount
		}
		b = b[:len(b)+n]
		if n > 0 {
			empty = 0
		} else if empty++; empty == most && err == nil {
			err = io.ErrNoProgress
		}
		switch {
		case int64(len(b)) == size:
		case err == io.EOF:
			return nil, fmt.Errorf("it ends after %d of %d bytes: %w", len(b), size, io.ErrUnexpectedEOF)
		case err != nil:
			return nil, err
		}
	}
	return slices.Clip(b), nil
}

var errCount = errors.New("Read returned a negative count, or more bytes than asked for")

// strict makes a ReaderAt of unknown origin keep the interface's contract, so that a
// loop that reads on after a short read ends.
type strict struct{ r io.ReaderAt }

func (s strict) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.r.ReadAt(p, off)
	switch {
	case n < 0 || n > len(p):
		return 0, errCount
	case n < len(p) && err == nil:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// seeking is a ReaderAt of a file that has one position.
type seeking struct {
	mu sync.Mutex
	r  io.ReadSeeker
}

func (s *seeking) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.r.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n := 0
	for empty := 0; n < len(p); {
		k, err := s.r.Read(p[n:])
		if k < 0 || k > len(p)-n {
			return n, errCount
		}
		if n += k; k > 0 {
			empty = 0
		} else if empty++; empty == 100 && err == nil {
			err = io.ErrNoProgress
		}
		if err != nil && n < len(p) {
			return n, err
		}
	}
	return n, nil
}

// bytesAt is a ReaderAt of memory.
type bytesAt []byte

func (b bytesAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Only returns Files with a single file of the name "", the first size bytes of r.
func Only(r io.ReaderAt, size int64) Files { return only{r, size} }

type only struct {
	r    io.ReaderAt
	size int64
}

func (f only) Open(kind, name string) (*Source, error) {
	switch {
	case name != "":
		return nil, fmt.Errorf("%s: %w", kind, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist})
	case f.r == nil || f.size < 0 || f.size == math.MaxInt64:
		return nil, fmt.Errorf("%s: a file of %d bytes", kind, f.size)
	}
	return Of(f.r, f.size), nil
}

func (only) IsDir(string) (bool, error)            { return false, nil }
func (only) ReadDir(string) ([]fs.DirEntry, error) { return nil, fs.ErrNotExist }
func (only) Dir(string) string                     { return "" }
func (only) Join(_, name string) string            { return name }
func (only) Sub(string) fs.FS                      { return nil }
