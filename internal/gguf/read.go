package gguf

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/rawfloat"
)

// A buffer is what Read decodes from.
type buffer struct {
	raw [136 << 10]byte
	// floats hold blocks that are wanted in part or as float64.
	floats [1024]float32
}

// Read reads len(dst) elements of a tensor of this file, from element first on, row by
// row. Floats convert to float32 exactly, except for F64; elements of quantized types
// are those of ggml, bit for bit. It takes one buffer of 140 KiB from a pool. The error
// is for a type that is not [Type.IsFloat], a range that does not fit, or the file's.
func (f *File) Read(dst []float32, t Tensor, first int64) error { return read(f, dst, t, first) }

// Read64 is [File.Read] to float64, always exact.
func (f *File) Read64(dst []float64, t Tensor, first int64) error { return read(f, dst, t, first) }

// ReadBytes fills dst with the bytes of elements from element first on. The type must
// have no blocks.
func (f *File) ReadBytes(dst []byte, t Tensor, first int64) error {
	l, ok := t.Type.layout()
	if !ok || l.block != 1 {
		return f.errorf(t, "%v has no separate elements", t.Type)
	}
	if err := f.ReadElements(dst, t.Begin, int64(l.bytes), t.Elements(), first); err != nil {
		return f.errorf(t, "%w", err)
	}
	return nil
}

func read[T float32 | float64](f *File, dst []T, t Tensor, first int64) error {
	if !t.Type.IsFloat() {
		return f.errorf(t, "%v can't be read as floats", t.Type)
	}
	if n := t.Elements(); first < 0 || first > n || int64(len(dst)) > n-first {
		return f.errorf(t, "%d elements from %d of %d", len(dst), first, n)
	}
	buf := f.buffers.Get().(*buffer)
	defer f.buffers.Put(buf)
	l, _ := t.Type.layout()
	for len(dst) > 0 {
		block, skip := first/int64(l.block), int(first%int64(l.block))
		n := min(len(dst), len(buf.raw)/l.bytes*l.block-skip)
		b := buf.raw[:(skip+n+l.block-1)/l.block*l.bytes]
		off := t.Begin + block*int64(l.bytes)
		if err := f.ReadFull(b, off); err != nil {
			return f.errorf(t, "reading %d bytes at %d: %w", len(b), off, err)
		}
		switch t.Type {
		case F32:
			rawfloat.Decode(dst[:n], b, rawfloat.F32)
		case F64:
			rawfloat.Decode(dst[:n], b, rawfloat.F64)
		case F16:
			rawfloat.Decode(dst[:n], b, rawfloat.F16)
		case BF16:
			rawfloat.Decode(dst[:n], b, rawfloat.BF16)
		default:
			decodeBlocks(dst[:n], b, &l, skip, buf.floats[:])
		}
		dst = dst[n:]
		first += int64(n)
	}
	return nil
}

// decodeBlocks decodes the blocks of src, from element skip of the first on.
// Whole blocks go straight to dst if it has float32, others through floats.
func decodeBlocks[T float32 | float64](dst []T, src []byte, l *layout, skip int, floats []float32) {
	for len(dst) > 0 {
		if d, ok := any(dst).([]float32); ok && skip == 0 && len(d) >= l.block {
			blocks := len(d) / l.block
			l.decode(d[:blocks*l.block], src)
			dst, src = dst[blocks*l.block:], src[blocks*l.bytes:]
			continue
		}
		blocks := min((skip+len(dst)+l.block-1)/l.block, len(floats)/l.block)
		part := floats[:blocks*l.block]
		l.decode(part, src)
		n := min(len(dst), len(part)-skip)
		for i, x := range part[skip : skip+n] {
			dst[i] = T(x)
		}
		dst, src, skip = dst[n:], src[blocks*l.bytes:], 0
	}
}

func (f *File) errorf(t Tensor, format string, args ...any) error {
	return badfile.Read("gguf", f.Path(), t.Name, fmt.Errorf(format, args...))
}
