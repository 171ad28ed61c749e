package encoder

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

// A Runner computes with a model. It serves one caller at a time; runners of one model
// are independent.
type Runner struct {
	model *Model
	crew  *llm.Crew

	texts []span
	bias  relativeBias

	// observe, if not nil, sees the n vectors that a matrix of a layer is multiplied by.
	observe func(w *linear, x []float32, n int) error

	// Working space: vectors of all tokens side by side.
	x, norm, q, k, v, heads, hidden []float32
	embedding                       []float32
}

// A span is the range of a text's tokens among the tokens of all texts.
type span struct{ lo, hi int }

// NewRunner returns a runner for m that computes on workers goroutines. Close ends them.
func NewRunner(m *Model, workers int) *Runner {
	return &Runner{model: m, crew: llm.NewCrew(workers)}
}

// Close ends the runner's goroutines.
func (r *Runner) Close() { r.crew.Close() }

// Forward runs the model on each text, given by all of its tokens, including those
// around it. Hidden then returns the results. The result for a text does not depend on
// the others.
func (r *Runner) Forward(texts ...[]int) error {
	n, err := r.begin(texts)
	if err != nil {
		return err
	}
	if err = r.forward(texts, n); err != nil {
		r.texts = r.texts[:0] // there is nothing to show
		return fmt.Errorf("encoder: %w", err)
	}
	return nil
}

// begin records where texts are, and returns the number of their tokens.
func (r *Runner) begin(texts [][]int) (int, error) {
	m := r.model
	r.texts = r.texts[:0]
	n, longest := 0, 0
	for _, tokens := range texts {
		if max := m.Config.MaxTokens(); len(tokens) > max {
			return 0, fmt.Errorf("encoder: a text of %d tokens is longer than the model has positions, %d", len(tokens), max)
		}
		for _, t := range tokens {
			if t < 0 || t >= m.Config.Vocab {
				return 0, fmt.Errorf("encoder: token %d is not in a vocabulary of %d", t, m.Config.Vocab)
			}
		}
		r.texts = append(r.texts, span{n, n + len(tokens)})
		n += len(tokens)
		longest = max(longest, len(tokens))
	}
	if m.relative != nil {
		r.bias.grow(&m.Config, m.relative, longest)
	}
	return n, nil
}

func (r *Runner) forward(texts [][]int, n int) error {
	m := r.model
	if err := r.embed(texts, n); err != nil {
		return err
	}
	for i := range m.layers {
		if err := r.layer(&m.layers[i], n); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
	}
	if m.lastNorm != nil {
		r.normalize(m.lastNorm, r.x)
	}
	return nil
}

// Hidden returns the outputs of the last layer for the tokens of the i-th text of the
// last Forward, side by side, until the next one. It must not be changed.
func (r *Runner) Hidden(i int) []float32 {
	t, dim := r.texts[i], r.model.Config.Dim
	return r.x[t.lo*dim : t.hi*dim]
}

// embed sets x to the embeddings of all tokens.
func (r *Runner) embed(texts [][]int, n int) error {
	m := r.model
	c := &m.Config
	width := c.Embedding
	e := grow(&r.embedding, n*width)
	row := make([]float32, width)
	at := 0
	for _, tokens := range texts {
		next := c.Padding + 1
		for _, t := range tokens {
			x := e[at : at+width]
			at += width
			if err := m.words.Row(x, t); err != nil {
				return fmt.Errorf("embedding of token %d: %w", t, err)
			}
			if m.typeRow != nil {
				floats.AddRow(x, m.typeRow)
			}
			p := next
			if t == c.Padding {
				p = t
			} else {
				next++
			}
			if err := m.positions.Row(row, p); err != nil {
				return fmt.Errorf("embedding of position %d: %w", p, err)
			}
			floats.AddRow(x, row)
		}
	}
	r.normalize(&m.embedNorm, e)
	x := grow(&r.x, n*c.Dim)
	if m.project == nil {
		copy(x, e)
		return nil
	}
	if err := r.multiply(x, m.project, e, n); err != nil {
		return fmt.Errorf("projection of embeddings: %w", err)
	}
	floats.AddRow(x, m.project.bias)
	return nil
}

// normalize normalizes each row of x.
func (r *Runner) normalize(n *floats.Norm, x []float32) { r.normalizeTo(x, n, x) }

func (r *Runner) normalizeTo(dst []float32, n *floats.Norm, x []float32) {
	width := len(n.Weight)
	r.crew.Split(len(x)/width, 1, normCost*len(x), func(_, lo, hi int) {
		n.Layer(dst[lo*width:hi*width], x[lo*width:hi*width])
	})
}

