package safetensors

import (
	"math"
	"math/bits"
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

// Elements returns the product of the dimensions, 1 for a scalar.
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

// Rows returns the product of all dimensions but the last: a tensor is a stack
// of rows of Cols elements.
func (t Tensor) Rows() int {
	n := 1
	for i := 0; i < len(t.Shape)-1; i++ {
		n *= t.Shape[i]
	}
	return n
}

// elements returns the product of shape, and false if it, without the zeros,
// exceeds an int: no reader of any order then overflows.
func elements(shape []int) (int64, bool) {
	n, zero := uint64(1), false
	for _, d := range shape {
		if d == 0 {
			zero = true
			continue
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt {
			return 0, false
		}
		n = lo
	}
	if zero {
		n = 0
	}
	return int64(n), true
}

// byteLen returns the bytes of n elements of a type of the given width, and
// false if that overflows or does not fill whole bytes.
func byteLen(n int64, width int) (int64, bool) {
	hi, lo := bits.Mul64(uint64(n), uint64(width))
	if hi != 0 || lo%8 != 0 || lo/8 > math.MaxInt64 {
		return 0, false
	}
	return int64(lo / 8), true
}
