package llm

import (
	"fmt"

	"github.com/bitmod-go/bitmod/quant"
)

// A Linear is a matrix that vectors are multiplied by. It is immutable and safe
// for concurrent use.
type Linear interface {
	Rows() int  // outputs
	Cols() int  // inputs
	Bytes() int // of memory for the weights
	// Mul writes W·x for n vectors to dst. Vectors are side by side: x is n·Cols
	// long, dst n·Rows. What it writes for a vector depends on that vector alone.
	Mul(dst, x []float32, n int, c *Crew) error
	// Row writes the weights of one row as float32 to dst, which is Cols long.
	Row(dst []float32, row int) error
}

// MulAll writes W·x for n vectors and each of several matrices, which have the same number
// of columns, to dsts. It is Mul for each, and faster where they are packed.
func MulAll(dsts [][]float32, ws []Linear, x []float32, n int, c *Crew) error {
	var packed []*Quantized
	for _, w := range ws {
		if q, ok := w.(*Quantized); ok && (len(packed) == 0 || q.Activations == packed[0].Activations) {
			packed = append(packed, q)
		}
	}
	if len(packed) == len(ws) {
		return mulPacked(dsts, packed, x, n, c)
	}
	for i, w := range ws {
		if err := w.Mul(dsts[i], x, n, c); err != nil {
			return err
		}
	}
	return nil
}

// A Place is the place of a Linear in a model.
type Place struct {
	Layer  int // −1 for Embedding and Classifier
	Kind   Kind
	Expert int // of a layer with several feed-forward networks
}

// A Kind is one of the matrices of a layer, or of the model.
type Kind int

// Query, Key and Value have the same input, and so have Gate and Up.
const (
	Query Kind = iota
	Key
	Value
	Output
	Gate
	Up
	Down
	Embedding // from tokens: its rows are looked up
	Classifier
	ExpertGate // Gate, Up and Down of an expert
	ExpertUp
	ExpertDown
)

// kindNames are Hugging Face's, without "model." and ".weight".
var kindNames = [...]string{
	"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
	"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "embed_tokens", "lm_head",
	"gate_proj", "up_proj", "down_proj",
}

// String returns a name such as "layers.0.self_attn.q_proj".
func (p Place) String() string { return p.tensor().String() }

// tensor returns the name of the matrix at p.
func (p Place) tensor() tensorName {
	n := tensorName{layer: p.Layer, expert: -1, part: kindNames[p.Kind]}
	if p.Kind >= ExpertGate {
		n.expert = p.Expert
	}
	return n
}

// Size returns the rows and columns of the matrix at p.
func (c *Config) Size(p Place) (rows, cols int) {
	switch p.Kind {
	case Query:
		return c.qDim(), c.Dim
	case Key, Value:
		return c.kvDim(), c.Dim
	case Output:
		return c.Dim, c.qDim()
	case Gate, Up:
		return c.Hidden, c.Dim
	case Down:
		return c.Dim, c.Hidden
	case ExpertGate:
		if c.Interleaved {
			return 2 * c.ExpertHidden, c.Dim
		}
		return c.ExpertHidden, c.Dim
	case ExpertUp:
		return c.ExpertHidden, c.Dim
	case ExpertDown:
		return c.Dim, c.ExpertHidden
	default:
		return c.Vocab, c.Dim
	}
}

// A Maker makes the Linear for a place of its float32 weights, row-major, which it
// may keep but not change. It may be called for several places at the same time.
type Maker func(p Place, w []float32, cols int) (Linear, error)

// Float is the Maker of float32 matrices, which a model has by default.
func Float(p Place, w []float32, cols int) (Linear, error) { return newDense(w, cols), nil }

// A Quantizer makes quantized matrices, see [Quantizer.Make].
type Quantizer struct {
	quant.Config
	// All also quantizes embedding and classifier, which otherwise stay float32.
	All         bool
	Activations Activations
	// Unpack multiplies by the weights as float32, which takes 4 bytes of memory for
	// each weight besides Bytes. Sums are the same except for rounding. It is for small
	// models that read much text.
	Unpack bool
}

// Make is a Maker.
func (q Quantizer) Make(p Place, w []float32, cols int) (Linear, error) {
	if p.Layer < 0 && !q.All {
		return Float(p, w, cols)
	}
	m, err := quant.Group(w, cols, q.Config)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", p, err)
	}
	return q.linear(m)
}

// A PackedMaker makes the Linear for a place of a matrix that is packed already.
type PackedMaker func(p Place, m *quant.Matrix) (Linear, error)

// Packed is a PackedMaker: the matrix stays as it is, whatever q's Config and All
// say.
func (q Quantizer) Packed(_ Place, m *quant.Matrix) (Linear, error) { return q.linear(m) }

// linear makes the Linear of a packed matrix.
func (q Quantizer) linear(m *quant.Matrix) (Linear, error) {
	if q.Unpack {
		return unpack(m)
	}
	return &Quantized{m, q.Activations}, nil
}
