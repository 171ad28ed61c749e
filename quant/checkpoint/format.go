package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/pack"
	"github.com/bitmod-go/bitmod/internal/release"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// Keys of __metadata__, all of which start with this.
const (
	keyPrefix   = "bitmod."
	keyVersion  = "bitmod.version"
	keyTensors  = "bitmod.tensors"  // JSON: NAME to quantized
	keySHA256   = "bitmod.sha256"   // JSON: name of a stored tensor to hex digits
	keySettings = "bitmod.settings" // JSON
	keyPlan     = "bitmod.plan"     // hex digits
	keyShard    = "bitmod.shard"    // "2 of 7"
	keyWriter   = "bitmod.writer"   // release.Version
)

const version = "1"

// Suffixes of the names of the four stored tensors, and of the order of rows if there
// are several parts.
const (
	suffixCodes     = ".codes"
	suffixScales    = ".scales"
	suffixRowScales = ".row_scales"
	suffixSpecial   = ".special"
	suffixOrder     = ".order"
)

// partName returns the name of a part, which takes the tensor's place in the names of
// its stored tensors.
func partName(name string, part int) string { return fmt.Sprintf("%s.%d", name, part) }

// quantized describes a quantized tensor in the header: its rows are of one type in
// groups of one size, or in parts.
type quantized struct {
	Type       datatype.Type
	GroupSize  int
	Parts      []Part
	Shape      []int
	Original   string
	Transposed bool
}

// maxParts is the number of parts that a byte tells apart.
const maxParts = 256

// noType is the type of a tensor without a type, or with several.
const noType = datatype.Type(math.MaxUint8)

// quantizedJSON is the encoding of a quantized. Type is a pointer because the zero Type
// is a type.
type quantizedJSON struct {
	partJSON
	Parts      []partJSON `json:"parts,omitempty"`
	Shape      []int      `json:"shape"`
	Original   string     `json:"original,omitempty"`
	Transposed bool       `json:"transposed,omitempty"`
}

type partJSON struct {
	Type      *datatype.Type `json:"type,omitempty"`
	GroupSize int            `json:"group_size,omitempty"`
	Rows      int            `json:"rows,omitempty"` // of a part
}

func (j partJSON) part() Part {
	p := Part{noType, j.GroupSize, j.Rows}
	if j.Type != nil {
		p.Type = *j.Type
	}
	return p
}

func (q quantized) MarshalJSON() ([]byte, error) {
	j := quantizedJSON{Shape: q.Shape, Original: q.Original, Transposed: q.Transposed}
	if q.Parts == nil {
		j.Type, j.GroupSize = &q.Type, q.GroupSize
	}
	for _, p := range q.Parts {
		j.Parts = append(j.Parts, partJSON{&p.Type, p.GroupSize, p.Rows})
	}
	return []byte(jsonString(j)), nil
}

func (q *quantized) UnmarshalJSON(b []byte) error {
	var j quantizedJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	p := j.part()
	*q = quantized{Type: p.Type, GroupSize: p.GroupSize, Shape: j.Shape, Original: j.Original, Transposed: j.Transposed}
	if j.Parts != nil {
		q.Parts = []Part{} // not nil, so that an empty list of parts is refused
	}
	for _, p := range j.Parts {
		q.Parts = append(q.Parts, p.part())
	}
	return nil
}

// header has the metadata that this format adds to a safetensors header.
type header struct {
	tensors  map[string]quantized
	sha256   map[string]string
	settings string
	plan     string
	shard    string
	plain    bool   // an ordinary file, which has none of this
	writer   string // of a file that was read
}

// metadata encodes h. Stored tensors without a checksum get zeros.
func (h header) metadata(stored []safetensors.Tensor) map[string]string {
	sums := make(map[string]string)
	for _, t := range stored {
		sums[t.Name] = strings.Repeat("0", 64)
		if s := h.sha256[t.Name]; s != "" {
			sums[t.Name] = s
		}
	}
	m := map[string]string{
		keyVersion: version,
		keyTensors: jsonString(h.tensors),
		keySHA256:  jsonString(sums),
		keyWriter:  release.Version,
	}
	if len(h.tensors) > 0 {
		m["format"] = quantMethod // "pt", say, would make other programs load it
	}
	for k, v := range map[string]string{keySettings: h.settings, keyPlan: h.plan, keyShard: h.shard} {
		if v != "" {
			m[k] = v
		}
	}
	return m
}

// jsonString encodes maps of this package, which cannot fail.
func jsonString(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("checkpoint: %v", err))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// parseHeader returns the header of a file, or the zero header if the file is not of
// this format.
func parseHeader(f *safetensors.File) (header, error) {
	m := f.Metadata()
	v, ok := m[keyVersion]
	if !ok {
		return header{}, nil
	}
	if v != version {
		return header{}, fmt.Errorf("checkpoint: %w: version %.20q of the quantized format; this program reads version %s", quant.ErrFormat, v, version)
	}
	h := header{settings: m[keySettings], plan: m[keyPlan], shard: m[keyShard], writer: m[keyWriter]}
	for key, v := range map[string]any{keyTensors: &h.tensors, keySHA256: &h.sha256} {
		if err := json.Unmarshal([]byte(m[key]), v); err != nil {
			return header{}, fmt.Errorf("checkpoint: %w: the metadata %s: %v", quant.ErrFormat, key, err)
		}
	}
	return h, nil
}

