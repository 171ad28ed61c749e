package checkpoint

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/x448/float16"
)

// A span is a range of rows of a tensor to be quantized.
type span struct {
	it     *Item
	lo, hi int
	amax   float64 // of the whole tensor, for NV types
}

// A block is a span as it is written.
type block struct {
	m     *quant.Matrix
	first int // the first row of m that belongs to the span
	stats Stats

	converted []byte // the bytes of rows that are converted to other floats; m is nil then
}

// spans yields the blocks of rows of a tensor. Blocks of a transposed tensor are
// larger, because every column is a separate read.
func spans(it *Item, amax float64, yield func(span) bool) bool {
	rows, step := it.To.Rows(), blockRows(it.To.Cols())
	if it.To.Transposed || it.From.Transposed {
		step *= 4
	}
	for lo := 0; lo < rows; lo += step {
		if !yield(span{it, lo, min(lo+step, rows), amax}) {
			return false
		}
	}
	return true
}

// needsMax reports whether blocks of a type need the largest magnitude of their
// tensor.
func needsMax(t datatype.Type) bool { return t.Scale() == datatype.E4M3 }

// A quantizer quantizes one span at a time.
type quantizer struct {
	source  *Checkpoint
	measure bool
	search  bool
	order   func(it *Item) ([]uint8, error) // the part of each row of a mixed tensor
	times   *stopwatch
	buf32   []float32
	buf64   []float64
	bufBF16 []quant.BFloat16
	bufF16  []float16.Float16
	row     []float32
}

func (q *quantizer) quantize(s span) (block, error) {
	d := q.source.dataOf(s.it.From)
	var b block
	var err error
	_, same := d.(asStored)
	switch dtype := s.it.From.DType; {
	case dtype == "F64":
		b, err = quantizeSpan(q, &q.buf64, d, s)
	case dtype == "BF16" && same:
		b, err = quantizeSpan(q, &q.bufBF16, d, s)
	case dtype == "F16" && same:
		b, err = quantizeSpan(q, &q.bufF16, d, s)
	default:
		b, err = quantizeSpan(q, &q.buf32, d, s)
	}
	return b, tensorError(s.it.From.Name, err)
}

func quantizeSpan[T quant.Weight](q *quantizer, buf *[]T, d data, s span) (block, error) {
	to := s.it.To
	outs, cols := to.Shape[len(to.Shape)-2], to.Cols()
	b := block{}
	if needsMax(to.Type) {
		// An extra first row with the tensor's largest magnitude gives the block the
		// tensor's scale.
		b.first = 1
	}
	w := grow(buf, (b.first+s.hi-s.lo)*cols)
	clear(w[:b.first*cols])
	if b.first > 0 {
		setFirst(w, s.amax)
	}
	own := w[b.first*cols:]
	start := time.Now()
	if err := readRows(d, own, outs, cols, s.lo, s.hi, to.Transposed); err != nil {
		return b, err
	}
	start = q.times.lap(reading, start)
	defer func() { q.times.lap(quantizing, start) }()
	var err error
	config := quant.Config{Type: to.Type, GroupSize: to.GroupSize, Workers: 1, Search: q.search}
	if to.Parts == nil {
		b.m, err = quant.Group(w, cols, config)
	} else {
		var order []uint8
		if order, err = q.order(s.it); err != nil {
			return b, err
		}
		b.m, err = quant.GroupMixed(context.Background(), w, cols, order[s.lo:s.hi], to.configs(config))
	}
	if err != nil {
		if bad, ok := errors.AsType[*quant.WeightError](err); ok {
			err = &quant.WeightError{Row: max(bad.Row-b.first, 0) + s.lo, Col: bad.Col, Value: bad.Value}
		}
		return b, err
	}
	b.stats = count(b.m, b.first)
	if to.Parts != nil { // even if these rows are of one type
		b.stats.Choices = []int64{}
	}
	if q.measure {
		err = measureAny(&b.stats, own, b.m, b.first, q)
	}
	return b, err
}

