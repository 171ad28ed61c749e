package checkpoint

import (
	"context"
	"fmt"
	"io"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/quant"
)

// An Entry is a tensor in memory, to [Save]: a Matrix, or Floats with their
// Shape.
type Entry struct {
	Name   string
	Matrix *quant.Matrix
	Floats []float32
	Shape  []int
}

// Save writes tensors in memory as one file of the format, for those who
// quantize by other means than a [Plan]. The file appears whole or not at all.
// The error matches [quant.ErrShape] for an entry that has neither or whose
// floats do not fill its shape, or [quant.ErrFormat] for names that occur twice.
func Save(path string, entries []Entry) error {
	var tensors []Tensor
	for _, e := range entries {
		t := Tensor{Name: e.Name, Shape: e.Shape, DType: "F32"}
		switch m := e.Matrix; {
		case m != nil && m.Rows() > 0 && e.Floats == nil:
			var err error
			if t, err = matrixTensor(e.Name, m, []int{m.Rows(), m.Cols()}); err != nil {
				return err
			}
		case m != nil || int64(len(e.Floats)) != t.Elements():
			return tensorError(e.Name, fmt.Errorf("%w: %d floats of shape %v", quant.ErrShape, len(e.Floats), e.Shape))
		}
		tensors = append(tensors, t)
	}
	names := make(map[string]bool)
	for _, t := range tensors {
		if names[t.Name] {
			return badTensor(t.Name, "the name occurs twice")
		}
		names[t.Name] = true
	}
	s, err := createShard(atomicfile.Create, path, tensors, header{}, nil)
	if err != nil {
		return err
	}
	for i, e := range entries {
		if e.Matrix != nil {
			err = s.writeBlock(e.Name, e.Matrix, 0)
		} else {
			err = s.copyTensor(context.Background(), tensors[i], inMemory(e.Floats), new(meter))
		}
		if err != nil {
			s.abort()
			return err
		}
	}
	return s.commit()
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
