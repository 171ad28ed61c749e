package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"runtime"
	"time"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/internal/rawfloat"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// copyDType returns the stored dtype of a tensor that is not quantized.
func copyDType(t Tensor, d data) (safetensors.DType, error) {
	switch d := d.(type) {
	case plain:
		return d.t.DType, nil
	case ggml, movedRows:
		switch t.DType {
		case "F64", "F32", "F16", "BF16", "I8", "I16", "I32", "I64":
			return safetensors.DType(t.DType), nil
		}
	case *packed:
		return "", typeError{dtype: t.DType, problem: "is quantized already"}
	case inMemory:
		return safetensors.F32, nil
	case *mxfp4, swapped:
		return safetensors.BF16, nil // BF16 has every value
	}
	if t.Float { // such as blocks of GGUF, exact in F32
		return safetensors.F32, nil
	}
	return "", typeError{dtype: t.DType, problem: "can't be read"}
}

// A shard is a file of the result being written.
type shard struct {
	path    string
	out     atomicfile.File
	w       *safetensors.Writer
	h       header
	meta    map[string]string // of the source
	stored  []safetensors.Tensor
	hashes  map[string]hash.Hash
	written map[string]int64
	buf     []byte
	times   *stopwatch // nil for none
}

// createShard starts a file for tensors. The DType of tensors that are not quantized is
// the stored one.
func createShard(create atomicfile.Creator, path string, tensors []Tensor, h header, meta map[string]string) (*shard, error) {
	s := &shard{path: path, h: h, meta: meta, hashes: make(map[string]hash.Hash), written: make(map[string]int64)}
	s.h.tensors = make(map[string]quantized)
	s.h.sha256 = make(map[string]string)
	for _, t := range tensors {
		if !t.Quantized {
			s.stored = append(s.stored, safetensors.Tensor{Name: t.Name, DType: safetensors.DType(t.DType), Shape: t.Shape})
			continue
		}
		q := describe(t)
		parts, err := q.stored(t.Name)
		if err != nil {
			return nil, err
		}
		s.h.tensors[t.Name] = q
		s.stored = append(s.stored, parts...)
	}
	for _, t := range s.stored {
		if !h.plain {
			s.hashes[t.Name] = sha256.New()
		}
	}
	var err error
	if s.out, err = create(path); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if s.w, err = safetensors.NewWriter(s.out, s.stored, s.metadata()); err != nil {
		s.out.Abort()
		return nil, fmt.Errorf("checkpoint: %s: %w", path, err)
	}
	return s, nil
}

func (s *shard) metadata() map[string]string {
	m := maps.Clone(s.meta)
	if m == nil {
		m = make(map[string]string)
	}
	if !s.h.plain {
		maps.Copy(m, s.h.metadata(s.stored))
	}
	return m
}

// write appends to a stored tensor.
func (s *shard) write(name string, b []byte) error {
	start := time.Now()
	if err := s.w.WriteAt(name, b, s.written[name]); err != nil {
		return fmt.Errorf("checkpoint: %s is not written: %w", s.path, err)
	}
	start = s.times.lap(writing, start)
	if h := s.hashes[name]; h != nil {
		h.Write(b)
		s.times.lap(hashing, start)
	}
	s.written[name] += int64(len(b))
	return nil
}

// writeBlock appends the rows of m from first on to a quantized tensor. A matrix with
// rows of several types must be the whole tensor.
func (s *shard) writeBlock(name string, m *quant.Matrix, first int) error {
	if m.Parts() > 1 {
		if err := s.write(name+suffixOrder, m.Order()); err != nil {
			return err
		}
		for i := range m.Parts() {
			if err := s.writeBlock(partName(name, i), m.Part(i), 0); err != nil {
				return err
			}
		}
		return nil
	}
	st := m.Storage()
	for _, part := range []struct {
		suffix string
		b      []byte
	}{
		{suffixCodes, st.Codes}, {suffixScales, st.Scales}, {suffixSpecial, st.Selectors},
		{suffixRowScales, leBytes(unfoldRowScales(m))},
	} {
		b := part.b[first*len(part.b)/m.Rows():]
		if err := s.write(name+part.suffix, b); err != nil {
			return err
		}
	}
	runtime.KeepAlive(m)
	return nil
}

