package llm

import (
	"fmt"
	"math"

	"github.com/bitmod-go/bitmod/quant"
)

// Config describes a model: its shape, and how its layers differ from Llama's. Zero
// fields mean that they do not.
type Config struct {
	Dim     int // width of the residual stream
	Hidden  int // width of the feed-forward layer
	Layers  int
	Heads   int // query heads
	KVHeads int // key and value heads, each shared by Heads/KVHeads query heads
	HeadDim int
	Vocab   int
	Context int // positions that the model was made for

	NormEps float64 // added to the mean square, or to the variance
	Rope    Rope
	// LocalRope is the Rope of layers whose Rotation is Local.
	LocalRope *Rope

	BOS int   // starts a text
	EOS []int // end a text; none if the model doesn't have such tokens

	Arch
	// PerLayer has the settings that differ between layers, or is nil if none do.
	PerLayer []LayerConfig
}

// An Arch describes how the layers of a family differ from Llama's.
type Arch struct {
	Norms NormPlaces
	// LayerNorm subtracts means and has biases; otherwise norms are RMSNorms.
	LayerNorm bool
	// NormPlusOne multiplies by one more than a norm's stored weights.
	NormPlusOne bool
	QueryKey    QueryKeyNorm
	// Bias has the Kinds of a layer that have biases.
	Bias [Down + 1]bool

	Activation Activation
	// With NoGate, feed-forward networks have only Up and Down.
	NoGate bool

	// Experts is the number of feed-forward networks of a layer that a router chooses
	// TopK of for each token; 0 for a network without a router. Each is ExpertHidden
	// wide.
	Experts, TopK, ExpertHidden int
	// NormTopK makes the weights of the chosen experts add up to one.
	NormTopK bool
	// ExpertBias gives biases to experts and router.
	ExpertBias bool
	// With Interleaved, gate and up of an expert are the even and odd rows of one matrix.
	Interleaved bool

	// LearnedPositions adds a vector for each position to the embedding, and nothing
	// rotates.
	LearnedPositions bool
	// Sinks adds a learned score to the scores of every head, which takes attention away
	// from all positions.
	Sinks bool
	// QueryScale is the number by whose square root products of queries and keys are
	// divided; 0 stands for HeadDim.
	QueryScale float64
	// AttentionCap and LogitCap bound scores and logits, x becoming cap·tanh(x/cap).
	AttentionCap, LogitCap float64
	// EmbeddingScale multiplies embeddings; 0 stands for 1.
	EmbeddingScale float64
}

// NormPlaces are the places of norms in a layer.
type NormPlaces int

const (
	NormsBefore NormPlaces = iota // of what attention and feed-forward network read
	NormsAfter                    // of what they add to the residual stream
	NormsAround                   // of both
)

// QueryKeyNorm is the kind of norms that queries and keys have before they are rotated.
type QueryKeyNorm int

const (
	NoQueryKeyNorm QueryKeyNorm = iota
	HeadNorm                    // of every head by itself, with the same weights
	WideNorm                    // of all heads together
)

// A LayerConfig has the settings of one layer.
type LayerConfig struct {
	// Window is the number of positions that a query attends to, its own included. 0
	// stands for all positions up to its own.
	Window   int
	Rotation Rotation
	// Dense layers have one feed-forward network in a model whose others have experts.
	Dense bool
}

// Rotation is the Rope of a Config by which a layer rotates queries and keys.
type Rotation int

const (
	Global    Rotation = iota // Rope
	Local                     // LocalRope
	Unrotated                 // none
)

// layer returns the settings of layer i.
func (c *Config) layer(i int) LayerConfig {
	if c.PerLayer == nil {
		return LayerConfig{}
	}
	return c.PerLayer[i]
}

// hasExperts reports whether layer i has a router.
func (c *Config) hasExperts(i int) bool { return c.Experts > 0 && !c.layer(i).Dense }

// Limits on what a file may ask for. They are far above any published model, and
// keep every product of two of them, and of all tensors together, in an int64.
const (
	maxWidth   = 1 << 20 // Dim, Hidden, Heads·HeadDim
	maxLayers  = 1 << 12
	maxVocab   = 1 << 24
	maxContext = 1 << 28
	maxExperts = 1 << 16 // of all layers
)

// check returns an error that names the first invalid field.
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
	case c.Heads > maxWidth/c.HeadDim:
		return formatErrorf("%d heads of %d are wider than %d", c.Heads, c.HeadDim, maxWidth)
	case !(c.NormEps >= 0 && c.NormEps < 1):
		return formatErrorf("epsilon of norms is %v, want 0 to 1", c.NormEps)
	case c.BOS < 0 || c.BOS >= c.Vocab:
		return formatErrorf("token %d, which starts a text, is not in a vocabulary of %d", c.BOS, c.Vocab)
	}
	if err := c.Arch.check(c.Layers); err != nil {
		return err
	}
	if c.LearnedPositions {
		return nil
	}
	if err := c.Rope.check(c.HeadDim); err != nil {
		return err
	}
	if c.LocalRope != nil {
		return c.LocalRope.check(c.HeadDim)
	}
	return nil
}

func (a *Arch) check(layers int) error {
	if a.Experts != 0 {
		switch {
		case a.Experts < 1 || a.Experts > maxExperts/layers:
			return formatErrorf("number of experts is %d, want 1 to %d", a.Experts, maxExperts/layers)
		case a.TopK < 1 || a.TopK > a.Experts:
			return formatErrorf("number of experts of a token is %d, want 1 to %d", a.TopK, a.Experts)
		case a.ExpertHidden < 1 || a.ExpertHidden > maxWidth:
			return formatErrorf("hidden dim of an expert is %d, want 1 to %d", a.ExpertHidden, maxWidth)
		}
	}
	for _, f := range []struct {
		name string
		got  float64
	}{
		{"scale of queries", a.QueryScale},
		{"cap of attention", a.AttentionCap},
		{"cap of logits", a.LogitCap},
		{"scale of embeddings", a.EmbeddingScale},
	} {
		if !(f.got >= 0 && f.got < math.MaxFloat32) {
			return formatErrorf("%s is %v, want a positive number", f.name, f.got)
		}
	}
	return nil
}

// qDim and kvDim are the widths of all queries and of all keys of a position.
func (c *Config) qDim() int  { return c.Heads * c.HeadDim }
func (c *Config) kvDim() int { return c.KVHeads * c.HeadDim }

// formatErrorf returns an error that matches quant.ErrFormat, for invalid files.
func formatErrorf(format string, args ...any) error {
	return &formatError{fmt.Sprintf(format, args...)}
}

type formatError struct{ reason string }

func (e *formatError) Error() string { return e.reason }
func (e *formatError) Unwrap() error { return quant.ErrFormat }
