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
	// Shape has the dimensions, outermost first. A quantized tensor of more
	// than two is the matrix of its last dimension.
	Shape []int
	// DType is how the elements are stored: a name such as BF16 or Q8_0, or that
	// of the data type if the tensor is quantized.
	DType string
	// Bytes is the size of the data, with scales.
	Bytes int64
	// Role is what the tensor is in its model.
	Role Role
	// Float reports whether ReadRows can read it.
	Float bool

	// Quantized reports whether Matrix can read it, and the following are set.
	Quantized bool
	// Type and GroupSize are those of all rows. If rows are of several types, Type is
	// not valid, GroupSize 0, DType "mixed", and Parts says which there are.
	Type      datatype.Type
	GroupSize int
	Parts     []Part
	// Original is the DType that it was quantized from.
	Original string
	// Transposed reports whether it was [in, out] and is [out, in].
	Transposed bool
}

// A Part is the rows of one type and group size of a quantized tensor that has rows of
// several, as the parts of a [quant.Matrix].
type Part struct {
	Type      datatype.Type
	GroupSize int
	Rows      int
}

// mixedDType is the DType of such a tensor.
const mixedDType = "mixed"

// types returns the parts of a quantized tensor, one if all rows are of one type.
func (t Tensor) types() []Part { return describe(t).types() }

// Elements returns the number of elements.
func (t Tensor) Elements() int64 { return shape.Elements(t.Shape) }

// Cols returns the last dimension, 1 for a scalar.
func (t Tensor) Cols() int { return shape.Cols(t.Shape) }

// Rows returns the product of all dimensions but the last.
func (t Tensor) Rows() int { return shape.Rows(t.Shape) }

// Bits returns the bits of an element's code as it is stored, without its share
// of the scales that blocks have: 16 for BF16, 4 for Q4_1 and bitmod4. It is 0
// for a DType that this package does not know.
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

// A Role is what a tensor is in its model, by the configuration and the names of
// known families, and otherwise by its name and shape.
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
