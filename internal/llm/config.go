package llm

import (
	"fmt"

	"github.com/bitmod-go/bitmod/quant"
)

// Config is the shape of a model.
type Config struct {
	Dim     int // width of the residual stream
	Hidden  int // width of the feed-forward layer
	Layers  int
	Heads   int // query heads
	KVHeads int // key and value heads, each shared by Heads/KVHeads query heads
	HeadDim int
	Vocab   int
	Context int // positions that the model was made for

	NormEps float64 // added to the mean square in RMSNorm
	Rope    Rope

	BOS int   // starts a text
	EOS []int // end a text; none if the model doesn't have such tokens
}

// Limits on what a file may ask for. They are far above any published model, and
// keep every product of two of them, and of all tensors together, in an int64.
const (
	maxWidth   = 1 << 20 // Dim, Hidden, Heads·HeadDim
	maxLayers  = 1 << 12
	maxVocab   = 1 << 24
	maxContext = 1 << 28
)

// check returns an error that names the first field that can't be.
func (c *Config) check() error {
	for _, f := range []struct {
		name     string
		got, max int
	}{
		{"dim", c.Dim, maxWidth},
		{"hidden dim", c.Hidden, maxWidth},
		{"number of layers", c.Layers, maxLayers},
		{"number of heads", c.Heads, maxWidth},
		{"number of key-value heads", c.KVHeads, maxWidth},
		{"head dim", c.HeadDim, maxWidth},
		{"vocabulary size", c.Vocab, maxVocab},
		{"context length", c.Context, maxContext},
	} {
		if f.got < 1 || f.got > f.max {
			return formatErrorf("%s is %d, want 1 to %d", f.name, f.got, f.max)
		}
	}
	switch {
	case c.Heads%c.KVHeads != 0:
		return formatErrorf("%d heads are not a multiple of %d key-value heads", c.Heads, c.KVHeads)
	case c.HeadDim%2 != 0:
		return formatErrorf("head dim is %d, want an even number: rotary positions turn pairs", c.HeadDim)
	case c.Heads > maxWidth/c.HeadDim:
		return formatErrorf("%d heads of %d are wider than %d", c.Heads, c.HeadDim, maxWidth)
	case !(c.NormEps >= 0 && c.NormEps < 1):
		return formatErrorf("RMSNorm epsilon is %v, want 0 to 1", c.NormEps)
	case c.BOS < 0 || c.BOS >= c.Vocab:
		return formatErrorf("token %d, which starts a text, is not in a vocabulary of %d", c.BOS, c.Vocab)
	}
	return c.Rope.check()
}

// qDim and kvDim are the widths of all queries and of all keys of a position.
func (c *Config) qDim() int  { return c.Heads * c.HeadDim }
func (c *Config) kvDim() int { return c.KVHeads * c.HeadDim }

// formatErrorf returns an error that matches quant.ErrFormat, for files that are
// not what they should be.
func formatErrorf(format string, args ...any) error {
	return &formatError{fmt.Sprintf(format, args...)}
}

type formatError struct{ reason string }

func (e *formatError) Error() string { return e.reason }
func (e *formatError) Unwrap() error { return quant.ErrFormat }
