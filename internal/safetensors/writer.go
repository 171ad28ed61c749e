package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/bitmod-go/bitmod/internal/shape"
)

// A Writer writes a file tensor by tensor, in any order and in parts. It is not
// safe for concurrent use.
type Writer struct {
	w         io.WriterAt
	tensors   []Tensor // in the order of their data
	byName    map[string]int
	written   []int64 // bytes of each
	headerLen int
}

// NewWriter lays out tensors and writes nothing yet. It ignores Begin and End. Data
// will be in the given order, except that wider types come first, so that every tensor
// is aligned to its element. [Writer.Finish] takes the final metadata, with the same
// keys and lengths of values as here: values that are not known yet are placeholders.
func NewWriter(w io.WriterAt, tensors []Tensor, metadata map[string]string) (*Writer, error) {
	s := &Writer{w: w, tensors: slices.Clone(tensors), byName: make(map[string]int)}
	slices.SortStableFunc(s.tensors, func(a, b Tensor) int { return cmp.Compare(b.DType.Bits(), a.DType.Bits()) })
	var end int64
	for i := range s.tensors {
		t := &s.tensors[i]
		if _, ok := s.byName[t.Name]; ok || t.Name == metadataKey {
			return nil, fmt.Errorf("safetensors: cannot write a tensor called %q twice or at all", t.Name)
		}
		s.byName[t.Name] = i
		n, ok := shape.Checked(t.Shape)
		if !ok || t.DType.Bits() == 0 {
			return nil, fmt.Errorf("safetensors: cannot write tensor %q of %v %s", t.Name, t.Shape, t.DType)
		}
		size, ok := byteLen(n, t.DType.Bits())
		if !ok || end+size < end {
			return nil, fmt.Errorf("safetensors: cannot write tensor %q of %v %s: too large", t.Name, t.Shape, t.DType)
		}
		t.Begin, t.End = end, end+size
		end = t.End
	}
	h, err := header(s.tensors, metadata)
	if err != nil {
		return nil, err
	}
	s.headerLen = len(h)
	for i := range s.tensors {
		s.tensors[i].Begin += int64(len(h))
		s.tensors[i].End += int64(len(h))
	}
	s.written = make([]int64, len(s.tensors))
	return s, nil
}

// header encodes the length and the header of tensors whose offsets are those of
// the data, padded so that the data starts at a multiple of 8.
func header(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 8))
	b.WriteByte('{')
	if len(metadata) > 0 {
		b.WriteString(`"` + metadataKey + `":{`)
		for i, k := range slices.Sorted(maps.Keys(metadata)) {
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(b, k)
			b.WriteByte(':')
			writeString(b, metadata[k])
		}
		b.WriteByte('}')
	}
	for i, t := range tensors {
		if i > 0 || len(metadata) > 0 {
			b.WriteByte(',')
		}
		writeString(b, t.Name)
		b.WriteString(`:{"dtype":`)
		writeString(b, string(t.DType))
		b.WriteString(`,"shape":[`)
		for j, d := range t.Shape {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Itoa(d))
		}
		fmt.Fprintf(b, `],"data_offsets":[%d,%d]}`, t.Begin, t.End)
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if n := b.Len() - 8; n > maxHeader {
		return nil, fmt.Errorf("safetensors: a header of %d bytes is above the limit of %d: write more files", n, maxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(b.Len()-8))
	return b.Bytes(), nil
}

func writeString(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	e.Encode(s) // a string has no error
	b.Truncate(b.Len() - 1)
}

// Size returns the length that the file will have.
func (s *Writer) Size() int64 {
	if len(s.tensors) == 0 {
		return int64(s.headerLen)
	}
	return s.tensors[len(s.tensors)-1].End
}

// WriteAt writes bytes of the tensor called name, from its byte off on. Each
// byte must be written exactly once.
func (s *Writer) WriteAt(name string, p []byte, off int64) error {
	i, ok := s.byName[name]
	if !ok {
		return fmt.Errorf("safetensors: there is no tensor %q to write", name)
	}
	t := s.tensors[i]
	if off < 0 || off > t.Bytes() || int64(len(p)) > t.Bytes()-off {
		return fmt.Errorf("safetensors: tensor %q: %d bytes at %d of %d", name, len(p), off, t.Bytes())
	}
	if _, err := s.w.WriteAt(p, t.Begin+off); err != nil {
		return fmt.Errorf("safetensors: writing tensor %q: %w", name, err)
	}
	s.written[i] += int64(len(p))
	return nil
}

// Finish writes the header. It fails if a tensor is not complete, or if metadata does
// not fit the space that was left for it.
func (s *Writer) Finish(metadata map[string]string) error {
	relative := slices.Clone(s.tensors)
	for i := range relative {
		t := &relative[i]
		if s.written[i] != t.Bytes() {
			return fmt.Errorf("safetensors: tensor %q has %d of %d bytes written", t.Name, s.written[i], t.Bytes())
		}
		t.Begin -= int64(s.headerLen)
		t.End -= int64(s.headerLen)
	}
	h, err := header(relative, metadata)
	if err != nil {
		return err
	}
	if len(h) != s.headerLen {
		return fmt.Errorf("safetensors: the header has %d bytes, but %d are left for it", len(h), s.headerLen)
	}
	if _, err := s.w.WriteAt(h, 0); err != nil {
		return fmt.Errorf("safetensors: writing the header: %w", err)
	}
	return nil
}

// IndexJSON returns the contents of an index: the file of each tensor, and the
// sum of the sizes of all tensors.
func IndexJSON(fileOf map[string]string, totalSize int64, metadata map[string]string) ([]byte, error) {
	meta := map[string]any{"total_size": totalSize}
	for k, v := range metadata {
		meta[k] = v
	}
	b, err := json.MarshalIndent(map[string]any{"metadata": meta, "weight_map": fileOf}, "", "  ")
	return append(b, '\n'), err
}
