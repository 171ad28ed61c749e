package encoder

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/internal/loops/floats"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

const maxConfig = 1 << 20 // far above the length of any config.json

// A File is an open model whose weights have not been read yet.
type File struct {
	Config Config

	name       string
	c          *checkpoint.Checkpoint
	companions fs.FS  // with config.json and the tokenizer's files
	prefix     string // of the names of all tensors that are read
	unused     []string
}

// OpenFile opens what quant/checkpoint opens, with config.json beside it. An unknown
// tensor, or an unknown key of the configuration that may change the result, is an error
// that names it. Errors in the contents match quant.ErrFormat.
func OpenFile(path string) (*File, error) {
	c, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := newFile(path, c, c.Companions())
	if err != nil {
		c.Close()
	}
	return f, err
}

// OpenFS is OpenFile for the file or directory called name in fsys.
func OpenFS(fsys fs.FS, name string) (*File, error) {
	c, err := checkpoint.OpenFS(fsys, name)
	if err != nil {
		return nil, err
	}
	f, err := newFile(name, c, c.Companions())
	if err != nil {
		c.Close()
	}
	return f, err
}

// newFile returns the model of a checkpoint and the files beside it.
func newFile(name string, c *checkpoint.Checkpoint, companions fs.FS) (*File, error) {
	f := &File{name: name, c: c, companions: companions}
	data, err := badfile.ReadFile(companions, "config.json", maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no config.json that describes the model of these weights: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, f.at(err)
	}
	config, err := parseConfig(data)
	if err != nil {
		return nil, f.at(err)
	}
	f.Config = *config
	if err := c.Readable(); err != nil {
		return nil, f.at(err)
	}
	return f, f.at(f.check())
}

// Close closes the file. Models that were loaded from it stay.
func (f *File) Close() error { return f.c.Close() }

// at adds the file to an error.
func (f *File) at(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", f.name, err)
}

// Unused returns the names of tensors that are no part of the encoder: those of a pooler,
// which embeddings of sentences don't use, and of heads for other tasks.
func (f *File) Unused() []string { return slices.Clone(f.unused) }

// A wantedTensor is a tensor that the engine reads. A vector has 0 rows.
type wantedTensor struct {
	name       string
	rows, cols int
}

// wanted returns the tensors of the model.
func (c *Config) wanted() []wantedTensor {
	n := &c.family.names
	list := []wantedTensor{
		{n.words + weight, c.Vocab, c.Embedding},
		{n.positions + weight, c.Positions, c.Embedding},
	}
	norm := func(name string, width int) {
		list = append(list, wantedTensor{name + weight, 0, width}, wantedTensor{name + bias, 0, width})
	}
	linear := func(name string, rows, cols int) {
		list = append(list, wantedTensor{name + weight, rows, cols}, wantedTensor{name + bias, 0, rows})
	}
	if c.Types > 0 {
		list = append(list, wantedTensor{n.types + weight, c.Types, c.Embedding})
	}
	norm(n.embedNorm, c.Embedding)
	if c.projects() {
		linear(n.project, c.Dim, c.Embedding)
	}
	if c.Buckets > 0 {
		list = append(list, wantedTensor{n.relative + weight, c.Buckets, c.Heads})
	}
	for i := range c.Layers {
		for _, name := range []string{n.query, n.key, n.value, n.output} {
			linear(n.of(i, name), c.Dim, c.Dim)
		}
		linear(n.of(i, n.up), c.Hidden, c.Dim)
		linear(n.of(i, n.down), c.Dim, c.Hidden)
		norm(n.of(i, n.attentionNorm), c.Dim)
		norm(n.of(i, n.feedForwardNorm), c.Dim)
	}
	if n.lastNorm != "" {
		norm(n.lastNorm, c.Dim)
	}
	return list
}

const (
	weight = ".weight"
	bias   = ".bias"
)

// projects reports whether the embeddings go through a matrix.
func (c *Config) projects() bool { return c.family.names.project != "" && c.Embedding != c.Dim }

