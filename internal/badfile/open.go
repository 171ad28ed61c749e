package badfile

import (
	"errors"
	"fmt"
	"os"
)

// Open opens the regular file at path and returns its size, too. Anything else is
// an error, a named pipe before it is opened, as that might take for ever.
func Open(kind, path string) (*os.File, int64, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", kind, err)
	}
	if !st.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s: %s: %w", kind, path, errNotRegular)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", kind, err)
	}
	st, err = f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("%s: %s: %w", kind, path, err)
	}
	return f, st.Size(), nil
}

var errNotRegular = errors.New("not a regular file")
