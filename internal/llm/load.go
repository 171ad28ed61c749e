package llm

import (
	"fmt"
	"os"

	"github.com/bitmod-go/bitmod/quant"
)

// Options say how to load a model.
type Options struct {
	// Maker makes the matrices as they are read, so that a large model never is in
	// memory as float32. nil is Float.
	Maker Maker
}

// Load reads a model: a llama2.c file (version 0), or a Hugging Face directory of
// a Llama-family model, with config.json and model.safetensors. An error that the
// contents are to blame for matches quant.ErrFormat, or quant.ErrNotFinite if it is
// a weight.
func Load(path string, o Options) (*Model, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	var m *Model
	if info.IsDir() {
		m, err = loadDir(path, o)
	} else {
		m, err = loadLlama2c(path, o)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Open reads a model and its tokenizer, see [Load] and [LoadTokenizer]. With no
// path it is the small model that this module carries, of which tokens are bytes.
func Open(path, tokenizer string, o Options) (*Model, Tokenizer, error) {
	load := Load
	if path == "" {
		load = loadEmbedded
	}
	m, err := load(path, o)
	if err != nil {
		return nil, nil, err
	}
	t, err := LoadTokenizer(tokenizer, path, &m.Config)
	if err != nil {
		return nil, nil, err
	}
	return m, t, nil
}

// A source gives the tensors of a model by name: Hugging Face's names without
// "model." and ".weight".
type source interface {
	// read returns a new slice of the rows·cols elements of a tensor.
	read(name string, rows, cols int) ([]float32, error)
	// tied reports whether the classifier is the embedding.
	tied() bool
}

// build makes the model that c describes.
func build(c Config, s source, o Options) (*Model, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if o.Maker == nil {
		o.Maker = Float
	}
	b := builder{c: &c, source: s, maker: o.Maker}
	m := &Model{Config: c, tied: s.tied()}
	m.Embedding = b.linear(Place{-1, Embedding})
	for i := range c.Layers {
		l := Layer{AttentionNorm: b.vector(fmt.Sprintf("layers.%d.input_layernorm", i))}
		l.FeedForwardNorm = b.vector(fmt.Sprintf("layers.%d.post_attention_layernorm", i))
		for k := range l.Linears {
			l.Linears[k] = b.linear(Place{i, Kind(k)})
		}
		if b.err != nil {
			return nil, b.err // before a header's million layers are asked for
		}
		m.Layers = append(m.Layers, l)
	}
	m.Norm = b.vector("norm")
	m.Classifier = m.Embedding
	if !m.tied {
		m.Classifier = b.linear(Place{-1, Classifier})
	}
	if b.err != nil {
		return nil, b.err
	}
	return m, nil
}

// A builder reads tensors until the first error.
type builder struct {
	c      *Config
	source source
	maker  Maker
	err    error
}

func (b *builder) vector(name string) []float32 {
	if b.err != nil {
		return nil
	}
	return b.read(name, 1, b.c.Dim)
}

// read reads a tensor. A NaN is found here, not in the text.
func (b *builder) read(name string, rows, cols int) []float32 {
	w, err := b.source.read(name, rows, cols)
	if err != nil {
		b.err = err
		return nil
	}
	for i, v := range w {
		if v-v != 0 {
			b.err = fmt.Errorf("tensor %s, row %d, column %d is %v: %w", name, i/cols, i%cols, v, quant.ErrNotFinite)
			return nil
		}
	}
	return w
}

func (b *builder) linear(p Place) Linear {
	if b.err != nil {
		return nil
	}
	rows, cols := b.c.Size(p)
	w := b.read(p.String(), rows, cols)
	if b.err != nil {
		return nil
	}
	l, err := b.maker(p, w, cols)
	b.err = err
	return l
}