// check finds the prefix of the names, and returns an error if a tensor is missing or has
// another shape, or if there is one that is not known.
func (f *File) check() error {
	first := f.Config.family.names.words + weight
	for _, p := range f.Config.family.prefixes {
		if _, ok := f.c.Tensor(p + first); ok {
			f.prefix = p
		}
	}
	// A model of many layers and a file of few must not cost more than the file.
	if n := len(f.c.Tensors()); f.Config.Layers > n {
		return formatErrorf("config.json has %d layers, and the file %d tensors", f.Config.Layers, n)
	}
	used := map[string]bool{}
	for _, w := range f.Config.wanted() {
		if _, err := f.tensor(w); err != nil {
			return err
		}
		used[f.prefix+w.name] = true
	}
	for _, t := range f.c.Tensors() {
		name := strings.TrimPrefix(t.Name, f.prefix)
		switch {
		case used[t.Name] || isBuffer(name):
		case slices.ContainsFunc(f.Config.family.unused, func(p string) bool { return strings.HasPrefix(name, p) }):
			f.unused = append(f.unused, t.Name)
		default:
			return formatErrorf("tensor %s is not a part of the model that config.json describes", badfile.Quote(t.Name))
		}
	}
	return nil
}

// tensor returns a tensor that is wanted.
func (f *File) tensor(w wantedTensor) (checkpoint.Tensor, error) {
	t, ok := f.c.Tensor(f.prefix + w.name)
	if !ok {
		return t, formatErrorf("tensor %s is missing", badfile.Quote(f.prefix+w.name))
	}
	want := []int{w.rows, w.cols}
	if w.rows == 0 {
		want = want[1:]
	}
	switch {
	case !slices.Equal(t.Shape, want):
		return t, formatErrorf("tensor %s has shape %d, but config.json makes it %d", badfile.Quote(t.Name), t.Shape, want)
	case t.Transposed:
		return t, formatErrorf("tensor %s was quantized as an [in, out] matrix, but those of this model are [out, in]", badfile.Quote(t.Name))
	}
	return t, nil
}

// Options say how to load a model.
type Options struct {
	// Quantize says how to quantize the matrices of the layers that are floats in the
	// file. nil leaves them as they are. Packed matrices stay packed.
	Quantize *quant.Config
	// Embeddings says the same for the table of tokens.
	Embeddings *quant.Config
	// Activations is the form of inputs of packed matrices.
	Activations llm.Activations
}

// Load reads the weights, on GOMAXPROCS goroutines. A weight that is not finite is an
// error that matches quant.ErrNotFinite.
func (f *File) Load(o Options) (*Model, error) {
	m, err := f.load(o)
	return m, f.at(err)
}

func (f *File) load(o Options) (*Model, error) {
	c := &f.Config
	n := &c.family.names
	b := builder{f: f, options: o}
	m := &Model{Config: *c, layers: make([]layer, c.Layers)}
	b.matrix(&m.words, n.words, c.Vocab, c.Embedding, o.Embeddings)
	b.outside(m)
	for i := range m.layers {
		b.layer(m, i)
	}
	return m, b.run()
}

// A builder collects the tensors to read, and then reads them.
type builder struct {
	f       *File
	options Options
	jobs    []func() error
	last    []func() error // after all of jobs
}

// outside reads all but the layers and the table of tokens.
func (b *builder) outside(m *Model) {
	c := &m.Config
	n := &c.family.names
	b.matrix(&m.positions, n.positions, c.Positions, c.Embedding, nil)
	if c.Types > 0 {
		var types llm.Linear
		b.matrix(&types, n.types, c.Types, c.Embedding, nil)
		b.then(func() error {
			m.typeRow = make([]float32, c.Embedding)
			return types.Row(m.typeRow, 0)
		})
	}
	b.norm(&m.embedNorm, n.embedNorm, c.Embedding)
	if c.projects() {
		m.project = &linear{}
		b.linear(m.project, n.project, c.Dim, c.Embedding)
	}
	if c.Buckets > 0 {
		b.read(&m.relative, n.relative+weight, c.Buckets, c.Heads)
	}
	if n.lastNorm != "" {
		m.lastNorm = &floats.Norm{}
		b.norm(m.lastNorm, n.lastNorm, c.Dim)
	}
}

