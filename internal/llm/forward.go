package llm

import "fmt"

// A Runner computes with a model. It serves one caller at a time; runners of one
// model are independent.
type Runner struct {
	// Observe, if not nil, sees the input of every matrix but the embedding: n
	// vectors side by side, which it must not keep. Matrices with the same input
	// are shown it once, with the first Kind: Query stands for Key and Value, Gate
	// for Up.
	Observe func(p Place, x []float32, n int)

	// step, if not nil, is called before every layer. Its error ends a Forward.
	step func() error

	model       *Model
	crew        *Crew
	frequencies []float64
	n           int // tokens of the last Forward

	// Working space: vectors of all tokens side by side. x is the residual stream.
	x, norm, q, k, v, heads, out, gate, up []float32
	cos, sin                               []float32
	keys, values                           []float32
}

// NewRunner returns a runner for m that computes on workers goroutines. Close ends
// them.
func NewRunner(m *Model, workers int) *Runner {
	return &Runner{model: m, crew: NewCrew(workers), frequencies: m.Config.Rope.frequencies(m.Config.HeadDim)}
}

// Close ends the runner's goroutines.
func (r *Runner) Close() { r.crew.Close() }

// A Chunk is the next tokens of a text.
type Chunk struct {
	Sequence *Sequence
	Tokens   []int
}

// Forward reads the chunks, which must be of different sequences, and appends them
// to those. Then Logits gives what the model expects after each token, in the
// order of the chunks. After an error the sequences can't be used any more, unless
// it is about a token or the length of a text, which are checked first.
func (r *Runner) Forward(chunks ...Chunk) error {
	m := r.model
	n, err := m.check(chunks)
	if err != nil {
		return err
	}
	r.n = 0 // nothing to show, should this fail
	if err := r.embed(chunks, n); err != nil {
		return err
	}
	for i := range m.Layers {
		if err := r.layer(i, chunks, n); err != nil {
			return fmt.Errorf("llm: layer %d: %w", i, err)
		}
	}
	for _, ch := range chunks {
		ch.Sequence.length += len(ch.Tokens)
	}
	r.normalize(m.Norm, n)
	r.n = n
	return nil
}

// check returns the number of tokens, which must all be in the vocabulary, and no text
// be too long.
func (m *Model) check(chunks []Chunk) (n int, err error) {
	for _, ch := range chunks {
		if end := ch.Sequence.length + len(ch.Tokens); end > m.Config.Context {
			return 0, fmt.Errorf("llm: a text of %d tokens is longer than the model's context, %d", end, m.Config.Context)
		}
		for _, t := range ch.Tokens {
			if t < 0 || t >= m.Config.Vocab {
				return 0, fmt.Errorf("llm: token %d is not in a vocabulary of %d", t, m.Config.Vocab)
			}
		}
		n += len(ch.Tokens)
	}
	return n, nil
}

// embed sets x to the embeddings of all tokens, and cos and sin to the rotations
// of their positions.
func (r *Runner) embed(chunks []Chunk, n int) error {
	c := &r.model.Config
	r.x = grow(&r.x, n*c.Dim)
	i := 0
	for _, ch := range chunks {
		for _, t := range ch.Tokens {
			if err := r.model.Embedding.Row(r.x[i*c.Dim:][:c.Dim], t); err != nil {
				return fmt.Errorf("llm: embedding of token %d: %w", t, err)
			}
			i++
		}
	}
	r.positions(chunks, n)
	return nil
}

// positions sets cos and sin to the rotations of the positions of all tokens.
func (r *Runner) positions(chunks []Chunk, n int) {
	pairs := len(r.frequencies)
	r.cos, r.sin = grow(&r.cos, n*pairs), grow(&r.sin, n*pairs)
	i := 0
	for _, ch := range chunks {
		for j := range ch.Tokens {
			angles(r.cos[i*pairs:][:pairs], r.sin[i*pairs:][:pairs], r.frequencies, ch.Sequence.length+j)
			i++
		}
	}
}

// normalize sets norm to x after RMSNorm.
func (r *Runner) normalize(weight []float32, n int) {
	c := &r.model.Config
	r.norm = grow(&r.norm, n*c.Dim)
	for i := range n {
		rmsNorm(r.norm[i*c.Dim:][:c.Dim], r.x[i*c.Dim:][:c.Dim], weight, c.NormEps)
	}
}

