package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/internal/rawfloat"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// copyDType returns the dtype as which a tensor that is not quantized is stored.
func copyDType(t Tensor, d data) (safetensors.DType, error) {
	switch d := d.(type) {
	case plain:
		return d.t.DType, nil
	case ggml, movedRows:
		switch t.DType {
		case "F64", "F32", "F16", "BF16", "I8", "I16", "I32", "I64":
			return safetensors.DType(t.DType), nil
		}
		if t.Float { // quantized by blocks, of which F32 has every value
			return safetensors.F32, nil
		}
		return "", typeError{dtype: t.DType, problem: "can't be read"}
	case *packed:
		return "", typeError{dtype: t.DType, problem: "is quantized already"}
	}
	return safetensors.F32, nil // in memory
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
}

// createShard starts a file for tensors, in which those that are not quantized
// have the DType that they will be stored as.
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
		s.hashes[t.Name] = sha256.New()
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
	maps.Copy(m, s.h.metadata(s.stored))
	return m
}

// write appends to a stored tensor.
func (s *shard) write(name string, b []byte) error {
	if err := s.w.WriteAt(name, b, s.written[name]); err != nil {
		return fmt.Errorf("checkpoint: %s is not written: %w", s.path, err)
	}
	s.hashes[name].Write(b)
	s.written[name] += int64(len(b))
	return nil
}

// writeBlock appends rows of a quantized tensor, those of m from first on. A matrix
// with rows of several types is the whole tensor.
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
	return nil
}

// copyTensor writes all of a tensor that is not quantized.
func (s *shard) copyTensor(ctx context.Context, t Tensor, d data, m *meter) error {
	if s.buf == nil {
		s.buf = make([]byte, 1<<20)
	}
	stored, err := copyDType(t, d)
	if err != nil {
		return tensorError(t.Name, err)
	}
	if r, ok := d.(raw); ok && string(stored) == t.DType {
		section := r.Bytes()
		buf := s.buf[:cap(s.buf)]
		for {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			n, err := section.Read(buf)
			if n > 0 {
				if err := s.write(t.Name, buf[:n]); err != nil {
					return err
				}
				m.add(t.Name, int64(n))
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return tensorError(t.Name, fmt.Errorf("reading: %w", err))
			}
		}
		if got := s.written[t.Name]; got != section.Size() {
			return tensorError(t.Name, fmt.Errorf("reading: %w", io.ErrUnexpectedEOF))
		}
		return nil
	}
	floats := make([]float32, blockWeights/4)
	for first := int64(0); first < t.Elements(); {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		part := floats[:min(int64(len(floats)), t.Elements()-first)]
		if err := d.Read(part, first); err != nil {
			return tensorError(t.Name, err)
		}
		s.buf = rawfloat.AppendF32(s.buf[:0], part)
		if err := s.write(t.Name, s.buf); err != nil {
			return err
		}
		first += int64(len(part))
		m.add(t.Name, share(t.Bytes, t.Elements(), first-int64(len(part)), first))
	}
	return nil
}

// commit writes the header and makes the file appear. After an error there is no
// file.
func (s *shard) commit() error {
	for name, h := range s.hashes {
		s.h.sha256[name] = hex.EncodeToString(h.Sum(nil))
	}
	if err := s.w.Finish(s.metadata()); err != nil {
		s.out.Abort()
		return fmt.Errorf("checkpoint: %s is not written: %w", s.path, err)
	}
	if err := s.out.Commit(); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

func (s *shard) abort() { s.out.Abort() }
