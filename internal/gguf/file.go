package gguf

import (
	"cmp"
	"io"
	"maps"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/shape"
)

// A Tensor describes one tensor of a file.
type Tensor struct {
	Name string
	Type Type
	// Shape has the dimensions, outermost first: GGUF's in reverse.
	Shape []int
	// Begin and End are the bytes of the file that hold the tensor.
	Begin, End int64
}

// Bytes returns the length of the tensor's data.
func (t Tensor) Bytes() int64 { return t.End - t.Begin }

// Elements returns the number of elements.
func (t Tensor) Elements() int64 { return shape.Elements(t.Shape) }

// A File is an open GGUF file. It is safe for concurrent use, until Close.
type File struct {
	*badfile.Source
	version  uint32
	tensors  []Tensor
	byName   map[string]int
	metadata map[string]any
	buffers  sync.Pool // of *buffer
}

// Open opens the file at path. See [New] for the errors.
func Open(path string) (*File, error) {
	src, err := badfile.Open("gguf", path)
	if err != nil {
		return nil, err
	}
	return From(src)
}

// From is [New] for a source, which it closes if there is an error.
func From(src *badfile.Source) (*File, error) {
	f, err := open(src)
	if err != nil {
		src.Close()
	}
	return f, err
}

// New returns the file that r holds in its first size bytes. It reads the
// header, validates it fully, and keeps it in memory. The error is a
// *[badfile.Error], which matches [quant.ErrFormat], or r's.
func New(r io.ReaderAt, size int64) (*File, error) { return open(badfile.Of(r, size)) }

func open(src *badfile.Source) (*File, error) {
	f := &File{Source: src, byName: make(map[string]int), metadata: make(map[string]any)}
	f.buffers.New = func() any { return new(buffer) }
	if err := f.readHeader(); err != nil {
		return nil, badfile.At("gguf", src.Path(), err)
	}
	return f, nil
}

func (f *File) readHeader() error {
	s := newScanner(f.Bytes(0, min(f.Size(), maxHeader)))
	var magic [4]byte
	if s.bytes(magic[:]); s.err == nil && string(magic[:]) != "GGUF" {
		return badfile.New("it starts with %q, not with \"GGUF\"", magic[:])
	}
	f.version = s.u32()
	switch {
	case s.err != nil:
		return s.err
	case f.version == 2<<24 || f.version == 3<<24:
		return badfile.New("a big-endian file, which is not supported")
	case f.version != 2 && f.version != 3:
		return badfile.New("version %d; versions 2 and 3 are supported", f.version)
	}
	tensors, pairs := s.u64(), s.u64()
	if !s.need("tensors", tensors, 8+4+4+8) || !s.need("pairs", pairs, 8+4+1) {
		return s.err
	}
	if err := f.readPairs(s, pairs); err != nil {
		return err
	}
	if err := f.readTensors(s, tensors); err != nil {
		return err
	}
	align, err := f.alignment()
	if err != nil {
		return err
	}
	return f.place(s.pos, align)
}

func (f *File) readPairs(s *scanner, n uint64) error {
	for range n {
		key := s.str()
		v := s.value(s.u32(), 0)
		if s.err != nil {
			return s.err
		}
		if _, ok := f.metadata[key]; ok {
			return badfile.New("the key %s occurs twice", badfile.Quote(key))
		}
		f.metadata[key] = v
	}
	return nil
}

func (f *File) alignment() (int64, error) {
	v, ok := f.metadata["general.alignment"]
	if !ok {
		return 32, nil
	}
	a, ok := v.(uint32)
	if !ok || a == 0 || a&(a-1) != 0 || a > 1<<24 {
		return 0, badfile.New("general.alignment is %v, not a power of two", v)
	}
	return int64(a), nil
}

