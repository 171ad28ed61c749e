package checkpoint

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/internal/shape"
	"github.com/bitmod-go/bitmod/quant"
)

// An Entry is a tensor to [Save]. Exactly one of Matrix, Floats, Read, Data and From
// must be set.
type Entry struct {
	Name string

	// Matrix is stored packed, also if it has rows of several types. Its shape in the
	// file is Shape, or [rows, cols] if Shape is nil. The last dimension of Shape must be
	// cols, and the product of the others rows.
	Matrix *quant.Matrix
	// Floats are stored as DType: F32, F16, BF16 or F64, rounded to nearest, ties to
	// even. "" stands for F32. A float that is too large for the type is an error.
	Floats []float32
	// Read takes the place of Floats where these should not be in memory all at once. It
	// sets dst to the elements of Shape from first on, row by row. Save calls it with
	// every element once, in their order.
	Read func(dst []float32, first int64) error
	// Data is stored as it is: little-endian, row-major, with DType and Shape. DType may
	// be any type of safetensors, such as I64, BOOL or F8_E4M3.
	Data []byte
	// From is a checkpoint with a tensor called Source, or Name if Source is "", which is
	// copied: a quantized tensor with its codes and scales, any other with its bytes.
	// GGUF's own types become F32, exactly. If DType is not "", it must be one of the
	// types for Floats. Elements are then converted to it, and quantized tensors are
	// dequantized.
	From   *Checkpoint
	Source string

	DType string
	Shape []int // of Floats, Read and Data; none for a scalar
}

// SaveOptions say how tensors are saved. The zero value is ready to use.
type SaveOptions struct {
	// Metadata goes to the header of each file. Keys of the format, which start with
	// "bitmod.", are left out, as new ones are written. Keys of GGUF go to the first
	// file only.
	Metadata map[string]string
	// ShardSize is the largest number of bytes of tensors in one file of a directory, 0
	// for 2 GiB. A single tensor may have more.
	ShardSize int64
	// Progress, if not nil, is called now and then, by one goroutine at a time.
	Progress func(Progress)

	create atomicfile.Creator // nil: atomicfile.Create
	remove func(path string) error
}

