package llm

import (
	"fmt"
	"slices"
)

// A Model is a language model. It is immutable and safe for concurrent use.
type Model struct {
	Config     Config
	Embedding  Linear
	Positions  []float32 // a vector for each position, with LearnedPositions
	Layers     []Layer
	Norm       Norm
	Classifier Linear // the same as Embedding if they are tied

	tied bool
}

// A Layer is attention followed by a feed-forward network, or by experts. Fields that
// the model's Arch does not have are zero.
type Layer struct {
	// Norms of the inputs of attention and feed-forward network, and of their outputs
	// before these are added to the residual stream.
	AttentionNorm, FeedForwardNorm       Norm
	AttentionOutNorm, FeedForwardOutNorm Norm

	QueryNorm, KeyNorm Norm

	Linears [Down + 1]Linear    // by Kind
	Biases  [Down + 1][]float32 // by Kind
	Sinks   []float32           // by head

	Router     Linear // scores of the experts
	RouterBias []float32
	Experts    []Expert
}

// A Norm has the factors and the summands for a normalized vector.
type Norm struct{ Weight, Bias []float32 }

// An Expert is a feed-forward network of several.
type Expert struct {
	Linears [3]Linear    // by Kind, from ExpertGate on
	Biases  [3][]float32 // likewise
}

// Tied reports whether the classifier is the embedding.
func (m *Model) Tied() bool { return m.tied }

// Each calls f for every matrix, in the order of a forward pass. A tied classifier
// is not a matrix of its own.
func (m *Model) Each(f func(Place, Linear)) {
	f(Place{Layer: -1, Kind: Embedding}, m.Embedding)
	for i := range m.Layers {
		for k, l := range m.Layers[i].Linears {
			if l != nil {
				f(Place{Layer: i, Kind: Kind(k)}, l)
			}
		}
		for e := range m.Layers[i].Experts {
			for k, l := range m.Layers[i].Experts[e].Linears {
				if l != nil {
					f(Place{i, ExpertGate + Kind(k), e}, l)
				}
			}
		}
	}
	if !m.Tied() {
		f(Place{Layer: -1, Kind: Classifier}, m.Classifier)
	}
}

// Bytes returns the size of all weights in memory.
func (m *Model) Bytes() int {
	n := 0
	m.vectors(func(_ tensorName, _, _ int, to *[]float32) { n += 4 * len(*to) })
	for i := range m.Layers {
		if r := m.Layers[i].Router; r != nil {
			n += r.Bytes()
		}
	}
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

// Replace returns a model whose matrices are made by maker from the float32 weights of
// m. It shares the rest with m. Matrices are made on GOMAXPROCS goroutines.
func (m *Model) Replace(maker Maker) (*Model, error) {
	return m.ReplaceSome(func(Place) bool { return true }, maker)
}

// ReplaceSome is Replace for only the matrices at some places.
func (m *Model) ReplaceSome(at func(Place) bool, maker Maker) (*Model, error) {
	r := *m
	r.Layers = slices.Clone(m.Layers)
	for i := range r.Layers {
		r.Layers[i].Experts = slices.Clone(r.Layers[i].Experts)
	}
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
	case ExpertGate, ExpertUp, ExpertDown:
		return &m.Layers[p.Layer].Experts[p.Expert].Linears[p.Kind-ExpertGate]
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
		return d.weights(), nil
	}
	w := make([]float32, l.Rows()*l.Cols())
	for r := range l.Rows() {
		if err := l.Row(w[r*l.Cols():][:l.Cols()], r); err != nil {
			return nil, err
		}
	}
	return w, nil
}
