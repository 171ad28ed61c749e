package encoder

import (
	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

// A Model is an encoder. It is immutable and safe for concurrent use.
type Model struct {
	Config Config

	words, positions llm.Linear // their rows are looked up
	typeRow          []float32  // of the first type of tokens; nil if there are none
	embedNorm        floats.Norm
	project          *linear // nil if embeddings have the width of the layers
	relative         []float32
	layers           []layer
	lastNorm         *floats.Norm // nil if the norms follow what they normalize
}

// A layer is attention followed by a feed-forward network.
type layer struct {
	query, key, value, output      linear
	up, down                       linear
	attentionNorm, feedForwardNorm floats.Norm
}

// A linear is a matrix and what is added to its products.
type linear struct {
	llm.Linear
	bias []float32
}

// each calls f for every matrix that vectors are multiplied by.
func (m *Model) each(f func(llm.Linear)) {
	if m.project != nil {
		f(m.project)
	}
	for i := range m.layers {
		l := &m.layers[i]
		for _, w := range []*linear{&l.query, &l.key, &l.value, &l.output, &l.up, &l.down} {
			f(w)
		}
	}
}

// Bytes returns the memory that all weights take.
func (m *Model) Bytes() int {
	c := &m.Config
	n := m.words.Bytes() + m.positions.Bytes() + 4*(len(m.typeRow)+len(m.relative)+2*c.Embedding)
	if m.project != nil {
		n += 4 * c.Dim
	}
	n += 4 * c.Layers * (9*c.Dim + c.Hidden) // biases and norms
	m.each(func(l llm.Linear) { n += l.Bytes() })
	return n
}

// BitsPerWeight returns the bits that a weight of the matrices takes on average, without
// the tables of embeddings.
func (m *Model) BitsPerWeight() float64 {
	bytes, weights := 0, 0
	m.each(func(l llm.Linear) {
		bytes += l.Bytes()
		weights += l.Rows() * l.Cols()
	})
	return 8 * float64(bytes) / float64(weights)
}
