package llm

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A Generator continues texts.
type Generator struct {
	Runner  *Runner
	Sampler *Sampler
	KV      KV
	Endless bool // goes on after a token that ends the text
	// Reuse keeps the key-value cache for the next prompt, for the tokens that it
	// shares with the beginning of the last text.
	Reuse bool

	kept *Sequence
	read []int // the tokens of kept
}

// Stats tell how long a generation took.
type Stats struct {
	Prompt     int           // tokens
	Reused     int           // of those, the ones that were read before
	PromptTime time.Duration // until the first token
	Tokens     int           // generated
	Time       time.Duration // for all but the first
	CacheBytes int
}

// Speed returns the tokens per second after the first, 0 if there is none.
func (s *Stats) Speed() float64 {
	if s.Tokens < 2 {
		return 0
	}
	return float64(s.Tokens-1) / s.Time.Seconds()
}

// prefill is the number of tokens of a prompt that are read at once. It gives full
// batches and takes little memory.
const prefill = maxBatch

// Prompt returns the tokens of a text for a model to continue, with the tokens that the
// tokenizer puts around it. As a model needs at least one token, the empty text becomes
// the token that starts a text.
func Prompt(c *Config, t Tokenizer, text string) ([]int, error) {
	tokens, err := t.Encode(text)
	if err != nil {
		return nil, err
	}
	before, after := t.Around()
	tokens = slices.Concat(before, tokens, after)
	if len(tokens) == 0 {
		tokens = []int{c.BOS}
	}
	return tokens, nil
}

// Run reads a prompt of at least one token, and calls emit for each of up to n tokens
// that follow. It stops before a token that ends the text, at the end of the model's
// context, and, without an error, when ctx is done.
func (g *Generator) Run(ctx context.Context, prompt []int, n int, emit func(token int) error) (Stats, error) {
	r := g.Runner
	r.step = func() error { return ended(ctx) }
	defer func() { r.step = nil }()
	c := &r.model.Config
	st := Stats{Prompt: len(prompt)}
	if len(prompt) == 0 {
		return st, fmt.Errorf("llm: the prompt has no tokens")
	}
	if len(prompt) > c.Context {
		return st, fmt.Errorf("llm: the prompt has %d tokens, and the model's context is %d", len(prompt), c.Context)
	}
	s, err := g.begin(prompt, n)
	if err != nil {
		return st, err
	}
	st.Reused = s.Len()
	// forward reads tokens. After an error there is no sequence to keep.
	forward := func(tokens ...int) error {
		kept := g.kept
		g.kept = nil
		if err := r.Forward(Chunk{s, tokens}); err != nil {
			return err
		}
		g.kept, g.read = kept, append(g.read, tokens...)
		return nil
	}
	start := time.Now()
	for part := range slices.Chunk(prompt[s.Len():], prefill) {
		if err := forward(part...); ctx.Err() != nil {
			return st, nil
		} else if err != nil {
			return st, err
		}
	}
	logits := make([]float32, c.Vocab)
	for {
		if err := r.Logits(logits, r.n-1, r.n); err != nil {
			return st, err
		}
		next := g.Sampler.Sample(logits)
		if st.Tokens == 0 {
			st.PromptTime = time.Since(start)
			start = time.Now()
		}
		st.Time = time.Since(start)
		st.CacheBytes = s.Bytes()
		if st.Tokens >= n || !g.Endless && slices.Contains(c.EOS, next) || ctx.Err() != nil {
			return st, nil
		}
		st.Tokens++
		if err := emit(next); err != nil {
			return st, err
		}
		if st.Tokens == n || s.Len() == c.Context {
			return st, nil
		}
		if err := forward(next); ctx.Err() != nil {
			return st, nil
		} else if err != nil {
			return st, err
		}
	}
}

// begin returns the sequence to read a prompt into. It may have the first tokens of the
// prompt, but not the last, whose logits are needed.
func (g *Generator) begin(prompt []int, n int) (*Sequence, error) {
	m := g.Runner.model
	if g.kept != nil {
		same := 0
		for same < min(len(g.read), len(prompt)-1) && g.read[same] == prompt[same] {
			same++
		}
		g.read = g.read[:same]
		g.kept.truncate(same)
		return g.kept, nil
	}
	kv := g.KV
	kv.Length = min(len(prompt)+max(n, 0), m.Config.Context)
	s, err := m.NewSequence(kv)
	if err != nil {
		return nil, err
	}
	g.read = g.read[:0]
	if g.Reuse && s.limit == 0 { // rotations that depend on the length change with it
		g.kept = s
	}
	return s, nil
}