// Save writes tensors that are in memory or in other checkpoints. It is for quantizing
// by other means than a [Plan], and for changing, cutting or converting a model. The
// result is a file if the name of dst ends in ".safetensors". Otherwise it is a
// directory, which is made if needed, of one file, or of several and their index. Save
// replaces weights there under the names model.safetensors and
// model-NNNNN-of-NNNNN.safetensors, and leaves other files alone.
//
// Everything is written to temporary files first, so dst may be a source. Whenever Save
// is interrupted, dst is as it was, or the result, or is refused when it is opened.
// Memory is some MB, whatever the size. A result without quantized tensors is an
// ordinary safetensors file, without this format's metadata.
//
// If the entries are invalid, nothing is written. The error matches [quant.ErrShape]
// for an entry with none or several of the five, or with another number of elements
// than its shape; [quant.ErrFormat] for names that occur twice, also among the parts of
// quantized tensors; [ErrNoTensor]; [ErrUnsupported] for a type that can't be stored or
// converted; [ErrExists] for a directory with an index of another name. A float that is
// too large for its type matches [quant.ErrNotFinite]. All name the tensor. Once ctx is
// done, the error is its cause.
func Save(ctx context.Context, dst string, entries []Entry, o SaveOptions) error {
	if ctx == nil {
		return errNilContext
	}
	if o.ShardSize < 0 {
		return fmt.Errorf("checkpoint: %w: ShardSize below 0", quant.ErrShape)
	}
	o.ShardSize = cmp.Or(o.ShardSize, 2<<30)
	if o.create == nil {
		o.create, o.remove = atomicfile.Create, os.Remove
	}
	var items []saving
	var tensors []Tensor
	for _, e := range entries {
		it, err := e.resolve()
		if err != nil {
			return tensorError(e.Name, err)
		}
		items = append(items, it)
		tensors = append(tensors, it.to)
	}
	if err := checkNames(tensors); err != nil {
		return err
	}
	dir := dst
	if isFile(dst) {
		dir = filepath.Dir(dst)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if isFile(dst) {
		return saveFiles(ctx, []string{dst}, [][]saving{items}, o, commitAll)
	}
	if n, err := foreignIndex(dir); err != nil || n != "" {
		return cmp.Or(err, fmt.Errorf("checkpoint: %s: %w: %s would be opened instead", dir, ErrExists, n))
	}
	parts := divideSaving(items, o.ShardSize)
	if len(parts) == 1 {
		return saveFiles(ctx, []string{filepath.Join(dir, "model.safetensors")}, parts, o, func(shards []*shard) error {
			return replace(o, dir, shards, nil)
		})
	}
	var paths []string
	for i := range parts {
		paths = append(paths, filepath.Join(dir, shardFile(i, len(parts))))
	}
	return saveFiles(ctx, paths, parts, o, func(shards []*shard) error {
		index, err := indexOf(shards, shards[0].h.plain)
		if err != nil {
			abortAll(shards)
			return err
		}
		return replace(o, dir, shards, index)
	})
}

// saveFiles writes parts to temporary files and then calls appear.
func saveFiles(ctx context.Context, paths []string, parts [][]saving, o SaveOptions, appear func([]*shard) error) error {
	m := &meter{report: o.Progress}
	plain := true
	for _, p := range parts {
		for _, it := range p {
			m.total += it.work()
			plain = plain && !it.to.Quantized
		}
	}
	var shards []*shard
	for i, p := range parts {
		var tensors []Tensor
		for _, it := range p {
			tensors = append(tensors, it.to)
		}
		s, err := createShard(o.create, paths[i], tensors, header{plain: plain, settings: o.Metadata[keySettings]}, carried(o.Metadata, i))
		if err != nil {
			abortAll(shards)
			return err
		}
		shards = append(shards, s)
		for _, it := range p {
			if err := it.write(ctx, s, m); err != nil {
				abortAll(shards)
				return err
			}
		}
		if err := s.finish(); err != nil {
			abortAll(shards[:i])
			return err
		}
		if err := s.out.Finish(); err != nil {
			abortAll(shards)
			return fmt.Errorf("checkpoint: %s is not written: %w", s.path, err)
		}
	}
	if ctx.Err() != nil {
		abortAll(shards)
		return context.Cause(ctx)
	}
	return appear(shards)
}

// commitAll makes finished shards appear, until the first error.
func commitAll(shards []*shard) error {
	for i, s := range shards {
		if err := s.out.Commit(); err != nil {
			abortAll(shards[i+1:])
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	return nil
}

// carried returns the metadata that goes to a file.
func carried(metadata map[string]string, shard int) map[string]string {
	m := maps.Clone(metadata)
	maps.DeleteFunc(m, func(k, _ string) bool {
		return strings.HasPrefix(k, keyPrefix) || shard > 0 && strings.HasPrefix(k, "gguf.")
	})
	if m["format"] == quantMethod { // a file with quantized tensors gets it anew
		m["format"] = "pt"
	}
	return m
}

func abortAll(shards []*shard) {
	for _, s := range shards {
		s.abort()
	}
}

// A saving is an Entry that has been checked.
type saving struct {
	to     Tensor
	matrix *quant.Matrix
	from   Tensor // if there is no matrix
	data   data
}

func (e Entry) resolve() (saving, error) {
	var what []string
	for _, w := range []struct {
		name string
		is   bool
	}{{"Matrix", e.Matrix != nil}, {"Floats", e.Floats != nil}, {"Read", e.Read != nil}, {"Data", e.Data != nil}, {"From", e.From != nil}} {
		if w.is {
			what = append(what, w.name)
		}
	}
	switch {
	case !utf8.ValidString(e.Name):
		return saving{}, fmt.Errorf("%w: the name is not UTF-8", quant.ErrFormat)
	case len(what) == 0:
		return saving{}, fmt.Errorf("%w: Matrix, Floats, Read, Data and From are all nil, want one", quant.ErrShape)
	case len(what) > 1:
		return saving{}, fmt.Errorf("%w: %s are set, want one of them", quant.ErrShape, strings.Join(what, " and "))
	case e.From == nil && e.Source != "":
		return saving{}, fmt.Errorf("%w: a Source without From", quant.ErrShape)
	}
	for _, d := range e.Shape {
		if d < 0 {
			return saving{}, fmt.Errorf("%w: shape %v", quant.ErrShape, e.Shape)
		}
	}
	n, ok := shape.Checked(e.Shape)
	if !ok {
		return saving{}, fmt.Errorf("%w: shape %v overflows", quant.ErrShape, e.Shape)
	}
	switch {
	case e.Matrix != nil:
		return e.ofMatrix()
	case e.From != nil:
		return e.copied()
	case e.Floats != nil || e.Read != nil:
		var d data = floatsFunc(e.Read)
		if e.Floats != nil {
			d = inMemory(e.Floats)
			if int64(len(e.Floats)) != n {
				return saving{}, fmt.Errorf("%w: %d floats of shape %v", quant.ErrShape, len(e.Floats), e.Shape)
			}
		}
		if n > 1<<60 {
			return saving{}, fmt.Errorf("%w: shape %v is too large", quant.ErrShape, e.Shape)
		}
		from := Tensor{Name: e.Name, Shape: e.Shape, DType: "F32", Float: true, Bytes: 4 * n}
		return converted(from, e.Name, cmp.Or(e.DType, "F32"), d)
	}
	bits := safetensors.DType(e.DType).Bits()
	if bits == 0 {
		return saving{}, fmt.Errorf("a type %q: %w", e.DType, ErrUnsupported)
	}
	t := Tensor{Name: e.Name, Shape: e.Shape, DType: e.DType, Bytes: int64(len(e.Data))}
	if n > 1<<60 || n*int64(bits) != 8*t.Bytes {
		return saving{}, fmt.Errorf("%w: %d bytes, want %v of %s", quant.ErrShape, t.Bytes, e.Shape, e.DType)
	}
	return saving{to: t, from: t, data: bytesInMemory(e.Data)}, nil
}

func (e Entry) ofMatrix() (saving, error) {
	m := e.Matrix
	shape := e.Shape
	if shape == nil {
		shape = []int{m.Rows(), m.Cols()}
	}
	as := Tensor{Shape: shape}
	switch {
	case m.Rows() == 0 || len(shape) < 2 || as.Rows() != m.Rows() || as.Cols() != m.Cols():
		return saving{}, fmt.Errorf("%w: a matrix of %d × %d as %v", quant.ErrShape, m.Rows(), m.Cols(), shape)
	case e.DType != "":
		return saving{}, fmt.Errorf("%w: a DType for a Matrix, which has its own", quant.ErrShape)
	}
	t, err := matrixTensor(e.Name, m, shape)
	return saving{to: t, matrix: m}, err
}

func (e Entry) copied() (saving, error) {
	name := cmp.Or(e.Source, e.Name)
	from, ok := e.From.Tensor(name)
	if !ok {
		return saving{}, &TensorError{name, ErrNoTensor}
	}
	if e.Shape != nil {
		return saving{}, fmt.Errorf("%w: a Shape for a copy, which has %v", quant.ErrShape, from.Shape)
	}
	d := e.From.dataOf(from)
	if from.Quantized && e.DType == "" {
		to := from
		to.Name = e.Name
		return saving{to: to, from: from, data: d}, nil
	}
	dtype := e.DType
	if dtype == "" {
		stored, err := copyDType(from, d)
		if err != nil {
			return saving{}, fmt.Errorf("%s: %w", from.DType, ErrUnsupported)
		}
		dtype = string(stored)
	}
	return converted(from, e.Name, dtype, d)
}

// converted returns the saving of a tensor that is stored as dtype.
func converted(from Tensor, name, dtype string, d data) (saving, error) {
	bits := safetensors.DType(dtype).Bits()
	_, isFloat := floatFormat(dtype)
	if bits == 0 || dtype != from.DType && !(isFloat && from.Float) {
		return saving{}, fmt.Errorf("%s to %q: %w", from.DType, dtype, ErrUnsupported)
	}
	to := Tensor{Name: name, Shape: from.Shape, DType: dtype, Bytes: from.Elements() * int64(bits) / 8}
	return saving{to: to, from: from, data: d}, nil
}

// work returns the bytes that the meter counts for a tensor.
func (it *saving) work() int64 {
	if it.matrix != nil {
		return it.to.Bytes
	}
	return it.from.Bytes
}

func (it *saving) write(ctx context.Context, s *shard, m *meter) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case it.matrix != nil:
		if err := s.writeBlock(it.to.Name, it.matrix, 0); err != nil {
			return err
		}
		m.add(it.to.Name, it.work())
		return nil
	case !it.to.Quantized:
		return s.copyTensor(ctx, it.to, it.from, it.data, m)
	}
	stored, err := describe(it.to).stored(it.to.Name)
	if err != nil {
		return err
	}
	p := it.data.(*packed)
	for i, part := range p.parts() {
		if err := s.copyBytes(ctx, stored[i].Name, it.from.Name, p.f.Section(part), m); err != nil {
			return err
		}
	}
	return nil
}

// divideSaving cuts items, in their order, into one or more files.
func divideSaving(items []saving, most int64) [][]saving {
	var parts [][]saving
	var size int64
	first := 0
	for i, it := range items {
		if i > first && size+it.to.Bytes > most {
			parts = append(parts, items[first:i])
			first, size = i, 0
		}
		size += it.to.Bytes
	}
	return append(parts, slices.Clip(items[first:]))
}

// inMemory is data in a slice.
type inMemory []float32

func (m inMemory) Read(dst []float32, first int64) error {
	if copy(dst, m[first:]) < len(dst) {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (m inMemory) Read64(dst []float64, first int64) error {
	for i := range dst {
		dst[i] = float64(m[int(first)+i])
	}
	return nil
}

// floatsFunc is data that a function gives.
type floatsFunc func(dst []float32, first int64) error

func (f floatsFunc) Read(dst []float32, first int64) error { return f(dst, first) }
func (f floatsFunc) Read64([]float64, int64) error         { return errOnlyFloat32 }

var errOnlyFloat32 = errors.New("these can be read only as float32")

// bytesInMemory is data of any type, which is only copied.
type bytesInMemory []byte

func (b bytesInMemory) Bytes() *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

var errOnlyBytes = errors.New("these are bytes, not floats")

func (b bytesInMemory) Read([]float32, int64) error   { return errOnlyBytes }
func (b bytesInMemory) Read64([]float64, int64) error { return errOnlyBytes }
