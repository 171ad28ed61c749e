package llm

import (
	"fmt"
)

// A Model is a language model. It is immutable and safe for concurrent use.
type Model struct {
	Config     Config
	Embedding  Linear
	Layers     []Layer
	Norm       []float32
	Classifier Linear // the same as Embedding if they are tied

	tied bool
}

// A Layer is attention followed by a feed-forward network.
type Layer struct {
	AttentionNorm   []float32
	FeedForwardNorm []float32
	Linears         [Down + 1]Linear // by Kind
}

// Tied reports whether the classifier is the embedding.
func (m *Model) Tied() bool { return m.tied }

// Each calls f for every matrix, in the order of a forward pass. A tied classifier
// is not a matrix of its own.
func (m *Model) Each(f func(Place, Linear)) {
	f(Place{-1, Embedding}, m.Embedding)
	for i := range m.Layers {
		for k, l := range m.Layers[i].Linears {
			f(Place{i, Kind(k)}, l)
		}
	}
	if !m.Tied() {
		f(Place{-1, Classifier}, m.Classifier)
	}
}

// Bytes returns the memory that all weights take.
func (m *Model) Bytes() int {
	n := 4 * len(m.Norm) * (1 + 2*len(m.Layers))
	m.Each(func(_ Place, l Linear) { n += l.Bytes() })
	return n
}

// BitsPerWeight returns the bits that a weight of the matrices of the layers takes
// on average, without embedding and classifier.
func (m *Model) BitsPerWeight() float64 {
	bytes, weights := 0, 0
	m.Each(func(p Place, l Linear) {
		if p.Layer >= 0 {
			bytes += l.Bytes()
			weights += l.Rows() * l.Cols()
		}
	})
	return 8 * float64(bytes) / float64(weights)
}

// Replace returns a model with every matrix made anew by maker from its weights as
// float32. It shares the rest with m. Matrices are made on GOMAXPROCS goroutines.
func (m *Model) Replace(maker Maker) (*Model, error) {
	return m.ReplaceSome(func(Place) bool { return true }, maker)
}

// ReplaceSome is Replace for the matrices at some places alone.
func (m *Model) ReplaceSome(at func(Place) bool, maker Maker) (*Model, error) {
	r := *m
	r.Layers = append([]Layer(nil), m.Layers...)
	var places []Place
	m.Each(func(p Place, _ Linear) {
		if at(p) {
			places = append(places, p)
		}
	})
	err := InParallel(len(places), func(i int) error {
		to := r.slot(places[i])
		l, err := remake(places[i], *to, maker)
		if err == nil {
			*to = l
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if m.Tied() {
		r.Classifier = r.Embedding
	}
	return &r, nil
}

// slot returns the field for the matrix at p.
func (m *Model) slot(p Place) *Linear {
	switch p.Kind {
	case Embedding:
		return &m.Embedding
	case Classifier:
		return &m.Classifier
	default:
		return &m.Layers[p.Layer].Linears[p.Kind]
	}
}

func remake(p Place, l Linear, maker Maker) (Linear, error) {
	w, err := Weights(l)
	if err != nil {
		return nil, err
	}
	n, err := maker(p, w, l.Cols())
	if err != nil {
		return nil, err
	}
	if n.Rows() != l.Rows() || n.Cols() != l.Cols() {
		return nil, fmt.Errorf("llm: %v was replaced by a %d×%d matrix, want %d×%d", p, n.Rows(), n.Cols(), l.Rows(), l.Cols())
	}
	return n, nil
}

// Weights returns the weights of l as float32, row-major. They must not be changed.
func Weights(l Linear) ([]float32, error) {
	if d, ok := l.(*dense); ok {
		return d.w, nil
	}
	w := make([]float32, l.Rows()*l.Cols())
	for r := range l.Rows() {
		if err := l.Row(w[r*l.Cols():][:l.Cols()], r); err != nil {
			return nil, err
		}
	}
	return w, nil
}
