package llm

import (
	"context"
	"runtime"
	"slices"
)

// A stream moves texts through a model, one stage of a layer after the other. It has the
// residual stream of all tokens and, within a layer, the input of the next stage. A layer
// may run with weights other than the model's; its outputs go to the next layer.
type stream struct {
	r       *Runner
	model   Model // a copy of the model, with the weights of the current layer replaced
	batches []streamBatch
}

type streamBatch struct {
	chunks []Chunk
	n      int       // tokens
	x      []float32 // the residual stream
	middle []float32 // the input of the next stage, or nil if it is x after a norm
}

// streamTokens is the number of tokens that are processed at once, enough for full
// batches.
const streamTokens = 4096

// newStream starts a stream of blocks of tokens. It ends once ctx is done.
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

// observe has the runner call observe, if it is not nil, with the inputs of matrices. It
// returns a pointer to the first error of these calls; after an error there are no more.
func (s *stream) observe(observe func(p Place, x []float32, n int) error) *error {
	bad := new(error)
	s.r.Observe = nil
	if observe != nil {
		s.r.Observe = func(p Place, x []float32, n int) {
			if *bad == nil {
				*bad = observe(p, x, n)
			}
		}
	}
	return bad
}

// run runs layer i with the weights l. It calls observe, if it is not nil, with the inputs
// of the layer's matrices. If keep is set, the outputs become the residual stream.
func (s *stream) run(i int, l Layer, observe func(p Place, x []float32, n int) error, keep bool) error {
	s.model.Layers[i] = l
	bad := s.observe(observe)
	for b := range s.batches {
		b := &s.batches[b]
		s.enter(i, b)
		if err := s.r.layer(i, b.chunks, b.n); err != nil {
			return err
		}
		if *bad != nil {
			return *bad
		}
		if keep {
			copy(b.x, s.r.x)
		}
		b.leave(i)
	}
	return nil
}

// enter puts a batch in front of layer i.
func (s *stream) enter(i int, b *streamBatch) {
	for _, ch := range b.chunks {
		ch.Sequence.keys[i], ch.Sequence.values[i] = &keyCache{width: s.model.Config.kvDim()}, &floatCache{}
	}
	s.r.positions(b.chunks, b.n)
	s.r.x = append(s.r.x[:0], b.x...)
}

func (b *streamBatch) leave(i int) {
	for _, ch := range b.chunks {
		ch.Sequence.keys[i], ch.Sequence.values[i] = nil, nil
	}
}

// The stages of a layer are named for their matrices.
const (
	stageQuery = iota // and Key and Value
	stageOutput
	stageGate // and Up; with experts, stageDown has the same input
	stageDown
	stages
)

// input returns the input of the matrices of a stage of layer i in a batch. It is valid
// until the stream's next call.
func (s *stream) input(i, stage int, b *streamBatch) []float32 {
	l := &s.model.Layers[i]
	norm := l.AttentionNorm
	switch stage {
	case stageOutput, stageDown:
		return b.middle
	case stageGate:
		norm = l.FeedForwardNorm
	}
	if norm.Weight == nil {
		return b.x
	}
	return s.r.normalize(&s.r.norm, b.x, norm, b.n)
}

// advance runs a stage of layer i, without experts.
func (s *stream) advance(i, stage int) error {
	s.r.Observe = nil
	for j := range s.batches {
		b := &s.batches[j]
		if s.r.step != nil {
			if err := s.r.step(); err != nil {
				return err
			}
		}
		var err error
		switch stage {
		case stageQuery:
			s.enter(i, b)
			if err = s.r.attended(i, b.chunks, b.n); err == nil {
				b.middle = append([]float32(nil), s.r.heads...)
			}
			b.leave(i)
		case stageGate:
			s.r.x = append(s.r.x[:0], b.x...)
			var act []float32
			if act, err = s.r.gated([3]Place{{Layer: i, Kind: Gate}, {Layer: i, Kind: Up}, {Layer: i, Kind: Down}}, s.input(i, stage, b), b.n); err == nil {
				b.middle = append([]float32(nil), act...)
			}
		case stageOutput, stageDown:
			s.r.x = append(s.r.x[:0], b.x...)
			l := &s.model.Layers[i]
			kind, norm := Output, l.AttentionOutNorm
			if stage == stageDown {
				kind, norm = Down, l.FeedForwardOutNorm
			}
			if err = s.r.mul(b.middle, b.n, output{&s.r.out, Place{Layer: i, Kind: kind}}); err == nil {
				s.r.addOut(norm, b.n)
				copy(b.x, s.r.x)
				b.middle = nil
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// experts runs the experts of layer i. It calls observe, if it is not nil, with the inputs
// of their matrices. If keep is set, the outputs are added to the residual stream.
func (s *stream) experts(i int, observe func(p Place, x []float32, n int) error, keep bool) error {
	bad := s.observe(observe)
	for j := range s.batches {
		b := &s.batches[j]
		if s.r.step != nil {
			if err := s.r.step(); err != nil {
				return err
			}
		}
		s.r.x = append(s.r.x[:0], b.x...)
		if err := s.r.experts(i, s.input(i, stageGate, b), b.n); err != nil {
			return err
		}
		if *bad != nil {
			return *bad
		}
		if keep {
			s.r.addOut(s.model.Layers[i].FeedForwardOutNorm, b.n)
			copy(b.x, s.r.x)
		}
	}
	return nil
}
