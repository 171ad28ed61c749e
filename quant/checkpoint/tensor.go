package checkpoint

import (
	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/gguf"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/internal/shape"
)

// A Tensor describes one tensor of a checkpoint.
type Tensor struct {
	Name string
	// Shape has the dimensions, outermost first. A quantized tensor of more than two
	// dimensions is a matrix with the columns of the last.
	Shape []int
	// DType is the type of the stored elements, such as BF16 or Q8_0, or the name of
	// the data type if the tensor is quantized.
	DType string
	// Bytes is the size of the data, with scales.
	Bytes int64
	// Role is the role of the tensor in its model.
	Role Role
	// Float reports whether ReadRows can read it.
	Float bool

	// Quantized reports whether Matrix can read it. Then the fields below are set.
	Quantized bool
	// Type and GroupSize hold for all rows. If rows are of several types, Type is not
	// valid, GroupSize is 0, DType is "mixed", and Parts has the types.
	Type      datatype.Type
	GroupSize int
	Parts     []Part
	// Original is the DType that the tensor was quantized from.
	Original string
	// Transposed reports whether the tensor was [in, out] and is [out, in].
	Transposed bool
}

// A Part stands for the rows of one type and group size, in a quantized tensor with rows
// of several types. It is like a part of a [quant.Matrix].
type Part struct {
	Type      datatype.Type
	GroupSize int
	Rows      int
}

// mixedDType is the DType of a tensor with several parts.
const mixedDType = "mixed"

// types returns the parts of a quantized tensor, one if all rows are of one type.
func (t Tensor) types() []Part { return describe(t).types() }

// Elements returns the number of elements.
func (t Tensor) Elements() int64 { return shape.Elements(t.Shape) }

// Cols returns the last dimension, 1 for a scalar.
func (t Tensor) Cols() int { return shape.Cols(t.Shape) }

// Rows returns the product of all dimensions but the last.
func (t Tensor) Rows() int { return shape.Rows(t.Shape) }

// Bits returns the number of bits of a stored element, without its share of scales: 16
// for BF16, 4 for Q4_1 and bitmod4. It is 0 for a DType that this package does not
// know.
func (t Tensor) Bits() int {
	if t.Quantized {
		return t.Type.Bits()
	}
	if n := safetensors.DType(t.DType).Bits(); n > 0 {
		return n
	}
	if typ, ok := gguf.ParseType(t.DType); ok {
		return typ.Bits()
	}
	return 0
}

// A Role is the role of a tensor in its model. It follows from the configuration and
// the names of known families, and otherwise from the name and shape.
type Role string

// The roles.
const (
	RoleUnknown   Role = ""
	RoleLinear    Role = "linear"    // the weight of a linear layer, an expert's too
	RoleEmbedding Role = "embedding" // of tokens: a table that is looked up
	RoleHead      Role = "head"      // from the last layer to the vocabulary
	RoleRouter    Role = "router"    // chooses experts
	RoleNorm      Role = "norm"
	RoleBias      Role = "bias"
	RoleTable     Role = "table" // positions, token types, relative biases
	RoleOther     Role = "other" // known to be none of these: convolutions, states
)
