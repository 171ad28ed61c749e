package safetensors

import (
	"math"
	"math/bits"

	"github.com/bitmod-go/bitmod/internal/shape"
)

// A Tensor describes one tensor of a file.
type Tensor struct {
	Name  string
	DType DType
	// Shape has the dimensions, outermost first; none for a scalar.
	Shape []int
	// Begin and End are the bytes of the file, from its start, that hold the
	// tensor.
	Begin, End int64
}

// Bytes returns the length of the tensor's data.
func (t Tensor) Bytes() int64 { return t.End - t.Begin }

// Elements returns the number of elements.
func (t Tensor) Elements() int64 { return shape.Elements(t.Shape) }

// Cols returns the last dimension, 1 for a scalar.
func (t Tensor) Cols() int { return shape.Cols(t.Shape) }

// Rows returns the product of all dimensions but the last.
func (t Tensor) Rows() int { return shape.Rows(t.Shape) }

// byteLen returns the bytes of n elements of a type of the given width, and
// false if that overflows or does not fill whole bytes.
func byteLen(n int64, width int) (int64, bool) {
	hi, lo := bits.Mul64(uint64(n), uint64(width))
	if hi != 0 || lo%8 != 0 || lo/8 > math.MaxInt64 {
		return 0, false
	}
	return int64(lo / 8), true
}
