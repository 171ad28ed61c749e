package llm

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

const maxConfig = 1 << 20 // far above the length of any config.json

func openCheckpoint(path string, open func(string) (*checkpoint.Checkpoint, error)) (*File, error) {
	c, err := open(path)
	if err != nil {
		return nil, err
	}
	f, err := newFile(path, c)
	if err != nil {
		c.Close()
	}
	return f, err
}

// newFile returns the model of a checkpoint and its config.json, called name in errors.
// Closing it closes the checkpoint.
func newFile(name string, c *checkpoint.Checkpoint) (*File, error) {
	f := &File{name: name, companions: c.Companions(), close: c.Close}
	data, err := badfile.ReadFile(f.companions, "config.json", maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no config.json that describes the model of these weights: %w", fs.ErrNotExist)
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
	s := &checkpointSource{c: c, config: config, model: h}
	if err := s.check(); err != nil {
		return nil, f.at(err)
	}
	f.Config, f.source = config, s
	return f, f.at(f.readGeneration())
}

// A checkpointSource is a checkpoint of a model of a known family.
type checkpointSource struct {
	c      *checkpoint.Checkpoint
	config Config
	model  *hfModel
}

// at returns the location of a tensor.
func (s *checkpointSource) at(n tensorName) location {
	return s.model.family.place(&s.config, s.has, n)
}

func (s *checkpointSource) has(name string) bool {
	_, ok := s.c.Tensor(name)
	return ok
}

// classifier is the name of the classifier's tensor.
var classifier = Place{Layer: -1, Kind: Classifier}.tensor()

// tied is also true if the configuration does not say and there is no classifier but
// the embedding.
func (s *checkpointSource) tied() bool {
	return s.model.Tied || !s.model.Untied && !s.has(s.at(classifier).name)
}

// A wantedTensor is one that the engine reads, or a part of one.
type wantedTensor struct {
	location
	rows, cols int
}

// check returns an error if a tensor of the model is missing or has another shape, or
// if there is a tensor that the engine would not use, as results would then be wrong.
func (s *checkpointSource) check() error {
	wanted := s.wanted()
	used := map[string]bool{s.at(classifier).name: true} // not read if it is the embedding
	var missing, unused []string
	for _, w := range wanted {
		if !used[w.name] && !s.has(w.name) {
			missing = append(missing, w.name)
		}
		used[w.name] = true
	}
	if len(missing) > 0 {
		return formatErrorf("tensor %s is missing%s", badfile.Quote(missing[0]), andMore(missing))
	}
	for _, t := range s.c.Tensors() {
		if !used[t.Name] && !s.isBuffer(t.Name) {
			unused = append(unused, t.Name)
		}
	}
	if len(unused) > 0 {
		return formatErrorf("tensor %s is not a part of the model that config.json describes%s", badfile.Quote(unused[0]), andMore(unused))
	}
	for _, w := range wanted {
		if _, err := s.tensor(w); err != nil {
			return err
		}
	}
	return nil
}

func (s *checkpointSource) wanted() []wantedTensor {
	var list []wantedTensor
	add := func(n tensorName, rows, cols int) { list = append(list, wantedTensor{s.at(n), rows, cols}) }
	m := outline(s.config, s.tied())
	for _, p := range m.places() {
		rows, cols := s.config.Size(p)
		add(p.tensor(), rows, cols)
	}
	for i := range m.Layers {
		if s.config.hasExperts(i) {
			add(routerName(i), s.config.Experts, s.config.Dim)
		}
	}
	m.vectors(func(n tensorName, rows, cols int, _ *[]float32) { add(n, rows, cols) })
	return list
}

// andMore counts the names after the first.
func andMore(names []string) string {
	if len(names) == 1 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", len(names)-1)
}

// isBuffer reports whether a tensor holds values that follow from the configuration:
// old versions of transformers saved the frequencies of the rotations.
func (s *checkpointSource) isBuffer(name string) bool {
	f := s.model.family
	return strings.HasSuffix(name, ".rotary_emb.inv_freq") || f.buffer != nil && f.buffer(name)
}

// tensor returns the tensor that w is, or is a part of. It must have the shape that
// follows from config.json.
func (s *checkpointSource) tensor(w wantedTensor) (checkpoint.Tensor, error) {
	t, ok := s.c.Tensor(w.name)
	if !ok {
		return t, formatErrorf("tensor %s is missing", badfile.Quote(w.name))
	}
	if t.Transposed && !w.inOut {
		return t, formatErrorf("tensor %s was quantized as an [in, out] matrix, but those of this model are [out, in]", badfile.Quote(t.Name))
	}
	if t.Quantized && w.inOut && !t.Transposed {
		return t, formatErrorf("tensor %s is an [in, out] matrix, but was quantized as if it were [out, in]", badfile.Quote(t.Name))
	}
	want := w.shape
	switch {
	case want != nil:
	case w.rows == 1 && len(t.Shape) == 1:
		want = []int{w.cols}
	default:
		want = []int{w.rows, w.cols}
	}
	if w.transposed(t) {
		want = slices.Clone(want)
		n := len(want)
		want[n-1], want[n-2] = want[n-2], want[n-1]
	}
	if !slices.Equal(t.Shape, want) {
		return t, formatErrorf("tensor %s has shape %d, but config.json makes it %s", badfile.Quote(t.Name), t.Shape, times(want))
	}
	return t, nil
}

// times writes the dimensions of a tensor.
func times(shape []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", "×")
}

// transposed reports whether the matrices of t are stored as their transposes.
func (w wantedTensor) transposed(t checkpoint.Tensor) bool { return w.inOut && !t.Quantized }

func (s *checkpointSource) read(n tensorName, rows, cols int) ([]float32, error) {
	want := wantedTensor{s.at(n), rows, cols}
	t, err := s.tensor(want)
	if err != nil {
		return nil, err
	}
	w := make([]float32, rows*cols)
	switch {
	case len(t.Shape) == 1 && want.shape != nil: // a part of a vector
		all := make([]float32, t.Elements())
		if err := s.c.ReadRows(all, t.Name, 0, t.Rows()); err != nil {
			return nil, err
		}
		copy(w, all[want.first:])
		return w, nil
	case len(t.Shape) == 1:
		return w, s.c.ReadRows(w, t.Name, 0, t.Rows())
	case want.transposed(t):
		return w, s.readTransposed(w, t, want)
	}
	return w, s.c.ReadRows(w, t.Name, want.first, want.first+rows)
}

// readTransposed reads rows of a matrix whose transpose the tensor has.
func (s *checkpointSource) readTransposed(w []float32, t checkpoint.Tensor, want wantedTensor) error {
	n := len(t.Shape)
	in, out := t.Shape[n-2], t.Shape[n-1]
	matrix, first := want.first/out, want.first%out
	all := make([]float32, in*out)
	if err := s.c.ReadRows(all, t.Name, matrix*in, (matrix+1)*in); err != nil {
		return err
	}
	transpose(w, all[first:], in, out, 0, want.rows)
	return nil
}

func (s *checkpointSource) packed(n tensorName, rows, cols int) (*quant.Matrix, error) {
	want := wantedTensor{s.at(n), rows, cols}
	t, err := s.tensor(want)
	switch {
	case err != nil || !t.Quantized:
		return nil, err
	case rows == t.Rows():
		return s.c.Matrix(t.Name)
	}
	return s.c.MatrixRows(t.Name, want.first, want.first+rows)
}

// A Packing is a data type and the size of its groups.
type Packing struct {
	Type      datatype.Type
	GroupSize int
}

func (p Packing) String() string { return fmt.Sprintf("%v in groups of %d", p.Type, p.GroupSize) }

// Embedding returns the stored type of the embedding of a packed model: the name of a
// type of floats, or a Packing.
func (f *File) Embedding() string {
	s, ok := f.source.(*checkpointSource)
	if !ok {
		return "F32"
	}
	t, _ := s.c.Tensor(s.at(Place{Layer: -1, Kind: Embedding}.tensor()).name)
	if t.Parts != nil {
		return "rows of several types"
	}
	if t.Quantized {
		return Packing{t.Type, t.GroupSize}.String()
	}
	return t.DType
}

// StoredBits returns the bits that a weight takes in the file on average: of the matrices
// of the layers, and of all matrices, embedding and classifier included.
func (f *File) StoredBits() (layers, all float64) {
	s, ok := f.source.(*checkpointSource)
	if !ok {
		return 32, 32
	}
	var bytes, weights, others, otherWeights int64
	counted := map[string]bool{} // a tensor may have several matrices
	m := outline(s.config, s.tied())
	for _, p := range m.places() {
		name := s.at(p.tensor()).name
		t, ok := s.c.Tensor(name)
		switch {
		case !ok || counted[name]:
			continue
		case p.Layer >= 0:
			bytes += t.Bytes
			weights += t.Elements()
		default:
			others += t.Bytes
			otherWeights += t.Elements()
		}
		counted[name] = true
	}
	return 8 * float64(bytes) / float64(weights), 8 * float64(bytes+others) / float64(weights+otherWeights)
}

// Packed returns the types of the packed matrices of the layers, each once, in the
// order of the file. It is empty for a model of float weights.
func (f *File) Packed() []Packing {
	s, ok := f.source.(*checkpointSource)
	if !ok {
		return nil
	}
	var ps []Packing
	embedding, classifier := s.at(Place{Layer: -1, Kind: Embedding}.tensor()).name, s.at(classifier).name
	for _, t := range s.c.Tensors() {
		if !t.Quantized || t.Name == embedding || t.Name == classifier {
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