// copyTensor writes a whole tensor that is not quantized as stored, one of the tensors
// of [createShard]. It copies the bytes if the type is the same, and otherwise rounds
// the elements.
func (s *shard) copyTensor(ctx context.Context, stored, from Tensor, d data, m *meter) error {
	if r, ok := d.(raw); ok && stored.DType == from.DType {
		return s.copyBytes(ctx, stored.Name, from.Name, r.Bytes(), m)
	}
	format, ok := floatFormat(stored.DType)
	if !ok || !from.Float {
		return tensorError(from.Name, fmt.Errorf("%s to %s: %w", from.DType, stored.DType, ErrUnsupported))
	}
	if from.DType == "F64" {
		return copyFloats[float64](ctx, s, stored.Name, from, d, format, m)
	}
	return copyFloats[float32](ctx, s, stored.Name, from, d, format, m)
}

// copyBytes writes all of a stored tensor.
func (s *shard) copyBytes(ctx context.Context, name, from string, section *io.SectionReader, m *meter) error {
	if cap(s.buf) < 1<<20 {
		s.buf = make([]byte, 1<<20)
	}
	buf := s.buf[:cap(s.buf)]
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		start := time.Now()
		n, err := section.Read(buf)
		s.times.lap(reading, start)
		if n > 0 {
			if err := s.write(name, buf[:n]); err != nil {
				return err
			}
			m.add(from, int64(n))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return tensorError(from, fmt.Errorf("reading: %w", err))
		}
	}
	if got := s.written[name]; got != section.Size() {
		return tensorError(from, fmt.Errorf("reading: %w", io.ErrUnexpectedEOF))
	}
	return nil
}

// copyFloats writes all of a tensor in a format of its own.
func copyFloats[T float32 | float64](ctx context.Context, s *shard, name string, from Tensor, d data, f rawfloat.Format, m *meter) error {
	floats := make([]T, min(blockWeights/4, from.Elements()))
	for first := int64(0); first < from.Elements(); {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		part := floats[:min(int64(len(floats)), from.Elements()-first)]
		start := time.Now()
		if err := read(d, part, first); err != nil {
			return tensorError(from.Name, err)
		}
		s.times.lap(reading, start)
		b, bad := rawfloat.Append(s.buf[:0], part, f)
		if bad >= 0 {
			at, cols := first+int64(bad), int64(from.Cols())
			return tensorError(from.Name, fmt.Errorf("%w: row %d, column %d is %g, too large for the type", quant.ErrNotFinite, at/cols, at%cols, part[bad]))
		}
		s.buf = b
		if err := s.write(name, s.buf); err != nil {
			return err
		}
		first += int64(len(part))
		m.add(from.Name, share(from.Bytes, from.Elements(), first-int64(len(part)), first))
	}
	return nil
}

// commit writes the header and makes the file appear. After an error the file does not
// exist.
func (s *shard) commit() error {
	start := time.Now()
	defer func() { s.times.lap(syncing, start) }()
	if err := s.finish(); err != nil {
		return err
	}
	if err := s.out.Commit(); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// finish is commit without making the file appear. Use s.out for that.
func (s *shard) finish() error {
	for name, h := range s.hashes {
		s.h.sha256[name] = hex.EncodeToString(h.Sum(nil))
	}
	if err := s.w.Finish(s.metadata()); err != nil {
		s.out.Abort()
		return fmt.Errorf("checkpoint: %s is not written: %w", s.path, err)
	}
	return nil
}

func (s *shard) abort() { s.out.Abort() }
