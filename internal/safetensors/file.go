package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/rawfloat"
)

// A File is an open safetensors file. It is safe for concurrent use, until
// Close.
type File struct {
	*badfile.Source
	tensors  []Tensor
	byName   map[string]int
	metadata map[string]string
	buffers  sync.Pool // of *[bufferSize]byte
}

const bufferSize = 128 << 10 // what ReadRows decodes at a time

// Open opens the file at path. See [New] for the errors.
func Open(path string) (*File, error) {
	src, err := badfile.Open("safetensors", path)
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
// header and validates it fully; the memory it takes is a small multiple of the
// header's length. The error is a *[badfile.Error], which matches [quant.ErrFormat], or
// r's.
func New(r io.ReaderAt, size int64) (*File, error) { return open(badfile.Of(r, size)) }

func open(src *badfile.Source) (*File, error) {
	f := &File{Source: src, byName: make(map[string]int)}
	f.buffers.New = func() any { return new([bufferSize]byte) }
	if err := f.readHeader(); err != nil {
		return nil, badfile.At("safetensors", src.Path(), err)
	}
	return f, nil
}

func (f *File) readHeader() error {
	var length [8]byte
	if f.Size() < int64(len(length)) {
		return badfile.New("%d bytes are too few for a header", f.Size())
	}
	if err := f.ReadFull(length[:], 0); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint64(length[:])
	switch {
	case n > maxHeader:
		return badfile.New("a header of %d bytes is above the limit of %d", n, maxHeader)
	case int64(n) > f.Size()-8:
		return badfile.New("the header ends at %d, but the file is truncated at %d", n+8, f.Size())
	}
	header := make([]byte, n)
	if err := f.ReadFull(header, 8); err != nil {
		return err
	}
	start := int64(8 + n)
	var err error
	if f.tensors, f.metadata, err = parseHeader(header, f.Size()-start); err != nil {
		return err
	}
	for i := range f.tensors {
		f.tensors[i].Begin += start
		f.tensors[i].End += start
		f.byName[f.tensors[i].Name] = i
	}
	return nil
}

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

// Metadata returns a copy of the header's __metadata__, nil if it has none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Section returns a reader of the tensor's bytes as they are.
func (f *File) Section(t Tensor) *io.SectionReader {
	return f.Bytes(t.Begin, t.End)
}

// ReadRows reads rows lo to hi−1 of a tensor of this file into dst, which must
// have (hi − lo)·Cols elements, converting them to float32: exactly, but for
// F64, which is rounded to nearest even, and to infinity beyond float32. It
// takes one buffer of 128 KiB from a pool.
//
// It returns an error for a dtype that is not a float, and for a range or a dst that
// does not fit, and errors of the file.
func (f *File) ReadRows(dst []float32, t Tensor, lo, hi int) error {
	if lo < 0 || hi < lo || hi > t.Rows() {
		return f.errorf(t, "rows %d to %d of %d", lo, hi, t.Rows())
	}
	cols := t.Cols()
	if len(dst) != (hi-lo)*cols {
		return f.errorf(t, "len(dst) is %d, want %d (%d rows of %d)", len(dst), (hi-lo)*cols, hi-lo, cols)
	}
	return read(f, dst, t, int64(lo)*int64(cols))
}

// Read is [File.ReadRows] for len(dst) elements from element first on, row by
// row.
func (f *File) Read(dst []float32, t Tensor, first int64) error { return read(f, dst, t, first) }

// Read64 is [File.Read] to float64, always exact.
func (f *File) Read64(dst []float64, t Tensor, first int64) error { return read(f, dst, t, first) }

// ReadBytes fills dst with the bytes of elements from element first on. dst must hold
// whole elements.
func (f *File) ReadBytes(dst []byte, t Tensor, first int64) error {
	format, ok := t.DType.format()
	if !ok {
		return f.errorf(t, "%s is no type of floats that can be read", t.DType)
	}
	if err := f.ReadElements(dst, t.Begin, int64(format.Size()), t.Elements(), first); err != nil {
		return f.errorf(t, "%w", err)
	}
	return nil
}

func read[T float32 | float64](f *File, dst []T, t Tensor, first int64) error {
	format, ok := t.DType.format()
	if !ok {
		return f.errorf(t, "%s is no type of floats that can be read", t.DType)
	}
	if n := t.Elements(); first < 0 || first > n || int64(len(dst)) > n-first {
		return f.errorf(t, "%d elements from %d of %d", len(dst), first, n)
	}
	buf := f.buffers.Get().(*[bufferSize]byte)
	defer f.buffers.Put(buf)
	size := format.Size()
	off := t.Begin + first*int64(size)
	for len(dst) > 0 {
		n := min(len(dst), bufferSize/size)
		b := buf[:n*size]
		if err := f.ReadFull(b, off); err != nil {
			return f.errorf(t, "reading %d bytes at %d: %w", len(b), off, err)
		}
		rawfloat.Decode(dst[:n], b, format)
		dst = dst[n:]
		off += int64(len(b))
	}
	return nil
}

func (f *File) errorf(t Tensor, format string, args ...any) error {
	return badfile.Read("safetensors", f.Path(), t.Name, fmt.Errorf(format, args...))
}
