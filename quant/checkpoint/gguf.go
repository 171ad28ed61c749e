package checkpoint

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/gguf"
	"github.com/bitmod-go/bitmod/internal/gguf/hf"
)

// openGGUF opens a file and the others of its split.
func (c *Checkpoint) openGGUF(files badfile.Files, path string, src *badfile.Source) error {
	first, err := gguf.From(src)
	if err != nil {
		return err
	}
	c.closers = append(c.closers, first)
	parts, err := openParts(path, first, func(path string) (*gguf.File, error) {
		src, err := files.Open("gguf", path)
		if err != nil {
			return nil, err
		}
		return gguf.From(src)
	})
	for _, f := range parts {
		if f != nil && f != first {
			c.closers = append(c.closers, f)
		}
	}
	if err != nil {
		return err
	}
	var tensors []ggml
	byName := make(map[string]ggml)
	for _, f := range parts {
		c.files = append(c.files, f.Path())
		for _, t := range f.Tensors() {
			if other, ok := byName[t.Name]; ok {
				return badTensor(t.Name, "it is in both %s and %s", other.f.Path(), f.Path())
			}
			byName[t.Name] = ggml{f, t}
			tensors = append(tensors, ggml{f, t})
		}
		for k, v := range f.Metadata() {
			if k == keySplitNo || k == keySplitCount || k == keySplitTensors {
				continue // about the file, not about the model
			}
			b, err := json.Marshal(v)
			if err != nil { // NaN or an infinity
				b = []byte(fmt.Sprintf("%q", fmt.Sprint(v)))
			}
			have, ok := c.metadata["gguf."+k]
			switch {
			case !ok:
				c.metadata["gguf."+k] = string(b)
			case k != "general.alignment" && have != string(b):
				return splitError(f.Path(), "%s differs from an earlier part: it is a part of another model", badfile.Quote(k))
			}
		}
	}
	return c.addModel(parts[0], tensors)
}

// addModel adds the tensors of GGUF files, by the keys of the first file: as tensors of
// a Hugging Face model, or as they are if the family is not known.
func (c *Checkpoint) addModel(first *gguf.File, tensors []ggml) error {
	source := hf.Source{Pairs: first.Metadata(), Read: func(i int, dst []float32) error { return tensors[i].Read(dst, 0) }}
	for _, t := range tensors {
		source.Tensors = append(source.Tensors, t.t)
	}
	m, err := hf.Convert(source)
	if err != nil {
		return badfile.At("gguf", first.Path(), err)
	}
	c.companions, c.described = m.Files, m.Family != ""
	if m.Family == "" {
		for _, t := range tensors {
			if err := c.add(describeGGML(t.t.Name, t.t.Shape, t), t); err != nil {
				return err
			}
		}
		return nil
	}
	for _, t := range m.Tensors {
		from, parts := make([]hf.Data, len(t.From)), make([]raw, len(t.From))
		for i, j := range t.From {
			from[i], parts[i] = tensors[j], tensors[j]
		}
		g := tensors[t.From[0]]
		x := describeGGML(t.Name, t.Shape, g)
		var d data = g
		switch v := t.View.(type) {
		case hf.Copied:
		case hf.Rows:
			d = movedRows{v.Open(t.Shape, from), v, g, x}
		default:
			d = viewed{t.View.Open(t.Shape, from), parts}
		}
		if err := c.add(x, d); err != nil {
			return err
		}
	}
	return nil
}

// describeGGML describes a tensor of the type of g and the given shape, which may be the
// shape of a part of g.
func describeGGML(name string, shape []int, g ggml) Tensor {
	t := Tensor{Name: name, Shape: shape, DType: g.t.Type.String(), Float: g.t.Type.IsFloat()}
	t.Bytes = g.t.Type.Size(t.Elements())
	return t
}

// viewed is data that is computed from tensors of GGUF files, element by element.
type viewed struct {
	hf.Data
	from []raw
}

func (v viewed) parts() []raw { return v.from }

// movedRows is some rows of a tensor of a GGUF file, in another order.
type movedRows struct {
	hf.Data
	view hf.Rows
	g    ggml
	t    Tensor
}

func (m movedRows) Bytes() *io.SectionReader {
	rows := int64(m.t.Rows())
	if len(m.t.Shape) == 1 {
		rows = int64(m.t.Shape[0])
	}
	return m.view.Bytes(m.g.Bytes(), rows, m.t.Bytes)
}