// setFirst sets the first of some weights to x, which is a number of their type.
func setFirst[T quant.Weight](w []T, x float64) {
	switch w := any(w).(type) {
	case []float32:
		w[0] = float32(x)
	case []float64:
		w[0] = x
	case []quant.BFloat16:
		w[0] = quant.BFloat16(math.Float32bits(float32(x)) >> 16)
	case []float16.Float16:
		w[0] = float16.Fromfloat32(float32(x))
	}
}

// measureAny is measure for weights of any type.
func measureAny[T quant.Weight](s *Stats, w []T, m *quant.Matrix, first int, q *quantizer) error {
	row := grow(&q.row, m.Cols())
	switch w := any(w).(type) {
	case []float32:
		return measure(s, w, m, first, row)
	case []float64:
		return measure(s, w, m, first, row)
	case []quant.BFloat16:
		return measureHalves(s, w, m, first, q)
	case []float16.Float16:
		return measureHalves(s, w, m, first, q)
	}
	panic("unreachable: T is one of the four")
}

func measureHalves[T interface{ Float32() float32 }](s *Stats, w []T, m *quant.Matrix, first int, q *quantizer) error {
	wide := grow(&q.buf32, len(w))
	for i, x := range w {
		wide[i] = x.Float32()
	}
	return measure(s, wide, m, first, grow(&q.row, m.Cols()))
}

// grow returns the first n elements of a buffer, which it replaces if it is too
// short.
func grow[T any](buf *[]T, n int) []T {
	if len(*buf) < n {
		*buf = make([]T, n)
	}
	return (*buf)[:n]
}

// maxAbs returns the largest magnitude in a tensor.
func maxAbs(ctx context.Context, c *Checkpoint, it *Item, workers int, m *meter) (float64, error) {
	var amax float64
	d := c.dataOf(it.From)
	whole := *it
	whole.To = it.From // to read in the order of the file
	if s, ok := d.(swapped); ok {
		d = s.data
		whole.To.Shape = swap(it.From.Shape)
	}
	err := ordered(ctx, workers,
		func(_ context.Context, yield func(span) bool) error {
			spans(&whole, 0, yield)
			return nil
		},
		func() func(context.Context, span) (float64, error) {
			var buf []float64
			var bits []quant.BFloat16
			cols := whole.To.Cols()
			return func(_ context.Context, s span) (float64, error) {
				if most, ok, err := maxBFloat16(d, it.From, grow(&bits, (s.hi-s.lo)*cols), int64(s.lo)*int64(cols)); ok || err != nil {
					return most, err
				}
				w := grow(&buf, (s.hi-s.lo)*cols)
				if err := d.Read64(w, int64(s.lo)*int64(cols)); err != nil {
					return 0, err
				}
				var most float64
				for i, x := range w {
					if !(math.Abs(x) <= math.MaxFloat32) {
						return 0, &quant.WeightError{Row: s.lo + i/cols, Col: i % cols, Value: x}
					}
					most = max(most, math.Abs(x))
				}
				return most, nil
			}
		},
		func(s span, most float64) error {
			amax = max(amax, most)
			m.add(it.From.Name, share(it.From.Bytes, whole.To.Rows(), s.lo, s.hi))
			return nil
		})
	return amax, tensorError(it.From.Name, err)
}

// maxBFloat16 reads len(w) elements from first on and returns the largest magnitude. It
// returns false if the tensor is not stored as bfloat16, or if an element is not
// finite.
func maxBFloat16(d data, t Tensor, w []quant.BFloat16, first int64) (float64, bool, error) {
	if _, ok := d.(asStored); !ok || t.DType != "BF16" {
		return 0, false, nil
	}
	if err := read(d, w, first); err != nil {
		return 0, false, err
	}
	// Magnitudes have the same order as their bits.
	var most quant.BFloat16
	for _, x := range w {
		most = max(most, x&0x7fff)
	}
	return float64(most.Float32()), most < 0x7f80, nil
}
