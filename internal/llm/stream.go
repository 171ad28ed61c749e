package llm

import (
	"context"
	"runtime"
	"slices"
)

// A stream is a text on its way through a model, layer by layer: the vectors of the
// residual stream of all tokens in front of one layer. A layer can be run with other
// weights than the model's, and what comes out goes to the next.
type stream struct {
	r       *Runner
	model   Model // of which the layer under way is replaced
	batches []streamBatch
}

type streamBatch struct {
	chunks []Chunk
	n      int       // tokens
	x      []float32 // in front of the layer
}

// streamTokens is the number of tokens that are computed with at once: enough for
// full batches.
const streamTokens = 4096

// newStream starts blocks of tokens on their way, which ends once ctx is done.
func newStream(ctx context.Context, m *Model, blocks [][]int) (*stream, error) {
	s := &stream{model: *m}
	s.model.Layers = slices.Clone(m.Layers)
	s.r = NewRunner(&s.model, runtime.GOMAXPROCS(0))
	s.r.step = func() error { return ended(ctx) }
	for len(blocks) > 0 {
		var b streamBatch
		for len(blocks) > 0 && (b.n == 0 || b.n+len(blocks[0]) <= streamTokens) {
			text := m.rotations(len(blocks[0]))
			text.keys, text.values = make([]*keyCache, len(m.Layers)), make([]cache, len(m.Layers))
			b.chunks = append(b.chunks, Chunk{text, blocks[0]})
			b.n += len(blocks[0])
			blocks = blocks[1:]
		}
		if _, err := m.check(b.chunks); err != nil {
			return nil, err
		}
		if err := s.r.embed(b.chunks, b.n); err != nil {
			return nil, err
		}
		b.x = slices.Clone(s.r.x)
		s.batches = append(s.batches, b)
	}
	return s, nil
}

func (s *stream) close() { s.r.Close() }

// run runs layer i with the weights l, which observe sees the inputs of the matrices
// of, if it is not nil. If keep is set, the stream goes on behind the layer.
func (s *stream) run(i int, l Layer, observe func(p Place, x []float32, n int) error, keep bool) error {
	s.model.Layers[i] = l
	var bad error
	s.r.Observe = nil
	if observe != nil {
		s.r.Observe = func(p Place, x []float32, n int) {
			if bad == nil {
				bad = observe(p, x, n)
			}
		}
	}
	for b := range s.batches {
		b := &s.batches[b]
		for _, ch := range b.chunks {
			ch.Sequence.keys[i], ch.Sequence.values[i] = &keyCache{width: s.model.Config.kvDim()}, &floatCache{}
		}
		s.r.positions(b.chunks, b.n)
		s.r.x = append(s.r.x[:0], b.x...)
		if err := s.r.layer(i, b.chunks, b.n); err != nil {
			return err
		}
		if bad != nil {
			return bad
		}
		if keep {
			copy(b.x, s.r.x)
		}
		for _, ch := range b.chunks {
			ch.Sequence.keys[i], ch.Sequence.values[i] = nil, nil
		}
	}
	return nil
}
