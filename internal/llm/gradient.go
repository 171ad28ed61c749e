package llm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

// Gradients runs m over blocks of tokens, each a text of its own. The loss of a block is
// the sum over its tokens of the negative logarithm of their probability. For every
// matrix of the layers, Gradients calls observe with the inputs x of the matrix and the
// gradient g of the loss by its outputs. Both have n vectors side by side, which observe
// must not keep. The gradient by the weights is Σ g·xᵀ over the vectors. Matrices come
// block by block, from the last layer to the first, and do not depend on the number of
// goroutines.
func Gradients(m *Model, blocks [][]int, observe func(p Place, x, g []float32, n int) error) error {
	return gradients(m, blocks, &backward{observe: observe})
}

func gradients(m *Model, blocks [][]int, b *backward) error {
	if err := m.Config.llamaOnly("gradients"); err != nil {
		return err
	}
	r := NewRunner(m, runtime.GOMAXPROCS(0))
	defer r.Close()
	b.r, b.c = r, &m.Config
	var err error
	if b.classifier, err = transposed(m.Classifier); err != nil {
		return err
	}
	for _, l := range m.Layers {
		var t [Down + 1]*dense
		for k := range t {
			if t[k], err = transposed(l.Linears[k]); err != nil {
				return err
			}
		}
		b.transposed = append(b.transposed, t)
	}
	for _, block := range blocks {
		if len(block) < 2 {
			continue
		}
		for i := range m.Layers {
			if w := m.Config.layer(i).Window; w > 0 && len(block) > w {
				return fmt.Errorf("llm: gradients of a text of %d tokens, but layer %d sees %d of them", len(block), i, w)
			}
		}
		if err := b.block(block); err != nil {
			return err
		}
	}
	return nil
}

// transposed returns l with rows and columns exchanged.
func transposed(l Linear) (*dense, error) {
	w, err := Weights(l)
	if err != nil {
		return nil, err
	}
	t := make([]float32, len(w))
	transpose(t, w, l.Rows(), l.Cols(), 0, l.Cols())
	return newDense(t, l.Rows()), nil
}

// A backward goes through a model from the loss to the first layer. The forward pass
// keeps only the residual stream before each layer; everything else in a layer is
// computed again on the way back.
type backward struct {
	r       *Runner
	c       *Config
	observe func(p Place, x, g []float32, n int) error
	// sample, if not nil, draws the tokens to predict, in place of the tokens that
	// follow.
	sample *rand.Rand
	// classified and embedded, if not nil, are called with the inputs of the classifier
	// and the probabilities of tokens, and with the gradients by the embeddings.
	classified func(x, probabilities []float32, n int)
	embedded   func(g []float32, n int)

	transposed [][Down + 1]*dense // by layer
	classifier *dense
	turn       turn // of the block under way
}

// block goes through a text.
func (b *backward) block(tokens []int) error {
	r, c, n := b.r, b.c, len(tokens)
	s, err := r.model.NewSequence(KV{Length: n})
	if err != nil {
		return err
	}
	chunks := []Chunk{{s, tokens}}
	if _, err := r.model.check(chunks); err != nil {
		return err
	}
	if err := r.embed(chunks, n); err != nil {
		return err
	}
	var stream [][]float32 // before each layer, and after the last
	for i := range r.model.Layers {
		stream = append(stream, slices.Clone(r.x))
		if err := r.layer(i, chunks, n); err != nil {
			return err
		}
	}
	x := slices.Clone(r.x)
	b.turn = s.turns[Global]
	last := slices.Clone(r.normalize(&r.norm, r.x, r.model.Norm, n))
	r.n = n
	logits := make([]float32, n*c.Vocab)
	if err := r.Logits(logits, 0, n); err != nil {
		return err
	}
	r.crew.Split(n, 1, len(logits), func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			floats.Softmax(logits[i*c.Vocab:][:c.Vocab])
		}
	})
	if b.classified != nil {
		b.classified(last, logits, n)
	}
	for i := range n {
		switch l := logits[i*c.Vocab:][:c.Vocab]; {
		case b.sample != nil:
			l[sampled(b.sample, l)]--
		case i == n-1: // nothing follows that it could predict
			clear(l)
		default:
			l[tokens[i+1]]--
		}
	}
	dx := make([]float32, n*c.Dim)
	if err := b.classifier.Mul(dx, logits, n, r.crew); err != nil {
		return err
	}
	normBackward(dx, x, r.model.Norm.Weight, c.NormEps)
	for i := len(stream) - 1; i >= 0; i-- {
		if err := b.layer(i, stream[i], dx, n); err != nil {
			return err
		}
	}
	if b.embedded != nil {
		b.embedded(dx, n)
	}
	return nil
}

