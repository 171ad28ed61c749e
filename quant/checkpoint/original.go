package checkpoint

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/internal/release"
	"github.com/bitmod-go/bitmod/quant"
)

// A remaking quantizes the original of a tensor again, to check that the tensor was
// made of it.
//
// Without a Calibrator, the original determines the result of a plan bit for bit, so
// that a single weight of another model shows. A tensor that a Calibrator made, or that
// [Save] was given, need not have the nearest codes; its noise can only be bounded. It
// must be at most worstGain times the noise of plain quantization, and below Σ w²,
// which is the noise of zeros. The noise of unrelated weights is about Σ w² + Σ ŵ². For
// rows of several types, plain quantization has the type of fewest bits.
type remaking struct {
	exact     bool
	of        Part
	quantizer func() *quantizer // of the original, for each worker
	amax      float64
	plain     Stats
	rows      int // the number of rows that differ
	first     int // the first of these rows
}

// worstGain bounds the noise of calibration relative to plain quantization, 20 dB.
// TestVerifyCalibrated has a case of 10 dB.
const worstGain = 100

// remaking returns the remaking of t, a quantized tensor of c, from the tensor o of the
// original.
func (c *Checkpoint) remaking(ctx context.Context, original *Checkpoint, o, t Tensor, workers int) (*remaking, error) {
	types := t.types()
	r := &remaking{first: -1, of: slices.MinFunc(types, func(a, b Part) int { return cmp.Compare(a.Type.Bits(), b.Type.Bits()) })}
	var settings struct {
		Search      bool
		Calibration json.RawMessage
	}
	if h, ok := c.headerOf(t); ok && h.plan != "" && json.Unmarshal([]byte(h.settings), &settings) == nil {
		// Search may change from version to version; everything else never does. A
		// tensor that is quantized itself cannot have been a plan's source.
		r.exact = (!settings.Search || h.writer == release.Version) && !o.Quantized && settings.Calibration == nil &&
			(len(types) == 1 || !slices.ContainsFunc(types, func(p Part) bool { return needsMax(p.Type) }))
	}
	r.quantizer = func() *quantizer {
		return &quantizer{source: original, measure: !r.exact, search: settings.Search, order: c.order}
	}
	if needsMax(r.of.Type) {
		var err error
		if r.amax, err = maxAbs(ctx, original, &Item{From: o, To: t}, workers, new(meter)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// order returns the part of each row of a tensor with rows of several types.
func (c *Checkpoint) order(it *Item) ([]uint8, error) {
	order, _, err := c.dataOf(it.To).(*packed).readOrder()
	return order, err
}

// headerOf returns the header of the file that has a quantized tensor.
func (c *Checkpoint) headerOf(t Tensor) (header, bool) {
	p, ok := c.dataOf(t).(*packed)
	for i, f := range c.stored {
		if ok && f == p.f {
			return c.headers[i], true
		}
	}
	return header{}, false
}

// A remadeSpan is the result of a worker.
type remadeSpan struct {
	stats       Stats
	rows, first int
}

// span quantizes a span of the original, and compares it with m, which are the
// rows of the result.
func (r *remaking) span(q *quantizer, s span, m *quant.Matrix) (remadeSpan, error) {
	it := *s.it
	if !r.exact {
		it.To.Type, it.To.GroupSize, it.To.Parts = r.of.Type, r.of.GroupSize, nil
	}
	b, err := q.quantize(span{&it, s.lo, s.hi, r.amax})
	found := remadeSpan{stats: b.stats, first: -1}
	if err != nil || !r.exact {
		return found, err
	}
	cols := m.Cols()
	x, y := make([]float32, cols), make([]float32, cols)
	for row := range m.Rows() {
		if err := m.DequantizeRow(x, row); err != nil {
			return found, err
		}
		if err := b.m.DequantizeRow(y, b.first+row); err != nil {
			return found, err
		}
		for i := range x {
			if math.Float32bits(x[i]) != math.Float32bits(y[i]) {
				if found.rows++; found.first < 0 {
					found.first = s.lo + row
				}
				break
			}
		}
	}
	return found, nil
}

// add adds what a worker has found.
func (r *remaking) add(f remadeSpan) {
	r.plain.Add(f.stats)
	r.rows += f.rows
	if r.first < 0 {
		r.first = f.first
	}
}

// check returns an error if a tensor with the noise in stats was not made of this
// original.
func (r *remaking) check(t Tensor, stats Stats) error {
	switch {
	case r.rows > 0:
		return fmt.Errorf("%w: %w: quantizing the original gives other weights in %d of %d rows, first in row %d (SQNR %.1f dB)",
			quant.ErrFormat, ErrOriginal, r.rows, t.Rows(), r.first, stats.SQNR())
	case r.exact, stats.Noise <= r.plain.Noise, stats.Noise <= min(worstGain*r.plain.Noise, stats.Power):
		return nil
	}
	return fmt.Errorf("%w: %w: the SQNR is %.1f dB, but %v in groups of %d has %.1f: calibration does not lose as much",
		quant.ErrFormat, ErrOriginal, stats.SQNR(), r.of.Type, r.of.GroupSize, r.plain.SQNR())
}
