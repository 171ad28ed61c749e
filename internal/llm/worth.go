package llm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/bitmod-go/bitmod/quant"
)

// A Worth has the losses of the rows of a tensor with each of several configurations.
type Worth struct {
	Tensor string
	Cols   int
	// RowBytes is the size of a row, by configuration.
	RowBytes []int
	// Losses has the divergence that the errors of a row add to a token, in nats, by
	// configuration and row.
	Losses [][]float32
}

// NewWorth returns the Worth of a tensor before any measurement.
func NewWorth(tensor string, rows, cols, configs int) Worth {
	w := Worth{Tensor: tensor, Cols: cols, RowBytes: make([]int, configs), Losses: make([][]float32, configs)}
	for i := range w.Losses {
		w.Losses[i] = make([]float32, rows)
	}
	return w
}

// Rows returns the number of rows.
func (w *Worth) Rows() int { return len(w.Losses[0]) }

// measureWeights is the number of weights that a goroutine quantizes at a time.
const measureWeights = 1 << 16

// Measure quantizes rows from first on with each configuration, and calls loss for the
// loss of a row's errors. Several goroutines call loss.
func (w *Worth) Measure(ctx context.Context, first int, weights []float32, configs []quant.Config, loss func(row int, errors []float32) float64) error {
	cols := w.Cols
	rows := len(weights) / cols
	step := max(1, measureWeights/cols)
	blocks := (rows + step - 1) / step
	return InParallel(blocks*len(configs), func(job int) error {
		if err := ended(ctx); err != nil {
			return err
		}
		i, lo := job%len(configs), job/len(configs)*step
		hi := min(lo+step, rows)
		c := configs[i]
		c.Workers = 1
		q, err := quant.GroupContext(ctx, weights[lo*cols:hi*cols], cols, c)
		if err != nil {
			return err
		}
		if lo == 0 {
			w.RowBytes[i] = q.Bytes() / q.Rows()
		}
		row := make([]float32, cols)
		for r := lo; r < hi; r++ {
			if err := q.DequantizeRow(row, r-lo); err != nil {
				return err
			}
			for j, x := range weights[r*cols:][:cols] {
				row[j] -= x
			}
			w.Losses[i][first+r] = float32(loss(first+r, row))
		}
		return nil
	})
}

// Scale multiplies all losses.
func (w *Worth) Scale(by float64) {
	for _, losses := range w.Losses {
		for i, x := range losses {
			losses[i] = float32(float64(x) * by)
		}
	}
}

// Differentiable reports whether the engine can propagate gradients through the model's
// layers, as [File.Worths] does. That is so for layers like Llama's.
func (f *File) Differentiable() bool { return f.Config.llamaOnly("") == nil }

// Worths returns the Worth of each tensor that is a matrix, embedding and classifier
// included, in the order of the layers. All weights are in memory meanwhile. With δ for
// the errors of a row, x for an input, y for the output and L for the loss, a row adds
//
//	½ · E[(∂L/∂y)²] · Σ δ²·E[x²]
//
// the second-order term of the divergence without products of the errors of two weights.
// L is the loss of tokens that the model itself would write next. The mean square of its
// gradients is the curvature of the divergence (Fisher's information). Rows of the
// embedding add their term once for every time that a token is expected to occur. Each
// loss is then mixed with a share of the mean loss of its tensor.
func (f *File) Worths(ctx context.Context, texts [][]int, configs []quant.Config) ([]Worth, error) {
	s, ok := f.source.(*checkpointSource)
	if !ok {
		return nil, fmt.Errorf("llm: %s is not a checkpoint", f.name)
	}
	m, err := f.Load(Options{})
	if err != nil {
		return nil, err
	}
	e := &effects{inputs: make(map[Place][]float64), outputs: make(map[Place][]float64), crew: NewCrew(runtime.GOMAXPROCS(0))}
	defer e.crew.Close()
	b := &backward{sample: rand.New(rand.NewPCG(1, 0)), classified: e.classified, observe: func(p Place, x, g []float32, n int) error {
		e.addSquares(e.inputs, p, x, n)
		e.addSquares(e.outputs, p, g, n)
		return ended(ctx)
	}}
	b.embedded = func(g []float32, n int) { e.addSquares(e.outputs, Place{Layer: -1, Kind: Embedding}, g, n) }
	if err := gradients(m, texts, b); err != nil {
		return nil, err
	}
	if e.n == 0 {
		return nil, fmt.Errorf("llm: no text")
	}
	parts := make(map[string][]partWorth)
	var names []string
	for _, p := range m.places() {
		w, err := e.worth(ctx, m, p, configs)
		if err != nil {
			return nil, fmt.Errorf("llm: %v: %w", p, err)
		}
		at := s.at(p.tensor())
		if parts[at.name] == nil {
			names = append(names, at.name)
		}
		w.Tensor = at.name
		parts[at.name] = append(parts[at.name], partWorth{at.first, w})
	}
	var ws []Worth
	for _, name := range names {
		w := joinWorths(parts[name])
		share := smoothRows
		if name == s.at(Place{Layer: -1, Kind: Embedding}.tensor()).name {
			share = smoothTokens
		}
		w.smooth(share)
		ws = append(ws, w)
	}
	return ws, nil
}