// sampled draws a token.
func sampled(r *rand.Rand, probabilities []float32) int {
	u := r.Float64()
	for i, p := range probabilities {
		if u -= float64(p); u < 0 {
			return i
		}
	}
	return len(probabilities) - 1 // the sum is rounded
}

// layer turns the gradient dx by the outputs of layer i into the gradient by its inputs
// x.
func (b *backward) layer(i int, x, dx []float32, n int) error {
	r, c, l := b.r, b.c, &b.r.model.Layers[i]
	// Forward.
	mul := func(k Kind, x []float32) ([]float32, error) {
		y := make([]float32, n*l.Linears[k].Rows())
		return y, l.Linears[k].Mul(y, x, n, r.crew)
	}
	norm := func(x, w []float32) []float32 {
		y := make([]float32, len(x))
		for t := 0; t < len(x); t += c.Dim {
			rmsNorm(y[t:t+c.Dim], x[t:t+c.Dim], w, c.NormEps)
		}
		return y
	}
	norm1 := norm(x, l.AttentionNorm.Weight)
	q, err := mul(Query, norm1)
	if err != nil {
		return err
	}
	k, err := mul(Key, norm1)
	if err != nil {
		return err
	}
	v, err := mul(Value, norm1)
	if err != nil {
		return err
	}
	b.rotate(q, n, 1)
	b.rotate(k, n, 1)
	heads := make([]float32, len(q))
	columns := &keyCache{width: c.kvDim()}
	columns.add(k, n)
	r.attend(i, heads, q, columns.columns, v, n)
	middle, err := mul(Output, heads)
	if err != nil {
		return err
	}
	add(middle, x)
	norm2 := norm(middle, l.FeedForwardNorm.Weight)
	gate, err := mul(Gate, norm2)
	if err != nil {
		return err
	}
	up, err := mul(Up, norm2)
	if err != nil {
		return err
	}
	act := slices.Clone(gate)
	floats.SiLU.Gate(act, up)

	// Backward. back returns the gradient by the input of a matrix.
	back := func(k Kind, x, dy []float32) ([]float32, error) {
		if err := b.observe(Place{Layer: i, Kind: k}, x, dy, n); err != nil {
			return nil, err
		}
		d := make([]float32, n*l.Linears[k].Cols())
		return d, b.transposed[i][k].Mul(d, dy, n, r.crew)
	}
	sum := func(kinds []Kind, x []float32, dys ...[]float32) ([]float32, error) {
		var d []float32
		for j, k := range kinds {
			e, err := back(k, x, dys[j])
			if err != nil {
				return nil, err
			}
			if d == nil {
				d = e
			} else {
				add(d, e)
			}
		}
		return d, nil
	}
	d, err := back(Down, act, dx)
	if err != nil {
		return err
	}
	swiGLUBackward(d, gate, up)
	if d, err = sum([]Kind{Gate, Up}, norm2, gate, up); err != nil {
		return err
	}
	normBackward(d, middle, l.FeedForwardNorm.Weight, c.NormEps)
	add(dx, d)

	if d, err = back(Output, heads, dx); err != nil {
		return err
	}
	dq, dk, dv := b.attend(d, q, k, v, n)
	b.rotate(dq, n, -1)
	b.rotate(dk, n, -1)
	if d, err = sum([]Kind{Query, Key, Value}, norm1, dq, dk, dv); err != nil {
		return err
	}
	normBackward(d, x, l.AttentionNorm.Weight, c.NormEps)
	add(dx, d)
	return nil
}

