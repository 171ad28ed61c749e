package quant

import (
	"context"
	"fmt"
	"math"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/x448/float16"
)

// Group quantizes w, a row-major matrix with cols columns; for a single row cols
// is len(w). It only reads w.
//
// The error matches ErrShape if len(w) is 0 or not a multiple of cols, or if the group
// size is below 8. It matches [datatype.ErrUnknown] if the type is not valid. It matches
// ErrNotFinite, and has the row and column of the first bad weight, if w has a NaN, an
// infinity or a float64 beyond float32, or a weight so near to the end of float32 that it
// would not be finite once dequantized. With the options beyond the paper, it also
// matches ErrShape if an importance or a Hessian has another number of columns or if the
// Hessian has no vectors, ErrNotFinite if an importance or a damping is negative or not
// finite, and [ErrSingular].
//
// Group is fastest on processors with AVX2 or AVX-512, for float32, float16, bfloat16,
// and float64 rows whose values are all float32s.
//
// Besides the matrix it allocates some 20 bytes per column for each worker, or some 120
// with Search; see [Feedback] for the memory of feedback.
func Group[T Weight](w []T, cols int, c Config) (*Matrix, error) {
	return GroupContext(context.Background(), w, cols, c)
}

// GroupContext is [Group] with a context: once ctx is done, it stops after the
// rows that are under way and returns an error that wraps [context.Cause].
func GroupContext[T Weight](ctx context.Context, w []T, cols int, c Config) (*Matrix, error) {
	c, err := c.resolve()
	if err != nil {
		return nil, err
	}
	if ctx == nil {
		return nil, shapeError("number of contexts", 0, "1: ctx is nil")
	}
	if cols < 1 {
		return nil, shapeError("cols", cols, "at least 1")
	}
	if len(w) == 0 || len(w)%cols != 0 {
		return nil, shapeError("len(w)", len(w), "a positive multiple of %d (columns)", cols)
	}
	l, err := newLayout(c, len(w)/cols, cols)
	if err != nil {
		return nil, err
	}
	if err := c.checkColumns(cols); err != nil {
		return nil, err
	}
	c.Importance = scaledImportance(c.Importance)
	m := newMatrix(l)
	weights := any(w)
	tensorScale := float32(1)
	if c.Type.Scale() == datatype.E4M3 {
		amax, err := maxAbs(ctx, weights, l, c.Workers)
		if err != nil {
			return nil, err
		}
		tensorScale = group.TensorScale(c.Type, amax)
		m.storage.RowScales[0] = tensorScale
	}
	if c.Feedback != nil {
		err = groupFeedback(ctx, weights, m, c, tensorScale)
	} else {
		err = forRows(ctx, l.rows, cols, c.Workers, func() (func(row int) error, error) {
			ch, err := newChooser(c.Type, c, tensorScale)
			if err != nil {
				return nil, err
			}
			if c.Search {
				return newRowSearcher(weights, m, ch).quantize, nil
			}
			return newRowQuantizer(weights, m, ch).quantize, nil
		})
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// checkRange looks for dequantized weights that overflow, which rounding can cause
// within the last percent below the largest float32. codes are the codes of the row,
// and w is the whole tensor.
func (m *Matrix) checkRange(row int, codes []uint8, w any) error {
	for g := range m.groups {
		if m.Scale(row, g) < 0x1p110 {
			continue
		}
		lo, hi := m.groupColumns(g)
		cb, k, s := m.codebooks[m.selector(row, g)], m.groupScale(row, g), m.RowScale(row)
		for col := lo; col < hi; col++ {
			if v := float32(cb.Value(codes[col])*k) * s; math.IsInf(float64(v), 0) {
				var x [1]float64
				widen(x[:], w, row*m.cols+col)
				return &WeightError{Row: row, Col: col, Value: x[0]}
			}
		}
	}
	return nil
}

// maxAbs returns the largest magnitude in w.
func maxAbs(ctx context.Context, w any, l layout, workers int) (float64, error) {
	byRow := make([]float64, l.rows)
	err := forRows(ctx, l.rows, l.cols, workers, func() (func(row int) error, error) {
		q := &rowSelector{w: w, m: &Matrix{layout: l}}
		wide := make([]float64, min(l.cols, 1024))
		return func(row int) error {
			if w, ok := q.narrow(row); ok {
				if amax, ok := maxFloat32(w); ok {
					byRow[row] = amax
					return nil
				}
			}
			for lo := 0; lo < l.cols; lo += len(wide) {
				part := wide[:min(len(wide), l.cols-lo)]
				widen(part, w, row*l.cols+lo)
				for i, x := range part {
					if !(math.Abs(x) <= math.MaxFloat32) {
						return &WeightError{Row: row, Col: lo + i, Value: x}
					}
					byRow[row] = max(byRow[row], math.Abs(x))
				}
			}
			return nil
		}, nil
	})
	var amax float64
	for _, a := range byRow {
		amax = max(amax, a)
	}
	return amax, err
}

// widen converts len(dst) elements of w, a slice of a Weight type, starting at
// index at, to float64, which is exact. Taking w as one interface value for the
// whole tensor spares an allocation per call.
func widen(dst []float64, w any, at int) {
	switch w := w.(type) {
	case []float32:
		for i, x := range w[at : at+len(dst)] {
			dst[i] = float64(x)
		}
	case []float64:
		copy(dst, w[at:])
	case []float16.Float16:
		for i, x := range w[at : at+len(dst)] {
			dst[i] = float64(x.Float32())
		}
	case []BFloat16:
		for i, x := range w[at : at+len(dst)] {
			dst[i] = float64(x.Float32())
		}
	default:
		panic(fmt.Sprintf("quant: weights are %T", w)) // excluded by Weight
	}
}
