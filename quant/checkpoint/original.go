package checkpoint

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/bitmod-go/bitmod/quant"
)

// A remaking quantizes the original of a tensor once more, to tell whether the
// tensor is of it.
//
// What a plan has made is defined by the original: the same comes out bit for
// bit, so that one weight of another model shows. What [Save] was given may be
// calibrated, with codes that are not the nearest, of which there is no more than
// a bound: its noise is at most that of plain quantization plus worstGain, or, if
// that is more, below the power of the original, which is what unrelated weights
// have: the noise then is Σ w² + Σ ŵ², about.
type remaking struct {
	exact     bool
	quantizer func() *quantizer // of the original, for each worker
	amax      float64
	plain     Stats
	rows      int // that differ
	first     int // of them
}

// worstGain is how much more noise calibration may leave than plain quantization,
// 12 dB. TestVerifyCalibrated has a case of 3 dB, with inputs of which most are
// nearly a multiple of one.
const worstGain = 16

// remaking returns how t, a quantized tensor of c, can be made of the original's
// o once more.
func (c *Checkpoint) remaking(ctx context.Context, original *Checkpoint, o, t Tensor, workers int) (*remaking, error) {
	r := &remaking{exact: false, first: -1}
	var settings struct{ Search bool }
	if h, ok := c.headerOf(t); ok && h.plan != "" && json.Unmarshal([]byte(h.settings), &settings) == nil {
		// A search may be improved upon; all else is the same for ever.
		r.exact = !settings.Search || h.writer == quant.Version
	}
	r.quantizer = func() *quantizer { return &quantizer{source: original, measure: true, search: settings.Search} }
	if needsMax(t.Type) {
		var err error
		r.amax, err = maxAbs(ctx, original, &Item{From: o, To: t}, workers, new(meter))
		if err != nil {
			return nil, err
		}
	}
	return r, nil
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

// remadeSpan is what a worker finds.
type remadeSpan struct {
	stats       Stats
	rows, first int
}

// span quantizes a span of the original, and compares it with m, which are the
// rows of the result.
func (r *remaking) span(q *quantizer, s span, m *quant.Matrix) (remadeSpan, error) {
	s.amax = r.amax
	b, err := q.quantize(s)
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

// check returns an error if a tensor whose error is as in stats is not of this
// original.
func (r *remaking) check(t Tensor, stats Stats) error {
	switch {
	case r.rows > 0:
		return fmt.Errorf("%w: %w: quantizing the original gives other weights in %d of %d rows, first in row %d (SQNR %.1f dB, where %v in groups of %d has %.1f)",
			quant.ErrFormat, ErrOriginal, r.rows, t.Rows(), r.first, stats.SQNR(), t.Type, t.GroupSize, r.plain.SQNR())
	case r.exact, stats.Noise <= r.plain.Noise, stats.Noise <= min(worstGain*r.plain.Noise, stats.Power):
		return nil
	}
	return fmt.Errorf("%w: %w: the SQNR is %.1f dB, where %v in groups of %d has %.1f: no calibration takes as much",
		quant.ErrFormat, ErrOriginal, stats.SQNR(), t.Type, t.GroupSize, r.plain.SQNR())
}
