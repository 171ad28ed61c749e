package calibrate

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/bitmod-go/bitmod/quant"
)

// Statistics gather statistics of the input vectors of tensors, by the name of the
// tensor. The zero value is ready to use and gathers Hessians, 4·cols·(cols+1) bytes for
// each. Nil Statistics have no tensors.
type Statistics struct {
	// Moments gathers only sums of squares, 8·cols bytes, which is enough for an
	// importance.
	Moments bool

	inputs map[string][]*input // by tensor, and then by matrix
}

// An input has the statistics of one matrix: a Hessian or moments.
type input struct {
	hessian *quant.Hessian
	squares []float64
	vectors int
}

// Add adds vectors of cols elements, side by side in x, that a tensor is multiplied by.
// In a tensor of several matrices, matrix is the number of one. The error matches
// [quant.ErrShape], also if cols differs from earlier calls, or [quant.ErrNotFinite].
func (s *Statistics) Add(tensor string, matrix int, x []float32, cols int) error {
	if s == nil {
		return fmt.Errorf("calibrate: %w: nil Statistics", os.ErrInvalid)
	}
	if matrix < 0 || matrix >= maxMatrices || cols < 1 || len(x)%cols != 0 {
		return fmt.Errorf("calibrate: tensor %q: %w: %d elements in vectors of %d, of matrix %d", tensor, quant.ErrShape, len(x), cols, matrix)
	}
	in, err := s.at(tensor, matrix, cols)
	if err != nil {
		return fmt.Errorf("calibrate: tensor %q: %w", tensor, err)
	}
	if in.hessian != nil {
		if err := in.hessian.Add(x); err != nil {
			return fmt.Errorf("calibrate: tensor %q: %w", tensor, err)
		}
		return nil
	}
	for i, v := range x {
		if v-v != 0 {
			return fmt.Errorf("calibrate: tensor %q: vector %d, column %d is %v: %w", tensor, i/cols, i%cols, v, quant.ErrNotFinite)
		}
	}
	for i, v := range x {
		in.squares[i%cols] += float64(v) * float64(v) // the product is exact
	}
	in.vectors += len(x) / cols
	return nil
}

// maxMatrices is above the number of experts of any layer.
const maxMatrices = 1 << 12

// at returns the input of a matrix, and makes it if needed.
func (s *Statistics) at(tensor string, matrix, cols int) (*input, error) {
	if s.inputs == nil {
		s.inputs = make(map[string][]*input)
	}
	for len(s.inputs[tensor]) <= matrix {
		s.inputs[tensor] = append(s.inputs[tensor], nil)
	}
	in := s.inputs[tensor][matrix]
	if in == nil {
		in = new(input)
		if s.Moments {
			in.squares = make([]float64, cols)
		} else {
			var err error
			if in.hessian, err = quant.NewHessian(cols); err != nil {
				return nil, err
			}
		}
		s.inputs[tensor][matrix] = in
	}
	if in.cols() != cols {
		return nil, fmt.Errorf("%w: vectors of %d elements after vectors of %d", quant.ErrShape, cols, in.cols())
	}
	return in, nil
}

func (in *input) cols() int {
	if in.hessian != nil {
		return in.hessian.Cols()
	}
	return len(in.squares)
}

// Share makes a tensor share the statistics of another tensor with the same inputs,
// including inputs added later. It takes no more memory.
func (s *Statistics) Share(tensor, as string) {
	if s == nil {
		return
	}
	if s.inputs == nil {
		s.inputs = make(map[string][]*input)
	}
	s.inputs[tensor] = s.inputs[as]
}

// Rename gives tensors the names that f returns. It drops tensors for which f returns
// "". A nil f changes nothing.
func (s *Statistics) Rename(f func(tensor string) string) {
	if s == nil || f == nil {
		return
	}
	renamed := make(map[string][]*input)
	for _, name := range s.Tensors() {
		if to := f(name); to != "" {
			renamed[to] = s.inputs[name]
		}
	}
	s.inputs = renamed
}

// Tensors returns the names of the tensors, sorted.
func (s *Statistics) Tensors() []string {
	if s == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.inputs))
}

func (s *Statistics) find(tensor string, matrix int) *input {
	if s == nil {
		return nil
	}
	if ins := s.inputs[tensor]; uint(matrix) < uint(len(ins)) {
		return ins[matrix]
	}
	return nil
}

// Hessian returns the Hessian of a matrix's inputs, or nil if there is none.
func (s *Statistics) Hessian(tensor string, matrix int) *quant.Hessian {
	if in := s.find(tensor, matrix); in != nil {
		return in.hessian
	}
	return nil
}

// Importance returns a new slice of the mean squares of a matrix's inputs, by column,
// for quant.Config, or nil if there are none.
func (s *Statistics) Importance(tensor string, matrix int) []float64 {
	in := s.find(tensor, matrix)
	switch {
	case in == nil:
		return nil
	case in.hessian != nil:
		if in.hessian.Vectors() == 0 {
			return nil
		}
		return in.hessian.Importance()
	case in.vectors == 0:
		return nil
	}
	a := slices.Clone(in.squares)
	for i := range a {
		a[i] /= float64(in.vectors)
	}
	return a
}
