package badfile

import (
	"fmt"
	"io"
	"io/fs"

	"github.com/bitmod-go/bitmod/internal/errs"
)

// ReadFile returns the contents of a regular file of at most limit bytes. Anything else
// is an error that matches quant.ErrFormat. A named pipe is refused before it is
// opened, as opening it might take for ever.
func ReadFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	st, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: %w", name, errs.ErrFormat)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes: %w", name, limit, errs.ErrFormat)
	}
	return b, nil
}
