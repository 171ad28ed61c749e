package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/pack"
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
	keyWriter   = "bitmod.writer"   // quant.Version
)

const version = "1"

// Suffixes of the names of the four stored tensors.
const (
	suffixCodes     = ".codes"
	suffixScales    = ".scales"
	suffixRowScales = ".row_scales"
	suffixSpecial   = ".special"
)

// quantized describes a quantized tensor in the header.
type quantized struct {
	Type       datatype.Type `json:"type"`
	GroupSize  int           `json:"group_size"`
	Shape      []int         `json:"shape"`
	Original   string        `json:"original,omitempty"`
	Transposed bool          `json:"transposed,omitempty"`
}

// header is what this format adds to a safetensors header.
type header struct {
	tensors  map[string]quantized
	sha256   map[string]string
	settings string
	plan     string
	shard    string
}

// metadata encodes h, with zeros for the checksums of stored tensors that it has
// none of.
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
		keyWriter:  quant.Version,
	}
	if len(h.tensors) > 0 {
		m["format"] = QuantMethod // in place of pt, say, for which others would load it
	}
	for k, v := range map[string]string{keySettings: h.settings, keyPlan: h.plan, keyShard: h.shard} {
		if v != "" {
			m[k] = v
		}
	}
	return m
}

// jsonString encodes maps of this package, which have no errors.
func jsonString(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("checkpoint: %v", err))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// parseHeader returns the header of a file, the zero header if the file is not
// of this format.
func parseHeader(f *safetensors.File) (header, error) {
	m := f.Metadata()
	v, ok := m[keyVersion]
	if !ok {
		return header{}, nil
	}
	if v != version {
		return header{}, fmt.Errorf("checkpoint: %w: version %.20q of the quantized format; this program reads version %s", quant.ErrFormat, v, version)
	}
	h := header{settings: m[keySettings], plan: m[keyPlan], shard: m[keyShard]}
	for key, v := range map[string]any{keyTensors: &h.tensors, keySHA256: &h.sha256} {
		if err := json.Unmarshal([]byte(m[key]), v); err != nil {
			return header{}, fmt.Errorf("checkpoint: %w: the metadata %s: %v", quant.ErrFormat, key, err)
		}
	}
	return h, nil
}

// open checks the description of the tensor called name against its parts in f.
func (q quantized) open(name string, f *safetensors.File) (Tensor, *packed, error) {
	t, err := q.tensor(name)
	if err != nil {
		return t, nil, err
	}
	stored, _ := q.stored(name) // without error, as tensor has called it
	p := &packed{f: f, typ: q.Type, groupSize: q.GroupSize, rows: t.Rows(), cols: t.Cols()}
	for i, at := range []*safetensors.Tensor{&p.codes, &p.scales, &p.rowScales, &p.special} {
		want := stored[i]
		got, ok := f.Tensor(want.Name)
		switch {
		case !ok:
			return t, nil, badTensor(name, "the file has no %s", want.Name)
		case got.DType != want.DType || !slices.Equal(got.Shape, want.Shape):
			return t, nil, badTensor(name, "%s is %s %v, want %s %v for %v %v in groups of %d", got.Name, got.DType, got.Shape, want.DType, want.Shape, t.DType, q.Shape, q.GroupSize)
		}
		*at = got
	}
	return t, p, nil
}

// stored returns the four tensors that hold the tensor called name: codes,
// scales, row_scales, special.
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
	if q.GroupSize < 8 || q.GroupSize > math.MaxInt32 {
		return nil, badTensor(name, "groups of %d", q.GroupSize)
	}
	t := Tensor{Shape: q.Shape}
	rows, cols := t.Rows(), t.Cols()
	groups := (cols-1)/q.GroupSize + 1
	return []safetensors.Tensor{
		{Name: name + suffixCodes, DType: safetensors.U8, Shape: []int{rows, pack.RowBytes(cols, q.Type.Bits())}},
		{Name: name + suffixScales, DType: safetensors.U8, Shape: []int{rows, groups}},
		{Name: name + suffixRowScales, DType: safetensors.F32, Shape: []int{rows}},
		{Name: name + suffixSpecial, DType: safetensors.U8, Shape: []int{rows, (groups*q.Type.SelectorBits() + 7) / 8}},
	}, nil
}

// tensor returns the tensor called name that q describes.
func (q quantized) tensor(name string) (Tensor, error) {
	t := Tensor{
		Name: name, Shape: q.Shape, DType: q.Type.String(), Float: true,
		Quantized: true, Type: q.Type, GroupSize: q.GroupSize, Original: q.Original, Transposed: q.Transposed,
	}
	stored, err := q.stored(name)
	for _, s := range stored {
		t.Bytes += s.Elements() * int64(s.DType.Bits()/8)
	}
	return t, err
}

// describe is the inverse of tensor.
func describe(t Tensor) quantized {
	return quantized{Type: t.Type, GroupSize: t.GroupSize, Shape: t.Shape, Original: t.Original, Transposed: t.Transposed}
}