// The loss of a row is mixed with the mean loss of its tensor, because the loss of a single
// row over a few thousand tokens is partly chance. That holds all the more for the
// embedding, where most tokens do not occur. For SmolLM2-135M at 4.6 bits a weight, with
// rows chosen by 2,048 tokens, the divergence on the text that these shares were chosen by
// is 0.111 with shares of 0 of the mean for the embedding and 0 for other tensors, 0.084
// with 0.3 and 0.1, and 0.081 with 0.6 and 0.1.
const (
	smoothTokens = .6
	smoothRows   = .1
)

// smooth mixes each loss with a share of the mean, which stays.
func (w *Worth) smooth(share float64) {
	for _, losses := range w.Losses {
		mean := 0.0
		for _, x := range losses {
			mean += float64(x)
		}
		mean /= float64(len(losses))
		for i, x := range losses {
			losses[i] = float32((1-share)*float64(x) + float64(share*mean))
		}
	}
}

// A partWorth is the Worth of some rows of a tensor.
type partWorth struct {
	first int // index of the first row
	Worth
}

// joinWorths returns the worth of a tensor whose rows are in several matrices.
func joinWorths(parts []partWorth) Worth {
	slices.SortFunc(parts, func(a, b partWorth) int { return a.first - b.first })
	w := parts[0].Worth
	for _, p := range parts[1:] {
		for c := range w.Losses {
			w.Losses[c] = append(w.Losses[c], p.Losses[c]...)
		}
	}
	return w
}

// effects are sums over tokens.
type effects struct {
	n       int
	inputs  map[Place][]float64 // squares, by column
	outputs map[Place][]float64 // squares of gradients, by row
	tokens  []float64           // how often each token is expected, by the model
	crew    *Crew
}

// addSquares adds the squares of n vectors.
func (e *effects) addSquares(to map[Place][]float64, p Place, x []float32, n int) {
	s := to[p]
	if s == nil {
		s = make([]float64, len(x)/n)
		to[p] = s
	}
	e.crew.Split(len(s), 16, len(x), func(_, lo, hi int) {
		for t := range n {
			for i, y := range x[t*len(s)+lo : t*len(s)+hi] {
				s[lo+i] += float64(y) * float64(y) // the product is exact
			}
		}
	})
}

// classified adds the statistics of the classifier: its inputs and the probability of
// each token. The mean square of the gradient by the logit of a token of probability p
// is p·(1−p).
func (e *effects) classified(x, probabilities []float32, n int) {
	e.n += n
	p := Place{Layer: -1, Kind: Classifier}
	e.addSquares(e.inputs, p, x, n)
	vocab := len(probabilities) / n
	if e.tokens == nil {
		e.tokens, e.outputs[p] = make([]float64, vocab), make([]float64, vocab)
	}
	out := e.outputs[p]
	e.crew.Split(vocab, 16, len(probabilities), func(_, lo, hi int) {
		for t := range n {
			for i, p := range probabilities[t*vocab+lo : t*vocab+hi] {
				e.tokens[lo+i] += float64(p)
				out[lo+i] += float64(p) * float64(1-p)
			}
		}
	})
}

// worth returns the worth of the configurations for the matrix at p.
func (e *effects) worth(ctx context.Context, m *Model, p Place, configs []quant.Config) (Worth, error) {
	l := *m.slot(p)
	w := NewWorth("", l.Rows(), l.Cols(), len(configs))
	weights, err := Weights(l)
	if err != nil {
		return w, err
	}
	return w, w.Measure(ctx, 0, weights, configs, func(row int, errors []float32) float64 {
		return e.loss(p, m.Tied(), row, errors)
	})
}

// loss returns the loss of the errors of a row.
func (e *effects) loss(p Place, tied bool, row int, errors []float32) float64 {
	n := float64(e.n)
	if p.Kind != Embedding {
		return e.outputs[p][row] / n * WeightedSquares(errors, e.inputs[p]) / n / 2
	}
	sum := e.tokens[row] / n * WeightedSquares(errors, e.outputs[p]) / n / 2
	if tied {
		sum += e.loss(Place{Layer: -1, Kind: Classifier}, false, row, errors)
	}
	return sum
}

// WeightedSquares returns the sum of squares of a row's elements, each times the weight
// of its column if weights are not nil.
func WeightedSquares(row []float32, weights []float64) float64 {
	sum := 0.0
	if weights == nil {
		for _, x := range row {
			sum += float64(x) * float64(x) // the product is exact
		}
		return sum
	}
	for i, x := range row {
		sum += float64(float64(x) * float64(x) * weights[i])
	}
	return sum
}
