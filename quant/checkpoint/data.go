package checkpoint

import (
	"encoding/binary"
	"io"
	"slices"
	"unsafe"

	"github.com/bitmod-go/bitmod/internal/gguf"
	"github.com/bitmod-go/bitmod/internal/gguf/hf"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/x448/float16"
)

// data reads the elements of a tensor.
type data interface {
	// Read and Read64 read elements from first on, row by row.
	Read(dst []float32, first int64) error
	Read64(dst []float64, first int64) error
}

// raw is data that can be copied as it is.
type raw interface {
	Bytes() *io.SectionReader
}

// compound is data that is made of several stored tensors.
type compound interface {
	parts() []raw
}

// plain is a tensor of a safetensors file, and ggml one of a GGUF file.
type (
	plain = inFile[*safetensors.File, safetensors.Tensor]
	ggml  = inFile[*gguf.File, gguf.Tensor]
)

// inFile is a tensor t of a file f.
type inFile[F tensorFile[T], T any] struct {
	f F
	t T
}

// A tensorFile reads tensors that T describes.
type tensorFile[T any] interface {
	Read(dst []float32, t T, first int64) error
	Read64(dst []float64, t T, first int64) error
	Section(t T) *io.SectionReader
	ReadBytes(dst []byte, t T, first int64) error
}

func (p inFile[F, T]) Read(dst []float32, first int64) error   { return p.f.Read(dst, p.t, first) }
func (p inFile[F, T]) Read64(dst []float64, first int64) error { return p.f.Read64(dst, p.t, first) }
func (p inFile[F, T]) Bytes() *io.SectionReader                { return p.f.Section(p.t) }
func (p inFile[F, T]) ReadBytes(dst []byte, first int64) error { return p.f.ReadBytes(dst, p.t, first) }

// asStored is data of elements that can be read as they are stored.
type asStored interface {
	// ReadBytes fills dst with the bytes of elements from first on.
	ReadBytes(dst []byte, first int64) error
}

// read reads with the method for T. 16-bit floats are read without conversion, so the
// data must be stored as that type.
func read[T quant.Weight](d data, dst []T, first int64) error {
	switch dst := any(dst).(type) {
	case []float32:
		return d.Read(dst, first)
	case []float64:
		return d.Read64(dst, first)
	case []quant.BFloat16:
		return readHalves(d.(asStored), dst, first)
	case []float16.Float16:
		return readHalves(d.(asStored), dst, first)
	}
	panic("unreachable: T is one of the four")
}

func readHalves[T quant.BFloat16 | float16.Float16](d asStored, dst []T, first int64) error {
	if len(dst) == 0 {
		return nil
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), 2*len(dst))
	if err := d.ReadBytes(b, first); err != nil {
		return err
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		for i := range dst {
			dst[i] = T(binary.LittleEndian.Uint16(b[2*i:]))
		}
	}
	return nil
}

// readRows reads rows lo to hi−1 of a matrix with cols columns. If transposed is set,
// the matrix consists of matrices of outs rows, one below the other, each stored as its
// transpose of cols rows and outs columns.
func readRows[T quant.Weight](d data, dst []T, outs, cols, lo, hi int, transposed bool) error {
	if transposed { // two transpositions cancel
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
	// Many columns at a time, so that writes to a row are next to each other.
	const together = 32
	strips := make([]T, min(hi-lo, outs)*min(together, cols))
	for lo < hi {
		matrix, out := lo/outs, lo%outs
		n := min(hi-lo, outs-out)
		first := int64(matrix)*int64(outs)*int64(cols) + int64(out)
		for col := 0; col < cols; col += together {
			k := min(together, cols-col)
			if err := readStrips(d, strips[:k*n], k, outs, first+int64(col)*int64(outs)); err != nil {
				return err
			}
			i := 0
			for ; i+4 <= n; i += 4 {
				a, b, c, d := dst[i*cols+col:][:k], dst[(i+1)*cols+col:][:k], dst[(i+2)*cols+col:][:k], dst[(i+3)*cols+col:][:k]
				for j := range a {
					four := strips[j*n+i:][:4]
					a[j], b[j], c[j], d[j] = four[0], four[1], four[2], four[3]
				}
			}
			for ; i < n; i++ {
				row := dst[i*cols+col:][:k]
				for j := range row {
					row[j] = strips[j*n+i]
				}
			}
		}
		dst, lo = dst[n*cols:], lo+n
	}
	return nil
}

// readStrips reads k strips that fill dst. Each begins outs elements after the one
// before.
func readStrips[T quant.Weight](d data, dst []T, k, outs int, first int64) error {
	n := len(dst) / k
	if n == outs {
		return read(d, dst, first)
	}
	for j := range k {
		if err := read(d, dst[j*n:(j+1)*n], first+int64(j)*int64(outs)); err != nil {
			return err
		}
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