func (r *Runner) layer(i int, chunks []Chunk, n int) error {
	if r.step != nil {
		if err := r.step(); err != nil {
			return err
		}
	}
	l := &r.model.Layers[i]
	mul := func(dst *[]float32, k Kind, x []float32) error {
		w := l.Linears[k]
		*dst = grow(dst, n*w.Rows())
		if r.Observe != nil && k != Key && k != Value && k != Up {
			r.Observe(Place{i, k}, x, n)
		}
		if err := w.Mul(*dst, x, n, r.crew); err != nil {
			return fmt.Errorf("%s: %w", kindNames[k], err)
		}
		return nil
	}

	r.normalize(l.AttentionNorm, n)
	if err := mul(&r.q, Query, r.norm); err != nil {
		return err
	}
	if err := mul(&r.k, Key, r.norm); err != nil {
		return err
	}
	if err := mul(&r.v, Value, r.norm); err != nil {
		return err
	}
	if err := r.attention(i, chunks, n); err != nil {
		return err
	}
	if err := mul(&r.out, Output, r.heads); err != nil {
		return err
	}
	add(r.x, r.out)

	r.normalize(l.FeedForwardNorm, n)
	if err := mul(&r.gate, Gate, r.norm); err != nil {
		return err
	}
	if err := mul(&r.up, Up, r.norm); err != nil {
		return err
	}
	const exponential = 32 // as many multiplications
	r.crew.Split(len(r.gate), 1, exponential*len(r.gate), func(_, lo, hi int) { swiGLU(r.gate[lo:hi], r.up[lo:hi]) })
	if err := mul(&r.out, Down, r.gate); err != nil {
		return err
	}
	add(r.x, r.out)
	return nil
}

// attention rotates queries and keys, appends keys and values to the sequences,
// and sets heads.
func (r *Runner) attention(layer int, chunks []Chunk, n int) error {
	c := &r.model.Config
	qd, kvd, pairs := c.qDim(), c.kvDim(), len(r.frequencies)
	for i := range n {
		cos, sin := r.cos[i*pairs:][:pairs], r.sin[i*pairs:][:pairs]
		c.Rope.rotate(r.q[i*qd:][:qd], cos, sin)
		c.Rope.rotate(r.k[i*kvd:][:kvd], cos, sin)
	}
	r.heads = grow(&r.heads, n*qd)
	at := 0
	for _, ch := range chunks {
		n := len(ch.Tokens)
		if n == 0 {
			continue
		}
		keys, values := ch.Sequence.keys[layer], ch.Sequence.values[layer]
		if err := keys.append(r.k[at*kvd:][:n*kvd], n); err != nil {
			return fmt.Errorf("keys: %w", err)
		}
		if err := values.append(r.v[at*kvd:][:n*kvd], n); err != nil {
			return fmt.Errorf("values: %w", err)
		}
		k, err := keys.floats(&r.keys)
		if err != nil {
			return fmt.Errorf("keys: %w", err)
		}
		v, err := values.floats(&r.values)
		if err != nil {
			return fmt.Errorf("values: %w", err)
		}
		r.attend(r.heads[at*qd:][:n*qd], r.q[at*qd:][:n*qd], k, v, n)
		at += n
	}
	return nil
}

// Logits writes the logits after tokens lo…hi−1 of the last Forward, counted over
// its chunks, to dst, which is (hi−lo)·Vocab long.
func (r *Runner) Logits(dst []float32, lo, hi int) error {
	c := &r.model.Config
	if lo < 0 || hi < lo || hi > r.n {
		return fmt.Errorf("llm: logits of tokens %d to %d of %d", lo, hi, r.n)
	}
	if len(dst) != (hi-lo)*c.Vocab {
		return fmt.Errorf("llm: len(dst) is %d, want %d (tokens × vocabulary)", len(dst), (hi-lo)*c.Vocab)
	}
	x := r.norm[lo*c.Dim : hi*c.Dim]
	if r.Observe != nil {
		r.Observe(Place{-1, Classifier}, x, hi-lo)
	}
	if err := r.model.Classifier.Mul(dst, x, hi-lo, r.crew); err != nil {
		return fmt.Errorf("llm: classifier: %w", err)
	}
	return nil
}
