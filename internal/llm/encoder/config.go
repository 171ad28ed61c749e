package encoder

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/loops/floats"
	"github.com/bitmod-go/bitmod/quant"
)

// Config is the shape of a model.
type Config struct {
	Model     string // model_type of config.json
	Dim       int    // width of what goes from layer to layer
	Embedding int    // width of the embeddings, which is Dim unless they are projected
	Hidden    int    // width of the feed-forward layer
	Layers    int
	Heads     int
	Vocab     int
	Positions int // rows of the table of positions
	Types     int // kinds of tokens, of which the first is used; 0 if the model has none
	Buckets   int // distances between tokens that are told apart; 0 if the model does not use them

	NormEps    float64
	Activation floats.Activation
	// Padding is the number of the padding token. That number is also its position, and
	// the positions of the other tokens begin after it. Padding is −1 if positions begin
	// at 0.
	Padding int

	family *family
}

// MaxTokens is the number of tokens that a text may have.
func (c *Config) MaxTokens() int { return c.Positions - c.Padding - 1 }

func (c *Config) headDim() int { return c.Dim / c.Heads }

// Limits on what a file may ask for. They are far above any published model, and keep
// the product of two of them in an int64.
const (
	maxWidth     = 1 << 20
	maxLayers    = 1 << 12
	maxVocab     = 1 << 24
	maxPositions = 1 << 24
)

// A configReader reads keys of config.json and removes them.
type configReader struct {
	rest map[string]json.RawMessage
	err  error
}

// take reads a key, and leaves v alone if it is not there or null.
func (r *configReader) take(key string, v any) (found bool) {
	raw, ok := r.rest[key]
	if !ok || key == "" {
		return false
	}
	delete(r.rest, key)
	if err := json.Unmarshal(raw, v); err != nil && r.err == nil {
		r.err = formatErrorf("%s is %.40s, want another kind of value", key, raw)
	}
	return string(raw) != "null"
}

// size reads a number from 1 to limit that must be there.
func (r *configReader) size(key string, limit int) int {
	n := 0
	if !r.take(key, &n) && r.err == nil {
		r.err = formatErrorf("%s is missing", key)
	}
	if (n < 1 || n > limit) && r.err == nil {
		r.err = formatErrorf("%s is %d, want 1 to %d", key, n, limit)
	}
	return n
}

// parseConfig reads a config.json.
func parseConfig(data []byte) (*Config, error) {
	c, err := readConfig(data)
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	return c, nil
}

func readConfig(data []byte) (*Config, error) {
	r := configReader{}
	if err := json.Unmarshal(data, &r.rest); err != nil {
		return nil, formatErrorf("%v", err)
	}
	c := &Config{Padding: -1}
	r.take("model_type", &c.Model)
	if r.err != nil {
		return nil, r.err
	}
	f, err := familyOf(c.Model)
	if err != nil {
		return nil, err
	}
	c.family = f
	k := &f.keys
	c.Dim = r.size(k.dim, maxWidth)
	c.Embedding = c.Dim
	if r.rest[k.embedding] != nil {
		c.Embedding = r.size(k.embedding, maxWidth)
	}
	c.Hidden = r.size(k.hidden, maxWidth)
	c.Layers = r.size(k.layers, maxLayers)
	c.Heads = r.size(k.heads, maxWidth)
	c.Vocab = r.size(k.vocab, maxVocab)
	c.Positions = r.size(k.positions, maxPositions)
	if k.types != "" {
		c.Types = r.size(k.types, maxVocab)
	}
	if k.buckets != "" {
		c.Buckets = 32
		if r.rest[k.buckets] != nil {
			c.Buckets = r.size(k.buckets, maxWidth)
		}
	}
	c.NormEps = f.eps
	r.take(k.eps, &c.NormEps)
	padding := f.padding
	r.take("pad_token_id", &padding)
	if f.afterPadding {
		c.Padding = padding
	}
	name := "gelu"
	r.take(k.activation, &name)
	if r.err != nil {
		return nil, r.err
	}
	if c.Activation, err = activation(k.activation, name); err != nil {
		return nil, err
	}
	if err := r.nothingElse(f); err != nil {
		return nil, err
	}
	return c, c.check()
}

func activation(key, name string) (floats.Activation, error) {
	a, ok := activations[name]
	if !ok {
		var all []string
		for n := range activations {
			all = append(all, n)
		}
		sort.Strings(all)
		return 0, formatErrorf("%s is %q, want one of %q", key, name, all)
	}
	return a, nil
}

// nothingElse returns an error that names the first remaining key that may affect
// results.
func (r *configReader) nothingElse(f *family) error {
	var left []string
	for key := range r.rest {
		left = append(left, key)
	}
	sort.Strings(left)
	for _, key := range left {
		value := strings.TrimSpace(string(r.rest[key]))
		values, fixed := fixedKeys[key]
		switch {
		case fixed && slices.Contains(values, value):
		case fixed:
			return formatErrorf("%s is %.40s, want %s", key, value, values[0])
		case !slices.Contains(ignoredKeys, key) && !slices.Contains(f.ignored, key):
			return formatErrorf("%s is not known, and may change what the model computes", badfile.Quote(key))
		}
	}
	return nil
}

func (c *Config) check() error {
	switch {
	case c.Dim%c.Heads != 0:
		return formatErrorf("config.json: a width of %d is not a multiple of %d heads", c.Dim, c.Heads)
	case !(c.NormEps >= 0 && c.NormEps < 1):
		return formatErrorf("config.json: %s is %v, want 0 to 1", c.family.keys.eps, c.NormEps)
	case c.Padding < -1 || c.Padding >= c.Vocab || c.MaxTokens() < 1:
		return formatErrorf("config.json: pad_token_id is %d, of %d tokens and %d positions", c.Padding, c.Vocab, c.Positions)
	case c.Buckets%4 != 0 || c.Buckets > 128:
		return formatErrorf("config.json: %s is %d, want a multiple of 4 up to 128", c.family.keys.buckets, c.Buckets)
	}
	return nil
}

// formatErrorf returns an error that matches quant.ErrFormat, for invalid files.
func formatErrorf(format string, args ...any) error {
	return &formatError{fmt.Sprintf(format, args...)}
}

type formatError struct{ reason string }

func (e *formatError) Error() string { return e.reason }
func (e *formatError) Unwrap() error { return quant.ErrFormat }
