package encoder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/tokenizer"
)

// maxTokenizer is above the length of any published tokenizer.json.
const maxTokenizer = 1 << 26

// Tokenizer reads the tokenizer.json that comes with the model.
func (f *File) Tokenizer() (*tokenizer.Tokenizer, error) {
	t, err := f.tokenizer()
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no tokenizer.json: %w", err)
	}
	return t, f.at(err)
}

func (f *File) tokenizer() (*tokenizer.Tokenizer, error) {
	files := f.companions
	data, err := badfile.ReadFile(files, "tokenizer.json", maxTokenizer)
	if err != nil {
		return nil, err
	}
	config, err := badfile.ReadFile(files, "tokenizer_config.json", maxConfig)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	t, err := tokenizer.Parse(data, config)
	if err != nil {
		return nil, err
	}
	if t.Vocab() > f.Config.Vocab {
		return nil, formatErrorf("tokenizer.json: %d tokens, but the model has %d", t.Vocab(), f.Config.Vocab)
	}
	return t, nil
}

// An Embedder makes embeddings of sentences. It serves one caller at a time.
type Embedder struct {
	Runner    *Runner
	Tokenizer *tokenizer.Tokenizer
	Pipeline  Pipeline
}

// Width returns the length of an embedding.
func (e *Embedder) Width() int { return e.Pipeline.Width(e.Runner.model.Config.Dim) }

// Tokens returns the tokens of a sentence and those around it, cut to the length of the
// pipeline.
func (e *Embedder) Tokens(sentence string) ([]int, error) {
	text := e.Pipeline.Prompt + strings.TrimSpace(sentence)
	if e.Pipeline.Lower {
		text = strings.ToLower(text)
	}
	before, after := e.Tokenizer.Around()
	room := e.Pipeline.MaxTokens - len(before) - len(after)
	if room < 1 {
		return nil, fmt.Errorf("encoder: texts of %d tokens have no room besides the %d tokens around them", e.Pipeline.MaxTokens, len(before)+len(after))
	}
	tokens, err := e.Tokenizer.Encode(text)
	if err != nil {
		return nil, err
	}
	tokens = append(append(before, tokens[:min(len(tokens), room)]...), after...)
	if len(tokens) == 0 {
		return nil, fmt.Errorf("encoder: a text without tokens")
	}
	return tokens, nil
}

// batchTokens is the number of tokens that go through the model side by side. It is
// large enough that unpacking weights pays, and small enough that the vectors stay in a
// cache.
const batchTokens = 1024

// Embed returns the embeddings of sentences, and the number of their tokens. progress,
// which may be nil, is called with the number of those that are done, and their tokens.
// An error about a sentence has its number, from 1 on.
func (e *Embedder) Embed(ctx context.Context, sentences []string, progress func(done, tokens int)) ([][]float32, int, error) {
	var batch [][]int
	vectors := make([][]float32, 0, len(sentences))
	waiting, total := 0, 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := e.Runner.Forward(batch...); err != nil {
			return err
		}
		for i := range batch {
			v := make([]float32, e.Width())
			if err := e.Pipeline.Pool(v, e.Runner.Hidden(i)); err != nil {
				return fmt.Errorf("sentence %d: %w", len(vectors)+1, err)
			}
			vectors = append(vectors, v)
		}
		total += waiting
		batch, waiting = batch[:0], 0
		if progress != nil {
			progress(len(vectors), total)
		}
		return nil
	}
	for i, s := range sentences {
		tokens, err := e.Tokens(s)
		if err != nil {
			return nil, 0, fmt.Errorf("sentence %d: %w", i+1, err)
		}
		if waiting > 0 && waiting+len(tokens) > batchTokens {
			if err := flush(); err != nil {
				return nil, 0, err
			}
		}
		batch, waiting = append(batch, tokens), waiting+len(tokens)
	}
	if err := flush(); err != nil {
		return nil, 0, err
	}
	return vectors, total, nil
}

// Cosine returns the cosine of the angle between two embeddings, 0 if one has no length.
func Cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i, v := range a {
		ab += float64(v) * float64(b[i])
		aa += float64(v) * float64(v)
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / (math.Sqrt(aa) * math.Sqrt(bb))
}

// Model returns the model that computes.
func (e *Embedder) Model() *Model { return e.Runner.model }
