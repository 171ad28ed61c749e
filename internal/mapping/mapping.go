// Package mapping maps files into memory, read-only.
package mapping

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
)

// A Mapping is the bytes of a file. They are valid as long as the Mapping is reachable.
// Pointers to the bytes do not keep it reachable: store the Mapping beside them, or use
// [runtime.KeepAlive]. The file itself may be closed.
type Mapping struct{ b []byte }

// Of maps the first size bytes of f. It returns an error if the file is shorter, empty,
// or too long for the address space, and on systems that cannot map files.
//
// A page is read from the file when it is first used, on the thread that uses it. If
// the file has become shorter by then, the program ends with a fault.
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

// Bytes returns the bytes of the file. Writing to them is a fault.
func (m *Mapping) Bytes() []byte { return m.b }