// rotate turns the vectors of positions 0…n−1, backward if sign is −1.
func (b *backward) rotate(x []float32, n int, sign float32) {
	width := len(x) / n
	pairs := len(b.turn.frequencies)
	cos, sin := make([]float32, pairs), make([]float32, pairs)
	for t := range n {
		angles(cos, sin, b.turn.frequencies, b.turn.magnitude, t)
		for i := range sin {
			sin[i] *= sign
		}
		b.c.Rope.rotate(x[t*width:][:width], cos, sin, b.c.HeadDim)
	}
}

// attend returns the gradients by queries, keys and values for the gradient d by the
// heads' outputs.
func (b *backward) attend(d, queries, keys, values []float32, n int) (dq, dk, dv []float32) {
	c := b.c
	qd, kvd, dim := c.qDim(), c.kvDim(), c.HeadDim
	dq, dk, dv = make([]float32, n*qd), make([]float32, n*kvd), make([]float32, n*kvd)
	scale := float32(1 / math.Sqrt(float64(dim)))
	share := c.Heads / c.KVHeads
	b.r.crew.Split(c.KVHeads, 1, 2*n*n*qd, func(_, lo, hi int) {
		p, dp := make([]float32, n), make([]float32, n)
		for h := lo * share; h < hi*share; h++ {
			kv := h / share * dim
			for i := range n {
				q, g := queries[i*qd+h*dim:][:dim], d[i*qd+h*dim:][:dim]
				p, dp := p[:i+1], dp[:i+1]
				scoreRows(p, q, keys[kv:], kvd)
				for j := range p {
					p[j] *= scale
				}
				floats.Softmax(p)
				scoreRows(dp, g, values[kv:], kvd)
				mean := float32(0)
				for j, x := range p {
					mean += float32(x * dp[j])
				}
				to := dq[i*qd+h*dim:][:dim]
				for j, x := range p {
					axpy(dv[j*kvd+kv:][:dim], x, g)
					s := float32(x*(dp[j]-mean)) * scale
					axpy(to, s, keys[j*kvd+kv:])
					axpy(dk[j*kvd+kv:][:dim], s, q)
				}
			}
		}
	})
	return dq, dk, dv
}

// axpy adds a·x to y.
func axpy(y []float32, a float32, x []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += float32(a * x[i])
	}
}

// normBackward turns d, the gradient by RMSNorm's outputs of vectors as wide as weight,
// into the gradient by the inputs x.
func normBackward(d, x, weight []float32, eps float64) {
	n := len(weight)
	for ; len(x) > 0; x, d = x[n:], d[n:] {
		var squares, along float64
		for i, w := range weight {
			squares += float64(x[i]) * float64(x[i])
			along += float64(float64(d[i])*float64(w)) * float64(x[i])
		}
		r := 1 / math.Sqrt(squares/float64(n)+eps)
		along *= r * r / float64(n)
		for i, w := range weight {
			d[i] = float32(r * (float64(float64(d[i])*float64(w)) - float64(along*float64(x[i]))))
		}
	}
}

// swiGLUBackward turns gate and up into the gradients by them, for the gradient d by
// silu(gate)·up.
func swiGLUBackward(d, gate, up []float32) {
	for i, g := range gate {
		x := float64(g)
		s := 1 / (1 + exp(-x)) // silu(x) = x·s
		u := float64(d[i])
		gate[i] = float32(float64(u*float64(up[i])) * float64(s*(1+float64(x*(1-s)))))
		up[i] = float32(u * float64(x*s))
	}
}