func (f *File) readTensors(s *scanner, n uint64) error {
	for range n {
		t := Tensor{Name: s.str()}
		rank := s.u32()
		if s.err == nil && rank > 8 { // ggml has 4
			return badfile.Tensor(t.Name, "%d dimensions", rank)
		}
		dims := make([]uint64, min(rank, 8))
		for i := range dims {
			dims[i] = s.u64()
		}
		t.Type = Type(s.u32())
		offset := s.u64()
		if s.err != nil {
			return s.err
		}
		if _, ok := f.byName[t.Name]; ok {
			return badfile.Tensor(t.Name, "the name occurs twice")
		}
		f.byName[t.Name] = 0
		size, err := t.describe(dims)
		if err != nil {
			return err
		}
		if offset > uint64(f.Size()) || uint64(size) > uint64(f.Size())-offset {
			return badfile.Tensor(t.Name, "%d bytes at offset %d, but the file is truncated at %d", size, offset, f.Size())
		}
		t.Begin, t.End = int64(offset), int64(offset)+size
		f.tensors = append(f.tensors, t)
	}
	return nil
}

// describe sets the shape and returns the bytes it takes.
func (t *Tensor) describe(dims []uint64) (int64, error) {
	l, ok := t.Type.layout()
	if !ok {
		return 0, badfile.Tensor(t.Name, "unknown %v", t.Type)
	}
	t.Shape = make([]int, len(dims))
	for i, d := range dims {
		if d > math.MaxInt {
			return 0, badfile.Tensor(t.Name, "shape %d overflows", dims)
		}
		t.Shape[len(dims)-1-i] = int(d)
	}
	n, ok := shape.Checked(t.Shape)
	if !ok {
		return 0, badfile.Tensor(t.Name, "shape %d overflows", dims)
	}
	if l.block > 1 && (len(dims) == 0 || dims[0]%uint64(l.block) != 0) {
		return 0, badfile.Tensor(t.Name, "shape %d in %v, whose blocks have %d columns", t.Shape, t.Type, l.block)
	}
	hi, lo := bits.Mul64(uint64(n)/uint64(l.block), uint64(l.bytes))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, badfile.Tensor(t.Name, "shape %d overflows", t.Shape)
	}
	return int64(lo), nil
}

// place turns offsets into positions in the file and checks that the tensors
// lie one after the other with no more than padding between and after.
func (f *File) place(headerEnd, align int64) error {
	slices.SortStableFunc(f.tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End))
	})
	start := roundUp(headerEnd, align)
	var end int64
	for i := range f.tensors {
		t := &f.tensors[i]
		switch {
		case t.Begin%align != 0:
			return badfile.Tensor(t.Name, "offset %d is not a multiple of the alignment %d", t.Begin, align)
		case t.Begin < end:
			return badfile.Tensor(t.Name, "offset %d overlaps tensor %s, which ends at %d", t.Begin, badfile.Quote(f.tensors[i-1].Name), end)
		case t.Begin > roundUp(end, align):
			return badfile.Tensor(t.Name, "offset %d, after a hole that starts at %d", t.Begin, end)
		case t.End > f.Size()-start:
			return badfile.Tensor(t.Name, "data ends at %d, but the file is truncated at %d", start+t.End, f.Size())
		}
		end = t.End
		t.Begin += start
		t.End += start
		f.byName[t.Name] = i
	}
	if len(f.tensors) > 0 && f.Size() > start+roundUp(end, align) {
		return badfile.Tensor(f.tensors[len(f.tensors)-1].Name, "it is the last, and %d trailing bytes follow", f.Size()-start-end)
	}
	return nil
}

func roundUp(n, align int64) int64 { return (n + align - 1) / align * align }

// Version returns 2 or 3.
func (f *File) Version() int { return int(f.version) }

// Tensors returns a new slice of the tensors, in the order of their data. Their
// Shapes must not be changed.
func (f *File) Tensors() []Tensor { return slices.Clone(f.tensors) }

// Tensor returns the tensor called name, if there is one.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := f.byName[name]
	if !ok {
		return Tensor{}, false
	}
	return f.tensors[i], true
}

// Metadata returns a copy of the pairs. Values have the Go type of GGUF's name
// for theirs (uint32, float32, string …), arrays are slices of it, and arrays
// of arrays []any. The slices must not be changed.
func (f *File) Metadata() map[string]any { return maps.Clone(f.metadata) }

// Value returns the value of a key, as [File.Metadata] has it.
func (f *File) Value(key string) (any, bool) {
	v, ok := f.metadata[key]
	return v, ok
}

// Section returns a reader of the tensor's bytes as they are.
func (f *File) Section(t Tensor) *io.SectionReader {
	return f.Bytes(t.Begin, t.End)
}