// open checks the description of the tensor called name against the stored tensors in
// f.
func (q quantized) open(name string, f *safetensors.File) (Tensor, *packed, error) {
	t, err := q.tensor(name)
	if err != nil {
		return t, nil, err
	}
	p := &packed{f: f, types: q.types(), rows: t.Rows(), cols: t.Cols()}
	stored, _ := q.stored(name) // without error, as tensor has called it
	for _, want := range stored {
		got, ok := f.Tensor(want.Name)
		switch {
		case !ok:
			return t, nil, badTensor(name, "the file has no %s", badfile.Quote(want.Name))
		case got.DType != want.DType || !slices.Equal(got.Shape, want.Shape):
			return t, nil, badTensor(name, "%s is %s %v, want %s %v for %v %v%s", badfile.Quote(got.Name), got.DType, got.Shape, want.DType, want.Shape, t.DType, q.Shape, q.inGroups())
		}
		p.stored = append(p.stored, got)
	}
	return t, p, nil
}

// inGroups returns a phrase for messages.
func (q quantized) inGroups() string {
	if q.Parts != nil {
		return fmt.Sprintf(" of %d parts", len(q.Parts))
	}
	return fmt.Sprintf(" in groups of %d", q.GroupSize)
}

// types returns the parts, one if all rows are of one type.
func (q quantized) types() []Part {
	if q.Parts != nil {
		return q.Parts
	}
	t := Tensor{Shape: q.Shape}
	return []Part{{q.Type, q.GroupSize, t.Rows()}}
}

// stored returns the tensors that hold the tensor called name: codes, scales,
// row_scales, special; if there are parts, the order, and then those of each part.
func (q quantized) stored(name string) ([]safetensors.Tensor, error) {
	if len(q.Shape) < 2 {
		return nil, badTensor(name, "a quantized tensor of shape %v", q.Shape)
	}
	n := uint64(1)
	for _, d := range q.Shape {
		// 2^40 a dimension keeps the product of two below 2^63 once checked.
		if d < 1 || uint64(d) > 1<<40 || n > 1<<40 {
			return nil, badTensor(name, "a quantized tensor of shape %v", q.Shape)
		}
		n *= uint64(d)
	}
	if n > math.MaxInt/4 {
		return nil, badTensor(name, "a quantized tensor of shape %v", q.Shape)
	}
	t := Tensor{Shape: q.Shape}
	if q.Parts == nil {
		return storedPart(name, name, q.types()[0], t.Cols())
	}
	if len(q.Parts) < 2 || len(q.Parts) > maxParts {
		return nil, badTensor(name, "%d parts, want 2 to %d", len(q.Parts), maxParts)
	}
	if q.Type != noType || q.GroupSize != 0 {
		return nil, badTensor(name, "it has parts, and a type or a group size of its own")
	}
	stored := []safetensors.Tensor{{Name: name + suffixOrder, DType: safetensors.U8, Shape: []int{t.Rows()}}}
	left := t.Rows()
	for i, p := range q.Parts {
		if p.Rows < 1 || p.Rows > left {
			return nil, badTensor(name, "part %d of %d has %d rows, but only %d of %d rows are left", i, len(q.Parts), p.Rows, left, t.Rows())
		}
		left -= p.Rows
		part, err := storedPart(name, partName(name, i), p, t.Cols())
		if err != nil {
			return nil, err
		}
		stored = append(stored, part...)
	}
	if left > 0 {
		return nil, badTensor(name, "%d of %d rows are in no part", left, t.Rows())
	}
	return stored, nil
}

// storedPart returns the tensors that hold rows of one type of the tensor called name,
// whose own names start with prefix.
func storedPart(name, prefix string, p Part, cols int) ([]safetensors.Tensor, error) {
	if !p.Type.Valid() {
		return nil, badTensor(name, "no type")
	}
	if p.GroupSize < 8 || p.GroupSize > math.MaxInt32 {
		return nil, badTensor(name, "groups of %d", p.GroupSize)
	}
	groups := (cols-1)/p.GroupSize + 1
	return []safetensors.Tensor{
		{Name: prefix + suffixCodes, DType: safetensors.U8, Shape: []int{p.Rows, pack.RowBytes(cols, p.Type.Bits())}},
		{Name: prefix + suffixScales, DType: safetensors.U8, Shape: []int{p.Rows, groups}},
		{Name: prefix + suffixRowScales, DType: safetensors.F32, Shape: []int{p.Rows}},
		{Name: prefix + suffixSpecial, DType: safetensors.U8, Shape: []int{p.Rows, (groups*p.Type.SelectorBits() + 7) / 8}},
	}, nil
}

// tensor returns the tensor called name that q describes.
func (q quantized) tensor(name string) (Tensor, error) {
	t := Tensor{
		Name: name, Shape: q.Shape, DType: q.Type.String(), Float: true,
		Quantized: true, Type: q.Type, GroupSize: q.GroupSize, Parts: q.Parts, Original: q.Original, Transposed: q.Transposed,
	}
	if q.Parts != nil {
		t.DType = mixedDType
	}
	stored, err := q.stored(name)
	for _, s := range stored {
		t.Bytes += s.Elements() * int64(s.DType.Bits()/8)
	}
	return t, err
}

// describe is the inverse of tensor.
func describe(t Tensor) quantized {
	return quantized{Type: t.Type, GroupSize: t.GroupSize, Parts: t.Parts, Shape: t.Shape, Original: t.Original, Transposed: t.Transposed}
}

// matrixTensor describes a matrix as the tensor called name.
func matrixTensor(name string, m *quant.Matrix, shape []int) (Tensor, error) {
	q := quantized{Type: m.Type(), GroupSize: m.GroupSize(), Shape: shape}
	if n := m.Parts(); n > 1 {
		q.Type, q.GroupSize = noType, 0
		for i := range n {
			p := m.Part(i)
			q.Parts = append(q.Parts, Part{p.Type(), p.GroupSize(), p.Rows()})
		}
	}
	return q.tensor(name)
}