// Costs of an element, in multiplications: see Crew.Split.
const (
	normCost       = 4
	activationCost = 16
)

func (r *Runner) multiply(dst []float32, w *linear, x []float32, n int) error {
	return r.multiplyAll([][]float32{dst}, []*linear{w}, x, n)
}

// multiplyAll multiplies n vectors by matrices that have them as input.
func (r *Runner) multiplyAll(dsts [][]float32, ws []*linear, x []float32, n int) error {
	var matrices []llm.Linear
	for _, w := range ws {
		if r.observe != nil {
			if err := r.observe(w, x, n); err != nil {
				return err
			}
		}
		matrices = append(matrices, w.Linear)
	}
	return llm.MulAll(dsts, matrices, x, n, r.crew)
}

// layer goes through one layer, in place.
func (r *Runner) layer(l *layer, n int) error {
	if err := r.attended(l, n); err != nil {
		return err
	}
	if err := r.output(l, r.heads, n); err != nil {
		return err
	}
	up, err := r.activated(l, n)
	if err != nil {
		return err
	}
	return r.down(l, up, n)
}

// attended sets heads to the outputs of attention for x.
func (r *Runner) attended(l *layer, n int) error {
	dim := r.model.Config.Dim
	in := r.attentionIn(l)
	q, k, v := grow(&r.q, n*dim), grow(&r.k, n*dim), grow(&r.v, n*dim)
	if err := r.multiplyAll([][]float32{q, k, v}, []*linear{&l.query, &l.key, &l.value}, in, n); err != nil {
		return fmt.Errorf("query, key and value: %w", err)
	}
	r.attend(l, n)
	return nil
}

// attentionIn returns the input of the matrices of attention.
func (r *Runner) attentionIn(l *layer) []float32 { return r.before(&l.attentionNorm) }

// feedForwardIn returns the input of the first matrix of the feed-forward network.
func (r *Runner) feedForwardIn(l *layer) []float32 { return r.before(&l.feedForwardNorm) }

// before returns x, after the norm if norms are in front.
func (r *Runner) before(norm *floats.Norm) []float32 {
	if !r.model.Config.family.preNorm {
		return r.x
	}
	in := grow(&r.norm, len(r.x))
	r.normalizeTo(in, norm, r.x)
	return in
}

// output multiplies the heads of attention by the output matrix, and adds the products to
// x.
func (r *Runner) output(l *layer, heads []float32, n int) error {
	q := grow(&r.q, n*r.model.Config.Dim)
	if err := r.multiply(q, &l.output, heads, n); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	r.addTo(q, l.output.bias, &l.attentionNorm)
	return nil
}

// activated returns the input of the second matrix of the feed-forward network.
func (r *Runner) activated(l *layer, n int) ([]float32, error) {
	hidden := r.model.Config.Hidden
	up := grow(&r.hidden, n*hidden)
	if err := r.multiply(up, &l.up, r.feedForwardIn(l), n); err != nil {
		return nil, fmt.Errorf("up: %w", err)
	}
	r.crew.Split(n, 1, activationCost*len(up), func(_, lo, hi int) {
		r.model.Config.Activation.Apply(up[lo*hidden:hi*hidden], l.up.bias)
	})
	return up, nil
}

// down multiplies the activations of the feed-forward network by its second matrix, and
// adds the products to x.
func (r *Runner) down(l *layer, up []float32, n int) error {
	q := grow(&r.q, n*r.model.Config.Dim)
	if err := r.multiply(q, &l.down, up, n); err != nil {
		return fmt.Errorf("down: %w", err)
	}
	r.addTo(q, l.down.bias, &l.feedForwardNorm)
	return nil
}

// addTo adds the rows of y and bias to those of x, and normalizes them if norms follow
// what they normalize.
func (r *Runner) addTo(y, bias []float32, norm *floats.Norm) {
	width := len(bias)
	pre := r.model.Config.family.preNorm
	r.crew.Split(len(y)/width, 1, 2*normCost*len(y), func(_, lo, hi int) {
		x, y := r.x[lo*width:hi*width], y[lo*width:hi*width]
		floats.AddRow(y, bias)
		floats.AddRow(x, y)
		if !pre {
			norm.Layer(x, x)
		}
	})
}

// grow returns n elements of *s, which is replaced if it is too short.
func grow[T any](s *[]T, n int) []T {
	if cap(*s) < n {
		*s = make([]T, n)
	}
	*s = (*s)[:n]
	return *s
}
