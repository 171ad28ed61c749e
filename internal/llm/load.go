package llm

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/bitmod-go/bitmod/quant/checkpoint"

	"github.com/bitmod-go/bitmod/quant"
)

// Options are the options of loading a model.
type Options struct {
	// Maker makes the matrices of float weights as they are read, so that a large
	// model never is in memory as float32. nil is Float.
	Maker Maker
	// Packed makes the matrices that the checkpoint has packed. nil multiplies them
	// in their packed form, by float32 vectors.
	Packed PackedMaker
}

// A File is an open model whose weights have not been read yet.
type File struct {
	Config   Config
	Sampling Sampling // as the files say that come with the model

	name       string // the path, or what the model is called in errors
	source     source
	companions fs.FS // with tokenizer.json; nil if there are none
	close      func() error
}

// OpenFile opens a model. That is anything that quant/checkpoint opens, a result of a
// Plan included, with config.json beside it, or a file of llama2.c (version 0), whose
// name ends in ".bin". An empty path stands for the small model of this module. Errors in
// the contents match quant.ErrFormat.
func OpenFile(path string) (*File, error) {
	switch {
	case path == "":
		return openEmbedded()
	case strings.HasSuffix(path, ".bin") && isRegular(path):
		return openLlama2c(path)
	}
	return openCheckpoint(path, checkpoint.Open)
}

// OpenMapped is [OpenFile] for a result of a Plan. It leaves packed matrices in the file,
// mapped into memory: see checkpoint.OpenMapped.
func OpenMapped(path string) (*File, error) { return openCheckpoint(path, checkpoint.OpenMapped) }

func isRegular(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// Close closes the file. Models that were loaded from it stay.
func (f *File) Close() error { return f.close() }

// at adds the file to an error.
func (f *File) at(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", f.name, err)
}

// Load reads the weights, matrix by matrix, on GOMAXPROCS goroutines. A weight that is
// not finite is an error that matches quant.ErrNotFinite.
func (f *File) Load(o Options) (*Model, error) {
	m, err := build(f.Config, f.source, o)
	return m, f.at(err)
}

// Load reads the model at path, see [OpenFile].
func Load(path string, o Options) (*Model, error) {
	f, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Load(o)
}

// Open reads a model and its tokenizer, see [OpenFile] and [File.Tokenizer].
func Open(path, tokenizer string, o Options) (*Model, Tokenizer, error) {
	f, err := OpenFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	t, err := f.Tokenizer(tokenizer)
	if err != nil {
		return nil, nil, err
	}
	m, err := f.Load(o)
	return m, t, err
}

// A source reads the tensors of a model. It is safe for concurrent use.
type source interface {
	// read returns a new slice of the rows·cols elements of a tensor.
	read(name tensorName, rows, cols int) ([]float32, error)
	// tied reports whether the classifier is the embedding.
	tied() bool
}

// A packedSource is a source that may have packed matrices.
type packedSource interface {
	source
	// packed returns the matrix of a tensor, or nil if the tensor is not packed.
	packed(name tensorName, rows, cols int) (*quant.Matrix, error)
}

// build makes the model that c describes.
func build(c Config, s source, o Options) (*Model, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if o.Maker == nil {
		o.Maker = Float
	}
	if o.Packed == nil {
		o.Packed = Quantizer{}.Packed
	}
	b := builder{c: &c, source: s, options: o}
	m, err := b.withoutMatrices()
	if err != nil {
		return nil, err
	}
	if err := b.matrices(m, m.places()); err != nil {
		return nil, err
	}
	if m.tied {
		m.Classifier = m.Embedding
	}
	return m, nil
}

// A builder reads tensors.
type builder struct {
	c       *Config
	source  source
	options Options
}

// withoutMatrices returns the model without the matrices at places.
func (b *builder) withoutMatrices() (*Model, error) {
	c := b.c
	m := outline(*c, b.source.tied())
	var err error
	m.vectors(func(name tensorName, rows, cols int, to *[]float32) {
		if err == nil {
			*to, err = b.read(name, rows, cols)
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		if c.hasExperts(i) {
			w, err := b.read(routerName(i), c.Experts, c.Dim)
			if err != nil {
				return nil, err
			}
			l.Router = newDense(w, c.Dim)
		}
	}
	if c.NormPlusOne {
		m.norms(func(n *Norm) {
			for i := range n.Weight {
				n.Weight[i]++
			}
		})
	}
	return m, nil
}

// matrices sets the matrices at some places.
func (b *builder) matrices(m *Model, places []Place) error {
	return InParallel(len(places), func(i int) error {
		l, err := b.linear(places[i])
		if err == nil {
			*m.slot(places[i]) = l
		}
		return err
	})
}

// read reads a tensor. A NaN is found here, not in the text.
func (b *builder) read(name tensorName, rows, cols int) ([]float32, error) {
	w, err := b.source.read(name, rows, cols)
	if err != nil {
		return nil, err
	}
	for i, v := range w {
		if v-v != 0 {
			return nil, fmt.Errorf("tensor %v, row %d, column %d is %v: %w", name, i/cols, i%cols, v, quant.ErrNotFinite)
		}
	}
	return w, nil
}

func (b *builder) linear(p Place) (Linear, error) {
	rows, cols := b.c.Size(p)
	if s, ok := b.source.(packedSource); ok {
		m, err := s.packed(p.tensor(), rows, cols)
		if err != nil {
			return nil, err
		}
		if m != nil {
			return b.options.Packed(p, m)
		}
	}
	w, err := b.read(p.tensor(), rows, cols)
	if err != nil {
		return nil, err
	}
	return b.options.Maker(p, w, cols)
}
