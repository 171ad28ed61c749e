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

// A linear is a matrix with a bias.
type linear struct {
	llm.Linear
	bias []float32
}

// A namedLinear is a matrix of a layer with its name in its family. input is the first
// matrix that is multiplied by the same vectors.
type namedLinear struct {
	*linear
	name  string
	input *linear
}

// linears returns the matrices of a layer.
func (l *layer) linears(n *names) []namedLinear {
	return []namedLinear{
		{&l.query, n.query, &l.query}, {&l.key, n.key, &l.query}, {&l.value, n.value, &l.query},
		{&l.output, n.output, &l.output}, {&l.up, n.up, &l.up}, {&l.down, n.down, &l.down},
	}
}

// size returns the rows and columns of a matrix of the layer l.
func (c *Config) size(w *linear, l *layer) (rows, cols int) {
	switch w {
	case &l.up:
		return c.Hidden, c.Dim
	case &l.down:
		return c.Dim, c.Hidden
	}
	return c.Dim, c.Dim
}

// each calls f for every matrix that vectors are multiplied by.
func (m *Model) each(f func(llm.Linear)) {
	if m.project != nil {
		f(m.project)
	}
	for i := range m.layers {
		for _, w := range m.layers[i].linears(&m.Config.family.names) {
			f(w.linear)
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
