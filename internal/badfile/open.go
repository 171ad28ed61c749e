package badfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/bitmod-go/bitmod/internal/mapping"
)

// A Source is what a file is read from.
type Source struct {
	r      io.ReaderAt
	path   string
	size   int64
	closer io.Closer
	file   *os.File // to map, nil if it is not

	once    sync.Once
	mapping *mapping.Mapping
}

// Of returns the source of the first size bytes of r, which has no path.
func Of(r io.ReaderAt, size int64) *Source { return &Source{r: strict{r}, size: size} }

// Open opens the regular file at path. Anything else is an error. A named pipe is
// refused before it is opened, as opening it might take for ever.
func Open(kind, path string) (*Source, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %s: %w", kind, path, errNotRegular)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	st, err = f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %s: %w", kind, path, err)
	}
	return &Source{r: f, path: path, size: st.Size(), closer: f}, nil
}

var errNotRegular = errors.New("not a regular file")

// Path returns the path that the file was opened with, and "" for a source that [Of]
// made.
func (s *Source) Path() string { return s.path }

// Map returns the file as mapped memory, or nil if it was not opened by Mapped or
// cannot be mapped.
func (s *Source) Map() *mapping.Mapping {
	s.once.Do(func() {
		if s.file != nil {
			s.mapping, _ = mapping.Of(s.file, s.size) // the error is one of reading, or that there is no mapping
		}
	})
	return s.mapping
}

// Size returns the length of the file in bytes.
func (s *Source) Size() int64 { return s.size }

// Close closes the file if it was opened by its name.
func (s *Source) Close() error {
	if s.closer == nil {
		return nil
	}
	return s.closer.Close()
}

// Bytes returns a reader of bytes begin to end−1.
func (s *Source) Bytes(begin, end int64) *io.SectionReader {
	return io.NewSectionReader(s.r, begin, end-begin)
}

// ReadFull fills p from the file's byte off on.
func (s *Source) ReadFull(p []byte, off int64) error { return ReadFull(s.r, p, off) }

// ReadElements fills p with the elements from number first on of an array of all
// elements, each of size bytes, that begins at byte begin of the file.
func (s *Source) ReadElements(p []byte, begin, size, all, first int64) error {
	n := int64(len(p)) / size
	if first < 0 || first > all || n > all-first || n*size != int64(len(p)) {
		return fmt.Errorf("%d bytes from element %d of %d", len(p), first, all)
	}
	off := begin + first*size
	if err := s.ReadFull(p, off); err != nil {
		return fmt.Errorf("reading %d bytes at %d: %w", len(p), off, err)
	}
	return nil
}

// ReadFull is ReadAt without the io.EOF that it may return with a full buffer. A file
// that has shrunk gives io.ErrUnexpectedEOF.
func ReadFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == io.EOF || err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}
