package llm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

const maxConfig = 1 << 20 // far above the length of any config.json

func openCheckpoint(path string) (*File, error) {
	c, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := newFile(path, c)
	if err != nil {
		c.Close()
	}
	return f, err
}

// newFile returns the model that a checkpoint and its config.json are, called name
// in errors. Closing it closes the checkpoint.
func newFile(name string, c *checkpoint.Checkpoint) (*File, error) {
	f := &File{name: name, companions: c.Companions(), close: c.Close}
	data, err := ReadCompanion(f.companions, "config.json", maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no config.json that says what model these weights are of: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, f.at(err)
	}
	config, h, err := parseHF(data)
	if err != nil {
		return nil, f.at(err)
	}
	if err := c.Readable(); err != nil {
		return nil, f.at(err)
	}
	s := &checkpointSource{c, h.Tied}
	if err := s.check(&config); err != nil {
		return nil, f.at(err)
	}
	f.Config, f.source = config, s
	return f, nil
}

// ReadCompanion reads a regular file of a model, of at most limit bytes.
func ReadCompanion(fsys fs.FS, name string, limit int64) ([]byte, error) {
	// Opening something else than a file, such as a named pipe, might take for ever.
	st, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, formatErrorf("%s is not a regular file", name)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, formatErrorf("%s has more than %d bytes", name, limit)
	}
	return data, nil
}

// A checkpointSource is a checkpoint under Hugging Face's names of a Llama.
type checkpointSource struct {
	c   *checkpoint.Checkpoint
	tie bool // by config.json
}

// fullName is the name of a tensor in the checkpoint.
func fullName(name string) string {
	if name != kindNames[Classifier] {
		name = "model." + name
	}
	return name + ".weight"
}

// tied also is true where the configuration says otherwise and there is nothing
// else to take for a classifier than the embedding.
func (s *checkpointSource) tied() bool {
	_, own := s.c.Tensor(fullName(kindNames[Classifier]))
	return s.tie || !own
}

// check returns an error if a tensor of the model is missing or has another shape, or
// if there is one that the engine would not use: what such a tensor adds would be
// missing from every result.
func (s *checkpointSource) check(c *Config) error {
	wanted := s.wanted(c)
	used := map[string]bool{fullName(kindNames[Classifier]): true} // not read if it is the embedding
	var missing, unused []string
	for _, w := range wanted {
		name := fullName(w.name)
		used[name] = true
		if _, ok := s.c.Tensor(name); !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return formatErrorf("tensor %s is missing%s", badfile.Quote(missing[0]), andMore(missing))
	}
	for _, t := range s.c.Tensors() {
		if !used[t.Name] && !isBuffer(t.Name) {
			unused = append(unused, t.Name)
		}
	}
	if len(unused) > 0 {
		return formatErrorf("tensor %s is not a part of the model that config.json describes%s", badfile.Quote(unused[0]), andMore(unused))
	}
	for _, w := range wanted {
		if _, err := s.tensor(w.name, w.rows, w.cols); err != nil {
			return err
		}
	}
	return nil
}

// A wantedTensor is one that the engine reads.
type wantedTensor struct {
	name       string
	rows, cols int
}

func (s *checkpointSource) wanted(c *Config) []wantedTensor {
	var list []wantedTensor
	matrix := func(p Place) {
		rows, cols := c.Size(p)
		list = append(list, wantedTensor{p.String(), rows, cols})
	}
	norm := func(name string) { list = append(list, wantedTensor{name, 1, c.Dim}) }
	matrix(Place{-1, Embedding})
	for i := range c.Layers {
		norm(normName(i, attentionNorm))
		norm(normName(i, feedForwardNorm))
		for k := range Down + 1 {
			matrix(Place{i, k})
		}
	}
	norm(lastNorm)
	if !s.tied() {
		matrix(Place{-1, Classifier})
	}
	return list
}

// andMore counts the names behind the first.
func andMore(names []string) string {
	if len(names) == 1 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", len(names)-1)
}

// isBuffer reports whether a tensor holds what is computed from the configuration:
// old versions of transformers saved the frequencies of the rotations.
func isBuffer(name string) bool { return strings.HasSuffix(name, ".rotary_emb.inv_freq") }

// tensor returns the tensor called name, which must be rows×cols.
func (s *checkpointSource) tensor(name string, rows, cols int) (checkpoint.Tensor, error) {
	t, ok := s.c.Tensor(fullName(name))
	switch {
	case !ok:
		return t, formatErrorf("tensor %s is missing", badfile.Quote(fullName(name)))
	case t.Rows() != rows || t.Cols() != cols || len(t.Shape) != 2 && (len(t.Shape) != 1 || rows != 1):
		return t, formatErrorf("tensor %s has shape %d, but config.json makes it %d×%d", badfile.Quote(t.Name), t.Shape, rows, cols)
	case t.Transposed:
		return t, formatErrorf("tensor %s was quantized as an [in, out] matrix, which those of this model are not", badfile.Quote(t.Name))
	}
	return t, nil
}

func (s *checkpointSource) read(name string, rows, cols int) ([]float32, error) {
	t, err := s.tensor(name, rows, cols)
	if err != nil {
		return nil, err
	}
	w := make([]float32, rows*cols)
	return w, s.c.ReadRows(w, t.Name, 0, rows)
}

func (s *checkpointSource) packed(name string, rows, cols int) (*quant.Matrix, error) {
	t, err := s.tensor(name, rows, cols)
	if err != nil || !t.Quantized {
		return nil, err
	}
	return s.c.Matrix(t.Name)
}

// A Packing is a data type and the size of its groups.
type Packing struct {
	Type      datatype.Type
	GroupSize int
}

func (p Packing) String() string { return fmt.Sprintf("%v in groups of %d", p.Type, p.GroupSize) }

// Embedding returns what the embedding of a packed model is stored as: the name of a
// type of floats, or a Packing.
func (f *File) Embedding() string {
	s, ok := f.source.(*checkpointSource)
	if !ok {
		return "F32"
	}
	t, _ := s.c.Tensor(fullName(kindNames[Embedding]))
	if t.Quantized {
		return Packing{t.Type, t.GroupSize}.String()
	}
	return t.DType
}

// Packed returns what the matrices of the layers are packed in, each once, in the
// order of the file. It is empty for a model of float weights.
func (f *File) Packed() []Packing {
	s, ok := f.source.(*checkpointSource)
	if !ok {
		return nil
	}
	var ps []Packing
	for _, t := range s.c.Tensors() {
		if !t.Quantized || t.Name == fullName(kindNames[Embedding]) || t.Name == fullName(kindNames[Classifier]) {
			continue
		}
		kinds := []Packing{{t.Type, t.GroupSize}}
		if t.Parts != nil {
			kinds = kinds[:0]
		}
		for _, p := range t.Parts {
			kinds = append(kinds, Packing{p.Type, p.GroupSize})
		}
		for _, p := range kinds {
			if !slices.Contains(ps, p) {
				ps = append(ps, p)
			}
		}
	}
	return ps
}
