package checkpoint

import (
	"io"
	"slices"

	"github.com/bitmod-go/bitmod/internal/gguf"
	"github.com/bitmod-go/bitmod/internal/gguf/hf"
	"github.com/bitmod-go/bitmod/internal/safetensors"
)

// data is where the elements of a tensor are.
type data interface {
	// Read and Read64 read elements from first on, row by row.
	Read(dst []float32, first int64) error
	Read64(dst []float64, first int64) error
}

// raw is data that can be copied as it is.
type raw interface {
	Bytes() *io.SectionReader
}

// compound is data that several stored tensors make.
type compound interface {
	parts() []raw
}

// plain is a tensor of a safetensors file.
type plain struct {
	f *safetensors.File
	t safetensors.Tensor
}

func (p plain) Read(dst []float32, first int64) error   { return p.f.Read(dst, p.t, first) }
func (p plain) Read64(dst []float64, first int64) error { return p.f.Read64(dst, p.t, first) }
func (p plain) Bytes() *io.SectionReader                { return p.f.Section(p.t) }

// ggml is a tensor of a GGUF file.
type ggml struct {
	f *gguf.File
	t gguf.Tensor
}

func (p ggml) Read(dst []float32, first int64) error   { return p.f.Read(dst, p.t, first) }
func (p ggml) Read64(dst []float64, first int64) error { return p.f.Read64(dst, p.t, first) }
func (p ggml) Bytes() *io.SectionReader                { return p.f.Section(p.t) }

// read reads through whichever method fits T.
func read[T float32 | float64](d data, dst []T, first int64) error {
	switch dst := any(dst).(type) {
	case []float32:
		return d.Read(dst, first)
	case []float64:
		return d.Read64(dst, first)
	}
	panic("unreachable: T is one of the two")
}

// readRows reads rows lo to hi−1 of a matrix of the given columns. If it is
// transposed, it is made of matrices of outs rows, one below the other, which are
// stored as their transposes: of cols rows and outs columns.
func readRows[T float32 | float64](d data, dst []T, outs, cols, lo, hi int, transposed bool) error {
	if transposed { // twice is not at all
		switch x := d.(type) {
		case swapped:
			d, transposed = x.data, false
		case viewed:
			if t, ok := x.Data.(hf.Turned); ok {
				d, transposed = t.Untransposed(), false
			}
		}
	}
	if !transposed {
		return read(d, dst, int64(lo)*int64(cols))
	}
	strip := make([]T, min(hi-lo, outs))
	for lo < hi {
		matrix, out := lo/outs, lo%outs
		n := min(hi-lo, outs-out)
		first := int64(matrix)*int64(outs)*int64(cols) + int64(out)
		for col := range cols {
			if err := read(d, strip[:n], first+int64(col)*int64(outs)); err != nil {
				return err
			}
			for i, x := range strip[:n] {
				dst[i*cols+col] = x
			}
		}
		dst, lo = dst[n*cols:], lo+n
	}
	return nil
}

// swap exchanges the last two dimensions of a shape.
func swap(shape []int) []int {
	s := slices.Clone(shape)
	if n := len(s); n >= 2 {
		s[n-1], s[n-2] = s[n-2], s[n-1]
	}
	return s
}
