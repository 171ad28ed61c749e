package llm

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/bitmod-go/bitmod/quant"
)

// A Worth says what each of several configurations does to a tensor: the bytes that it
// takes, and what the tensor's errors add to the loss of a token, in nats.
type Worth struct {
	Tensor  string
	Weights int
	Choices []quant.Choice // by configuration
}

// Worths returns, for all tensors that are matrices, embedding and classifier included,
// what each configuration is worth, in the order of their names. All weights are in memory
// meanwhile. With δ for what a configuration does to a row, x for a vector that it is
// multiplied by, y for its output and L for the loss of a text, a row adds
//
//	½ · E[(∂L/∂y)²] · Σ δ²·E[x²]
//
// the second-order term of the loss without what errors of two weights have to do with
// each other. Rows of the embedding add as much for every time that a token occurs.
func (f *File) Worths(ctx context.Context, texts [][]int, configs []quant.Config) ([]Worth, error) {
	s, ok := f.source.(*checkpointSource)
	if !ok {
		return nil, fmt.Errorf("llm: %s is no checkpoint", f.name)
	}
	m, err := f.Load(Options{})
	if err != nil {
		return nil, err
	}
	e := &effects{inputs: make(map[Place][]float64), outputs: make(map[Place][]float64), tokens: make(map[int]float64)}
	b := &backward{ends: e.ends, observe: func(p Place, x, g []float32, n int) error {
		if p.Layer == 0 && p.Kind == Query {
			e.n += n
		}
		e.add(p, x, g, n)
		return ended(ctx)
	}}
	if err := gradients(m, texts, b); err != nil {
		return nil, err
	}
	if e.n == 0 {
		return nil, fmt.Errorf("llm: no text")
	}
	tensors := make(map[string]*Worth)
	for _, p := range m.places() {
		name := s.at(p.tensor()).name
		w := tensors[name]
		if w == nil {
			w = &Worth{Tensor: name, Choices: make([]quant.Choice, len(configs))}
			tensors[name] = w
		}
		if err := e.worth(ctx, m, p, w, configs); err != nil {
			return nil, err
		}
	}
	var ws []Worth
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		ws = append(ws, *tensors[name])
	}
	return ws, nil
}

// effects are sums over tokens.
type effects struct {
	n       int
	inputs  map[Place][]float64 // squares, by column
	outputs map[Place][]float64 // squares of gradients, by row
	tokens  map[int]float64     // how often they occur
}

func (e *effects) add(p Place, x, g []float32, n int) {
	for _, of := range []struct {
		to map[Place][]float64
		x  []float32
	}{{e.inputs, x}, {e.outputs, g}} {
		s := of.to[p]
		if s == nil {
			s = make([]float64, len(of.x)/n)
			of.to[p] = s
		}
		for v := range slices.Chunk(of.x, len(s)) {
			for i, y := range v {
				s[i] += float64(y) * float64(y) // the product is exact
			}
		}
	}
}

// ends takes what is known of the classifier and of the embedding.
func (e *effects) ends(tokens []int, x, logits, embedded []float32) error {
	e.add(Place{Layer: -1, Kind: Classifier}, x, logits, len(tokens))
	e.add(Place{Layer: -1, Kind: Embedding}, embedded, embedded, len(tokens))
	for _, t := range tokens {
		e.tokens[t]++
	}
	return nil
}

// worth adds what configurations do to the matrix at p.
func (e *effects) worth(ctx context.Context, m *Model, p Place, w *Worth, configs []quant.Config) error {
	l := *m.slot(p)
	weights, err := Weights(l)
	if err != nil {
		return err
	}
	w.Weights += len(weights)
	cols, n := l.Cols(), float64(e.n)
	row := make([]float32, cols)
	for i, c := range configs {
		q, err := quant.GroupContext(ctx, weights, cols, c)
		if err != nil {
			return fmt.Errorf("llm: %v: %w", p, err)
		}
		loss := 0.0
		for r := range l.Rows() {
			if err := q.DequantizeRow(row, r); err != nil {
				return err
			}
			own := weights[r*cols:][:cols]
			if p.Kind == Embedding {
				if k := e.tokens[r]; k > 0 {
					loss += k / n * noise(row, own, e.outputs[p]) / n / 2
				}
				if !m.Tied() {
					continue
				}
			}
			at := p
			if p.Kind == Embedding {
				at.Kind = Classifier
			}
			if g := e.outputs[at][r]; g > 0 {
				loss += g / n * noise(row, own, e.inputs[at]) / n / 2
			}
		}
		w.Choices[i].Bytes += q.Bytes()
		w.Choices[i].Loss += loss
	}
	return nil
}

// noise returns the squares of differences, weighted.
func noise(a, b []float32, weights []float64) float64 {
	sum := 0.0
	for i, x := range a {
		d := float64(x) - float64(b[i])
		sum += float64(d * d * weights[i])
	}
	return sum
}
