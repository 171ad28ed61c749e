package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bitmod-go/bitmod/quant"
)

// A Calibrator quantizes the matrices of a plan in place of [quant.Group], by
// statistics of a model that reads text. Package quant/calibrate has implementations.
// Its methods are called by one goroutine at a time.
type Calibrator interface {
	// Settings returns a JSON value with everything that the result depends on besides
	// the weights and the other options, such as a hash of the text. It goes to the
	// metadata of the result, and a run resumes only after files with the same value.
	Settings() string
	// Order returns the turn of a tensor: tensors with lower numbers come first, and
	// tensors with the same number in the order of the source.
	Order(tensor string) int
	// Quantize returns the matrix to store for w. It must have the rows and columns of
	// w, and the types, group sizes and order of parts of w.Configs and w.Of.
	Quantize(ctx context.Context, w Weights) (*quant.Matrix, error)
	// Resume is called in place of Quantize for a matrix that an earlier run has stored,
	// if Quantize will be called for a later matrix.
	Resume(ctx context.Context, tensor string, matrix int, m *quant.Matrix) error
}

// Weights are the weights of one matrix.
type Weights struct {
	// Tensor is the name of the matrix's tensor. Matrix is the index of the matrix in
	// it, which is 0 except for experts in a tensor of three dimensions.
	Tensor string
	Matrix int
	// Float are the weights, row-major as [out, in], of Cols columns. They belong to
	// the plan and must not be kept or written to.
	Float []float32
	Cols  int
	// Configs has the plan's configuration. If there are several, Of has the index of
	// one for every row.
	Configs []quant.Config
	Of      []uint8
}

// Group quantizes the weights as the plan would.
func (w Weights) Group(ctx context.Context) (*quant.Matrix, error) {
	if w.Of != nil {
		return quant.GroupMixed(ctx, w.Float, w.Cols, w.Of, w.Configs)
	}
	if len(w.Configs) != 1 {
		return nil, fmt.Errorf("checkpoint: %w: %d configurations of weights of one type", quant.ErrShape, len(w.Configs))
	}
	return quant.GroupContext(ctx, w.Float, w.Cols, w.Configs[0])
}

// matrices returns the number of matrices of a quantized tensor.
func (t Tensor) matrices() int { return t.Rows() / t.Shape[len(t.Shape)-2] }

// calibrate quantizes a tensor, a matrix at a time, and writes it.
func (r *runner) calibrate(ctx context.Context, it *Item) error {
	outs, cols := it.To.Shape[len(it.To.Shape)-2], it.To.Cols()
	d := r.plan.source.dataOf(it.From)
	var row []float32
	var stats Stats
	if it.To.Parts != nil {
		stats.Choices = []int64{}
	}
	w := Weights{Tensor: it.To.Name, Float: grow(&r.weights, outs*cols), Cols: cols}
	c := r.plan.options.Config
	w.Configs = it.To.configs(c)
	order, err := r.plan.order(it)
	if err != nil {
		return err
	}
	for w.Matrix = range it.To.matrices() {
		lo := w.Matrix * outs
		if it.To.Parts != nil {
			w.Of = order[lo:][:outs]
		}
		start := time.Now()
		if err := readRows(d, w.Float, outs, cols, lo, lo+outs, it.To.Transposed); err != nil {
			return err
		}
		start = r.times.lap(reading, start)
		m, err := r.plan.options.Calibrator.Quantize(ctx, w)
		r.times.lap(quantizing, start)
		if bad, ok := errors.AsType[*quant.WeightError](err); ok {
			err = &quant.WeightError{Row: bad.Row + lo, Col: bad.Col, Value: bad.Value}
		}
		if err != nil {
			return err
		}
		if err := checkCalibrated(m, it.To, w); err != nil {
			return err
		}
		if it.To.Parts == nil {
			stats.Add(count(m, 0))
		}
		if r.o.Measure {
			if err := measure(&stats, w.Float, m, 0, grow(&row, cols)); err != nil {
				return err
			}
		}
		if !r.dry {
			if err := r.write(it, m, 0); err != nil {
				return err
			}
		}
		r.meter.add(it.From.Name, share(it.From.Bytes, it.To.Rows(), lo, lo+outs))
	}
	done := *it
	done.Stats = stats
	r.result.Items = append(r.result.Items, done)
	return nil
}

// checkCalibrated returns an error if m does not have the shape and types that the plan
// has for w.
func checkCalibrated(m *quant.Matrix, to Tensor, w Weights) error {
	rows := len(w.Float) / w.Cols
	if m == nil || m.Rows() != rows || m.Cols() != to.Cols() {
		return fmt.Errorf("checkpoint: %w: the calibrator made %v, want %d × %d", quant.ErrShape, m, rows, to.Cols())
	}
	for row := range rows {
		c := w.Configs[0]
		if w.Of != nil {
			c = w.Configs[w.Of[row]]
		}
		i, _ := m.RowPart(row)
		if p := m.Part(i); p.Type() != c.Type || p.GroupSize() != c.GroupSize {
			return fmt.Errorf("checkpoint: %w: the calibrator made %v, want row %d of %v in groups of %d", quant.ErrShape, m, row, c.Type, c.GroupSize)
		}
	}
	return nil
}

// tell passes a tensor of a file that was finished before to the calibrator.
func (r *runner) tell(ctx context.Context, it *Item) error {
	path := r.plan.file(r.dst, it.Shard)
	if r.finished == nil || r.finished.path != path {
		r.closeFinished()
		var err error
		if r.finished, err = Open(path); err != nil {
			return err
		}
	}
	outs := it.To.Shape[len(it.To.Shape)-2]
	for i := range it.To.matrices() {
		m, err := r.finished.MatrixRows(it.To.Name, i*outs, (i+1)*outs)
		if err != nil {
			return err
		}
		if err := r.plan.options.Calibrator.Resume(ctx, it.To.Name, i, m); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) closeFinished() {
	if r.finished != nil {
		r.finished.Close()
		r.finished = nil
	}
}
