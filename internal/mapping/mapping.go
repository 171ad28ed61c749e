// Package mapping maps files into memory, read-only.
package mapping

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
)

// A Mapping is the bytes of a file. They are there as long as the Mapping is
// reachable: it has to be kept where they are, or with [runtime.KeepAlive], as
// pointers to them do not. The file itself may be closed.
type Mapping struct{ b []byte }

// Of maps the first size bytes of f. The error is for a file that is not so long,
// for one that is empty or longer than an address, and for systems that can't.
//
// A page that is first used is read from the file, on the thread that does. If the
// file has become shorter by then, that is a fault that ends the program.
func Of(f *os.File, size int64) (*Mapping, error) {
	if size <= 0 || size > math.MaxInt {
		return nil, fmt.Errorf("mapping %d bytes: %w", size, errors.ErrUnsupported)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() < size {
		return nil, fmt.Errorf("mapping %d bytes of a file of %d", size, st.Size())
	}
	b, err := mapFile(f, int(size))
	if err != nil {
		return nil, err
	}
	m := &Mapping{b}
	runtime.AddCleanup(m, unmap, b)
	return m, nil
}

// Bytes returns the bytes of the file. They must not be written to, which would be a
// fault.
func (m *Mapping) Bytes() []byte { return m.b }
