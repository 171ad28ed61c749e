package llm

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

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

	model *Model
	crew  *Crew
	n     int // tokens of the last Forward

	// Working space: vectors of all tokens side by side. x is the residual stream.
	x, norm, q, k, v, heads, out, gate, up []float32
	angles                                 [2]tokenAngles // by Rotation
	keys, values                           []float32
	routes                                 routes
}

// tokenAngles are the rotations of all tokens, side by side.
type tokenAngles struct {
	cos, sin []float32
	pairs    int // of a head
}

// NewRunner returns a runner for m that computes on workers goroutines. Close ends
// them.
func NewRunner(m *Model, workers int) *Runner {
	return &Runner{model: m, crew: NewCrew(workers)}
}

// Close ends the runner's goroutines.
func (r *Runner) Close() { r.crew.Close() }

// A Chunk is the next tokens of a text.
type Chunk struct {
	Sequence *Sequence
	Tokens   []int
}

// Forward reads the chunks, which must be of different sequences, and appends them to
// their sequences. Logits then returns the predictions after each token, in the order
// of the chunks. After an error the sequences cannot be used any more, unless it is
// about a token or the length of a text, which are checked first.
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
	r.normalize(&r.norm, r.x, m.Norm, n)
	r.n = n
	return nil
}

// check returns the number of tokens. It returns an error if one is not in the
// vocabulary or a text is too long.
func (m *Model) check(chunks []Chunk) (n int, err error) {
	for _, ch := range chunks {
		end := ch.Sequence.length + len(ch.Tokens)
		if end > m.Config.Context {
			return 0, fmt.Errorf("llm: a text of %d tokens is longer than the model's context, %d", end, m.Config.Context)
		}
		if limit := ch.Sequence.limit; limit > 0 && end > limit {
			return 0, fmt.Errorf("llm: a text of %d tokens is longer than the %d that its rotations were made for", end, limit)
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

// embed sets x to the embeddings of all tokens, and the rotations of their positions.
func (r *Runner) embed(chunks []Chunk, n int) error {
	c := &r.model.Config
	r.x = grow(&r.x, n*c.Dim)
	i := 0
	for _, ch := range chunks {
		for j, t := range ch.Tokens {
			x := r.x[i*c.Dim:][:c.Dim]
			if err := r.model.Embedding.Row(x, t); err != nil {
				return fmt.Errorf("llm: embedding of token %d: %w", t, err)
			}
			if c.EmbeddingScale != 0 {
				scale(x, float32(c.EmbeddingScale))
			}
			if c.LearnedPositions {
				add(x, r.model.Positions[(ch.Sequence.length+j)*c.Dim:][:c.Dim])
			}
			i++
		}
	}
	r.positions(chunks, n)
	return nil
}

// positions sets the rotations of the positions of all tokens.
func (r *Runner) positions(chunks []Chunk, n int) {
	for k := range r.angles {
		a := &r.angles[k]
		i := 0
		for _, ch := range chunks {
			turn := &ch.Sequence.turns[k]
			a.pairs = len(turn.frequencies)
			a.cos, a.sin = grow(&a.cos, n*a.pairs), grow(&a.sin, n*a.pairs)
			for j := range ch.Tokens {
				angles(a.cos[i*a.pairs:][:a.pairs], a.sin[i*a.pairs:][:a.pairs], turn.frequencies, turn.magnitude, ch.Sequence.length+j)
				i++
			}
		}
	}
}

// The costs of an element for Crew.Split, in multiplications.
const (
	addCost    = 1
	rotateCost = 1
	normCost   = 2
	expCost    = 4 // of what takes an exponential function
)

// normalize sets *dst to n vectors of x after a norm, or to x if there is no norm.
func (r *Runner) normalize(dst *[]float32, x []float32, norm Norm, n int) []float32 {
	c := &r.model.Config
	*dst = grow(dst, n*c.Dim)
	r.crew.Split(n, 1, normCost*n*c.Dim, func(_, lo, hi int) {
		norm.apply((*dst)[lo*c.Dim:hi*c.Dim], x[lo*c.Dim:hi*c.Dim], c)
	})
	return *dst
}

func (r *Runner) layer(i int, chunks []Chunk, n int) error {
	if r.step != nil {
		if err := r.step(); err != nil {
			return err
		}
	}
	l := &r.model.Layers[i]
	if err := r.attended(i, chunks, n); err != nil {
		return err
	}
	if err := r.mul(r.heads, n, output{&r.out, Place{Layer: i, Kind: Output}}); err != nil {
		return err
	}
	r.addOut(l.AttentionOutNorm, n)

	in := r.x
	if l.FeedForwardNorm.Weight != nil {
		in = r.normalize(&r.norm, r.x, l.FeedForwardNorm, n)
	}
	var err error
	if l.Router != nil {
		err = r.experts(i, in, n)
	} else {
		err = r.feedForward(&r.out, [3]Place{{Layer: i, Kind: Gate}, {Layer: i, Kind: Up}, {Layer: i, Kind: Down}}, in, n)
	}
	if err != nil {
		return err
	}
	r.addOut(l.FeedForwardOutNorm, n)
	return nil
}

// attended sets heads to the outputs of the attention of layer i for x.
func (r *Runner) attended(i int, chunks []Chunk, n int) error {
	l := &r.model.Layers[i]
	in := r.x
	if l.AttentionNorm.Weight != nil {
		in = r.normalize(&r.norm, r.x, l.AttentionNorm, n)
	}
	query, key, value := Place{Layer: i, Kind: Query}, Place{Layer: i, Kind: Key}, Place{Layer: i, Kind: Value}
	if err := r.mul(in, n, output{&r.q, query}, output{&r.k, key}, output{&r.v, value}); err != nil {
		return err
	}
	return r.attention(i, chunks, n)
}

// addOut adds out to the residual stream, after a norm if there is one.
func (r *Runner) addOut(norm Norm, n int) {
	if norm.Weight != nil {
		r.normalize(&r.out, r.out, norm, n)
	}
	r.crew.Split(len(r.out), floats.Lanes, addCost*len(r.out), func(_, lo, hi int) { add(r.x[lo:hi], r.out[lo:hi]) })
}

// An output is the destination of the product by the matrix at a place.
type output struct {
	dst *[]float32
	at  Place
}

// mul multiplies n vectors x by matrices that have them as input, and adds the biases.
func (r *Runner) mul(x []float32, n int, outputs ...output) error {
	var (
		dsts  [][]float32
		ws    []Linear
		added [][]float32
	)
	for _, o := range outputs {
		w, bias := r.model.at(o.at)
		*o.dst = grow(o.dst, n*w.Rows())
		dsts, ws, added = append(dsts, *o.dst), append(ws, w), append(added, bias)
		if r.Observe != nil && r.model.Config.shows(o.at.Kind) {
			r.Observe(o.at, x, n)
		}
	}
	if err := MulAll(dsts, ws, x, n, r.crew); err != nil {
		return fmt.Errorf("%v: %w", outputs[0].at, err)
	}
	for i, bias := range added {
		if bias != nil {
			floats.AddRow(dsts[i], bias)
		}
	}
	return nil
}

// shows reports whether Observe sees the input of a matrix. It sees a shared input for
// the first matrix only.
func (c *Config) shows(k Kind) bool {
	switch k {
	case Key, Value, ExpertUp:
		return false
	case Up:
		return c.NoGate
	}
	return true
}

// at returns the matrix at p with its bias, which may be nil.
func (m *Model) at(p Place) (Linear, []float32) {
	l := &m.Layers[p.Layer]
	if p.Kind >= ExpertGate {
		e, k := &l.Experts[p.Expert], p.Kind-ExpertGate
		return e.Linears[k], e.Biases[k]
	}
	return l.Linears[p.Kind], l.Biases[p.Kind]
}

// feedForward sets dst to the outputs of the feed-forward network with the gate, up and
// down matrices at three places for n vectors x.
func (r *Runner) feedForward(dst *[]float32, at [3]Place, x []float32, n int) error {
	act, err := r.gated(at, x, n)
	if err != nil {
		return err
	}
	return r.mul(act, n, output{dst, at[2]})
}

// gated returns the input of the last of the three matrices.
func (r *Runner) gated(at [3]Place, x []float32, n int) ([]float32, error) {
	c := &r.model.Config
	gate := &r.gate
	if c.NoGate {
		gate = &r.up
	}
	outputs := []output{{gate, at[0]}, {&r.up, at[1]}}
	switch {
	case c.NoGate:
		outputs = outputs[1:]
	case c.Interleaved && at[1].Kind == ExpertUp:
		outputs = outputs[:1]
	}
	if err := r.mul(x, n, outputs...); err != nil {
		return nil, err
	}
	act := *gate
	switch {
	case c.NoGate:
		r.crew.Split(len(act), floats.Lanes, expCost*len(act), func(_, lo, hi int) { c.Activation.apply(act[lo:hi]) })
	case c.Interleaved && at[1].Kind == ExpertUp:
		half := len(act) / 2
		up := grow(&r.up, half)
		for i := range half { // in order, so that nothing is overwritten before it is read
			act[i], up[i] = act[2*i], act[2*i+1]
		}
		act = act[:half]
		c.Activation.gate(act, up)
	default:
		r.crew.Split(len(act), floats.Lanes, expCost*len(act), func(_, lo, hi int) { c.Activation.gate(act[lo:hi], r.up[lo:hi]) })
	}
	return act, nil
}

// attention normalizes and rotates queries and keys, appends keys and values to the
// sequences, and sets heads.
func (r *Runner) attention(layer int, chunks []Chunk, n int) error {
	c, l := &r.model.Config, &r.model.Layers[layer]
	qd, kvd := c.qDim(), c.kvDim()
	if l.QueryNorm.Weight != nil {
		r.crew.Split(n, 1, normCost*n*(qd+kvd), func(_, lo, hi int) {
			q, k := r.q[lo*qd:hi*qd], r.k[lo*kvd:hi*kvd]
			l.QueryNorm.apply(q, q, c)
			l.KeyNorm.apply(k, k, c)
		})
	}
	if rotation := c.layer(layer).Rotation; rotation != Unrotated && !c.LearnedPositions {
		rope := c.rope(rotation)
		a := &r.angles[rotation]
		r.crew.Split(n, 1, rotateCost*n*(qd+kvd), func(_, lo, hi int) {
			for i := lo; i < hi; i++ {
				cos, sin := a.cos[i*a.pairs:][:a.pairs], a.sin[i*a.pairs:][:a.pairs]
				rope.rotate(r.q[i*qd:][:qd], cos, sin, c.HeadDim)
				rope.rotate(r.k[i*kvd:][:kvd], cos, sin, c.HeadDim)
			}
		})
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
		k, err := keys.blocks(&r.keys)
		if err != nil {
			return fmt.Errorf("keys: %w", err)
		}
		v, err := values.floats(&r.values)
		if err != nil {
			return fmt.Errorf("values: %w", err)
		}
		r.attend(layer, r.heads[at*qd:][:n*qd], r.q[at*qd:][:n*qd], k, v, n)
		at += n
	}
	return nil
}

// rope returns the Rope of layers whose Rotation is k.
func (c *Config) rope(k Rotation) *Rope {
	if k == Local {
		return c.LocalRope
	}
	return &c.Rope
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
		r.Observe(Place{Layer: -1, Kind: Classifier}, x, hi-lo)
	}
	if err := r.model.Classifier.Mul(dst, x, hi-lo, r.crew); err != nil {
		return fmt.Errorf("llm: classifier: %w", err)
	}
	if c.LogitCap != 0 {
		r.crew.Split(len(dst), 1, 32*len(dst), func(_, lo, hi int) { softCap(dst[lo:hi], c.LogitCap) })
	}
	return nil
}