// layer reads a layer.
func (b *builder) layer(m *Model, i int) {
	n, l := &m.Config.family.names, &m.layers[i]
	for _, x := range l.linears(n) {
		rows, cols := m.Config.size(x.linear, l)
		b.linear(x.linear, n.of(i, x.name), rows, cols)
	}
	b.norm(&l.attentionNorm, n.of(i, n.attentionNorm), m.Config.Dim)
	b.norm(&l.feedForwardNorm, n.of(i, n.feedForwardNorm), m.Config.Dim)
}

func (b *builder) run() error {
	err := llm.InParallel(len(b.jobs), func(i int) error { return b.jobs[i]() })
	for _, f := range b.last {
		if err == nil {
			err = f()
		}
	}
	return err
}

func (b *builder) then(f func() error) { b.last = append(b.last, f) }

// read reads a tensor of floats, or a packed tensor as floats. rows is 0 for a vector.
func (b *builder) read(to *[]float32, name string, rows, cols int) {
	b.jobs = append(b.jobs, func() (err error) {
		*to, err = b.f.read(wantedTensor{name, rows, cols})
		return err
	})
}

func (b *builder) norm(to *floats.Norm, name string, width int) {
	to.Eps = float32(b.f.Config.NormEps)
	b.read(&to.Weight, name+weight, 0, width)
	b.read(&to.Bias, name+bias, 0, width)
}

func (b *builder) linear(to *linear, name string, rows, cols int) {
	b.read(&to.bias, name+bias, 0, rows)
	b.matrix(&to.Linear, name, rows, cols, b.options.Quantize)
}

// matrix reads a matrix, and quantizes it unless config is nil or it is packed.
func (b *builder) matrix(to *llm.Linear, name string, rows, cols int, config *quant.Config) {
	w := wantedTensor{name + weight, rows, cols}
	b.jobs = append(b.jobs, func() error {
		t, err := b.f.tensor(w)
		if err != nil {
			return err
		}
		var m *quant.Matrix
		switch {
		case t.Quantized:
			m, err = b.f.c.Matrix(t.Name)
		case config == nil:
			var x []float32
			if x, err = b.f.read(w); err == nil {
				*to, err = llm.Float(llm.Place{}, x, cols)
			}
			return err
		default:
			var x []float32
			if x, err = b.f.read(w); err == nil {
				m, err = quant.Group(x, cols, *config)
			}
		}
		if err != nil {
			return fmt.Errorf("tensor %s: %w", badfile.Quote(t.Name), err)
		}
		*to = &llm.Quantized{Matrix: m, Activations: b.options.Activations}
		return nil
	})
}

// read returns the elements of a tensor. A NaN is found here, not in an embedding.
func (f *File) read(w wantedTensor) ([]float32, error) {
	t, err := f.tensor(w)
	if err != nil {
		return nil, err
	}
	x := make([]float32, t.Elements())
	if err := f.c.ReadRows(x, t.Name, 0, t.Rows()); err != nil {
		return nil, err
	}
	for i, v := range x {
		if v-v != 0 {
			return nil, fmt.Errorf("tensor %s, row %d, column %d is %v: %w", badfile.Quote(t.Name), i/w.cols, i%w.cols, v, quant.ErrNotFinite)
		}
	}
	return x, nil
}

// Packed returns the types of the packed matrices of the layers, each once, in the
// order of the file. It is empty for a model of float weights.
func (f *File) Packed() []llm.Packing {
	words := f.prefix + f.Config.family.names.words + weight
	var ps []llm.Packing
	for _, t := range f.c.Tensors() {
		if !t.Quantized || t.Name == words {
			continue
		}
		kinds := []llm.Packing{{Type: t.Type, GroupSize: t.GroupSize}}
		if t.Parts != nil {
			kinds = kinds[:0]
		}
		for _, p := range t.Parts {
			kinds = append(kinds, llm.Packing{Type: p.Type, GroupSize: p.GroupSize})
		}
		for _, p := range kinds {
			if !slices.Contains(ps, p) {
				ps = append(ps, p)
			}
		}
	}
	return ps
}

// Embedding returns the stored type of the table of tokens: the name of a type of
// floats, or an llm.Packing.
func (f *File) Embedding() string {
	t, _ := f.c.Tensor(f.prefix + f.Config.family.names.words + weight)
	if t.Quantized {
		return llm.Packing{Type: t.Type, GroupSize: t.GroupSize}.String()
	}
	return t.DType
}
