package checkpoint

import "github.com/bitmod-go/bitmod/datatype"

// A Tensor describes one tensor of a checkpoint.
type Tensor struct {
	Name string
	// Shape has the dimensions, outermost first. A quantized tensor of more
	// than two is the matrix of its last dimension.
	Shape []int
	// DType is how the elements are stored: a name such as BF16 or Q8_0, or that
	// of the data type if the tensor is quantized.
	DType string
	// Bytes is the size of the data, with scales.
	Bytes int64
	// Float reports whether ReadRows can read it.
	Float bool

	// Quantized reports whether Matrix can read it, and the following are set.
	Quantized bool
	Type      datatype.Type
	GroupSize int
	// Original is the DType that it was quantized from.
	Original string
	// Transposed reports whether it was [in, out] and is [out, in].
	Transposed bool
}

// Elements returns the number of elements.
func (t Tensor) Elements() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= int64(d)
	}
	return n
}

// Cols returns the last dimension, 1 for a scalar.
func (t Tensor) Cols() int {
	if len(t.Shape) == 0 {
		return 1
	}
	return t.Shape[len(t.Shape)-1]
}

// Rows returns the product of all dimensions but the last.
func (t Tensor) Rows() int {
	n := 1
	for i := 0; i < len(t.Shape)-1; i++ {
		n *= t.Shape[i]
	}
	return n
}
