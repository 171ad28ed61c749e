package quant

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/bitmod-go/bitmod/internal/loops/algebra"
)

// Channels are scales by column, as [ChannelScales] finds them.
type Channels struct {
	// Scales has the factor s of every column: the weights to quantize are w·diag(s),
	// and the inputs become x/s.
	Scales []float32
	// Alpha is the exponent that the scales were made with, 0 if all are 1.
	Alpha float64
	// Error is the squared error of the layer's output with the scales, summed over
	// rows and averaged over the Hessian's vectors. Unscaled is the error without
	// scales.
	Error, Unscaled float64
}

// channelExponents is the number of exponents that are tried besides 0: a power of two,
// so that roots are square roots of square roots, which are the same bits on every
// architecture.
const channelExponents = 16

// ChannelScales looks for scales of the columns of w, row-major with cols columns, that
// minimize the output error of the layer quantized as c says: activation-aware
// quantization, AWQ (arXiv 2306.00978). Columns with large inputs are scaled up, so that
// their rounding errors are smaller, and their inputs are scaled down. That costs nothing
// at run time if the caller divides by s the weights of the RMSNorm, or the rows of the
// matrix, that makes the inputs. Matrices with the same inputs must share their scales:
// w then has the rows of all of them.
//
// a is the root mean square of a column's inputs, from h. ChannelScales tries s = a^α
// for α = 0, 1/16, … 1, divided by √(max s · min s), and takes the s with the least
//
//	Σ over rows of (w − ŵ/s)·H·(w − ŵ/s)
//
// As α = 0 is among them, Error is never above Unscaled. With many rows it tries all α
// on a sample of the rows, a sixteenth but at least 32, and then α = 0 and the two best
// on all rows. ties is nil or has a number for each column, in 0…cols−1: columns of the
// same number share a scale, which is made of the mean of their squared inputs.
// c.Importance is by column of w.
//
// Scales that are good without feedback can make the result of feedback worse by half.
// With c.Feedback each trial uses it, and h should be of other inputs than its Hessian:
// otherwise scales win that only rely more on these. Both Hessians are of inputs as they
// are before they are divided. As feedback leaves less to gain, α is then one of 0, 1/8,
// 1/4, 3/8 and 1/2, all of which are tried on all rows: a sample of fewer than some hundred
// rows tells them apart no better than chance.
//
// ChannelScales quantizes w three times and the sample 17 times, with cols²/2
// multiplications a row each time, on c.Workers goroutines; the result is the same for
// any number. With feedback it quantizes w five times, and factors the Hessian each time.
// Errors are those of [Group]. A Hessian with another number of
// columns, or without vectors, is an error that matches ErrShape.
func ChannelScales[T Weight](w []T, cols int, c Config, h *Hessian, ties []int) (*Channels, error) {
	if err := checkOutput(len(w), cols, h); err != nil {
		return nil, err
	}
	amplitudes, err := amplitudes(h, ties)
	if err != nil {
		return nil, err
	}
	if err := c.checkColumns(cols); err != nil {
		return nil, err
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	t := &channelTrial{cols: cols, config: c, meter: newOutputMeter(h, c.Workers), amplitudes: amplitudes}
	t.weights = make([]float64, len(w))
	widen(t.weights, any(w), 0)
	t.scaled = make([]float32, len(w))
	best := &Channels{}
	if best.Scales, best.Unscaled, err = t.try(0, 1); err != nil {
		return nil, err
	}
	best.Error = best.Unscaled
	exponents, err := t.promising(len(w) / cols)
	if err != nil {
		return nil, err
	}
	for _, exponent := range exponents {
		s, sum, err := t.try(exponent, 1)
		if err != nil {
			return nil, err
		}
		if sum < best.Error {
			best.Scales, best.Alpha, best.Error = s, float64(exponent)/channelExponents, sum
		}
	}
	return best, nil
}

const (
	// A sample has at least sampledRows rows, and one in sampledEvery.
	sampledRows  = 32
	sampledEvery = 16
)

// A channelTrial tries scales.
type channelTrial struct {
	cols       int
	config     Config
	amplitudes []float64
	weights    []float64
	scaled     []float32
	meter      *outputMeter
}

// promising returns the exponents other than 0 that are worth a trial on all rows, in
// ascending order. If there are few rows, that is all of them.
func (t *channelTrial) promising(rows int) ([]int, error) {
	if t.config.Feedback != nil {
		const step = channelExponents / 8
		return []int{step, 2 * step, 3 * step, 4 * step}, nil
	}
	every := max(min(sampledEvery, rows/sampledRows), 1)
	type trial struct {
		exponent int
		sum      float64
	}
	var trials []trial
	for exponent := 1; exponent <= channelExponents; exponent++ {
		sum := 0.0
		if every > 1 {
			var err error
			if _, sum, err = t.try(exponent, every); err != nil {
				return nil, err
			}
		}
		trials = append(trials, trial{exponent, sum})
	}
	slices.SortStableFunc(trials, func(a, b trial) int { return cmp.Compare(a.sum, b.sum) })
	if every > 1 {
		trials = trials[:2]
	}
	var exponents []int
	for _, t := range trials {
		exponents = append(exponents, t.exponent)
	}
	slices.Sort(exponents)
	return exponents, nil
}

// try returns the scales for an exponent and their error on every every-th row. The
// error is infinite if a scale is beyond float32.
func (t *channelTrial) try(exponent, every int) ([]float32, float64, error) {
	s := channelPowers(t.amplitudes, exponent)
	if s == nil {
		return nil, math.Inf(1), nil
	}
	c := t.config
	rows := (len(t.weights)/t.cols-1)/every + 1
	scaled := t.scaled[:rows*t.cols]
	for row := range rows {
		w := t.weights[row*every*t.cols:][:len(s)]
		to := scaled[row*t.cols:][:len(s)]
		for i, x := range w {
			to[i] = float32(x * float64(s[i]))
		}
	}
	if importance := c.Importance; importance != nil {
		c.Importance = make([]float64, t.cols)
		for i, a := range importance {
			c.Importance[i] = a / float64(float64(s[i])*float64(s[i]))
		}
	}
	if c.Feedback != nil && exponent > 0 {
		own := *c.Feedback
		var err error
		if own.Hessian, err = own.Hessian.Divide(s); err != nil {
			return nil, 0, err
		}
		c.Feedback = &own
	}
	m, err := Group(scaled, t.cols, c)
	if err != nil {
		if exponent > 0 {
			return nil, math.Inf(1), nil // an outlier that scales take beyond float32
		}
		return nil, 0, err
	}
	errs, err := t.meter.errors(t.weights, every, m, s)
	if err != nil {
		return nil, 0, err
	}
	sum := 0.0
	for _, e := range errs {
		sum += e
	}
	return s, sum, nil
}

func checkOutput(n, cols int, h *Hessian) error {
	if cols < 1 {
		return shapeError("cols", cols, "at least 1")
	}
	if n == 0 || n%cols != 0 {
		return shapeError("len(w)", n, "a positive multiple of %d (columns)", cols)
	}
	if h == nil || h.cols != cols {
		got := 0
		if h != nil {
			got = h.cols
		}
		return shapeError("h.Cols()", got, "%d (columns)", cols)
	}
	if h.n == 0 {
		return shapeError("h.Vectors()", 0, "at least 1")
	}
	return nil
}

// amplitudes returns the root mean square of every column's inputs. Columns that are tied
// have the root mean square of all their inputs.
func amplitudes(h *Hessian, ties []int) ([]float64, error) {
	a := h.Importance()
	if ties != nil {
		if len(ties) != len(a) {
			return nil, shapeError("len(ties)", len(ties), "%d (columns)", len(a))
		}
		sums, counts := make([]float64, len(a)), make([]float64, len(a))
		for i, t := range ties {
			if uint(t) >= uint(len(a)) {
				return nil, shapeError(fmt.Sprintf("ties[%d]", i), t, "0 to %d", len(a)-1)
			}
			sums[t] += a[i]
			counts[t]++
		}
		for i, t := range ties {
			a[i] = sums[t] / counts[t]
		}
	}
	for i, x := range a {
		a[i] = math.Sqrt(x)
	}
	return a, nil
}

// channelPowers returns a^(exponent/channelExponents) divided by the geometric mean of
// the largest and the least, with 1 for inputs that are always 0. It returns nil if a
// scale is too large or too small to use.
func channelPowers(a []float64, exponent int) []float32 {
	lo, hi := math.Inf(1), 0.0
	for _, x := range a {
		if x > 0 {
			lo, hi = min(lo, x), max(hi, x)
		}
	}
	middle := math.Sqrt(lo) * math.Sqrt(hi)
	s := make([]float32, len(a))
	for i, x := range a {
		s[i] = 1
		if x > 0 {
			s[i] = float32(channelPower(x/middle, exponent))
		}
		if !(s[i] >= 0x1p-60 && s[i] <= 0x1p60) {
			return nil
		}
	}
	return s
}

// channelPower returns x^(exponent/channelExponents).
func channelPower(x float64, exponent int) float64 {
	p := 1.0
	for bit := channelExponents; bit > 0; bit /= 2 {
		if exponent&bit != 0 {
			p *= x
		}
		x = math.Sqrt(x)
	}
	return p
}

// OutputErrors returns the squared error of the layer's output for each row, (w − ŵ)·H·(w
// − ŵ), averaged over the vectors of h. m was made of w. Unlike the errors of single
// weights, these errors leave out errors that cancel for the inputs. Errors match
// ErrShape or ErrNotFinite. OutputErrors takes cols²/2 multiplications a row, on
// GOMAXPROCS goroutines; the result is the same for any number.
func OutputErrors[T Weight](w []T, m *Matrix, h *Hessian) ([]float64, error) {
	if m == nil || m.rows == 0 {
		return nil, shapeError("m.Rows()", 0, "at least 1")
	}
	if err := checkOutput(len(w), m.cols, h); err != nil {
		return nil, err
	}
	if len(w) != m.rows*m.cols {
		return nil, shapeError("len(w)", len(w), "%d (%d rows × %d columns)", m.rows*m.cols, m.rows, m.cols)
	}
	wide := make([]float64, len(w))
	widen(wide, any(w), 0)
	for i, x := range wide {
		if !(math.Abs(x) <= math.MaxFloat32) {
			return nil, &WeightError{Row: i / m.cols, Col: i % m.cols, Value: x}
		}
	}
	return newOutputMeter(h, runtime.GOMAXPROCS(0)).errors(wide, 1, m, nil)
}

// An outputMeter computes errors of outputs, of one matrix after the other.
type outputMeter struct {
	hessian *Hessian
	memory  []meterMemory // by worker
}

// A meterMemory is the memory of a worker.
type meterMemory struct {
	row  []float32
	e, y []float64 // of a block of rows, as quadratic takes them
}

func newOutputMeter(h *Hessian, workers int) *outputMeter {
	return &outputMeter{h, make([]meterMemory, workers)}
}

// errors returns the error of each row of m, which was made of every every-th row of w,
// with its columns multiplied by s if s is not nil.
func (o *outputMeter) errors(w []float64, every int, m *Matrix, s []float32) ([]float64, error) {
	errs := make([]float64, m.rows)
	block := min((m.rows-1)/len(o.memory)+1, quadraticRows)
	stride := quadraticStride(m.cols)
	var started atomic.Int64
	err := forBlocks(context.Background(), m.rows, block, len(o.memory), func() (func(lo, hi int) (int, error), error) {
		mem := &o.memory[started.Add(1)-1]
		if len(mem.e) < block*stride {
			mem.row, mem.e, mem.y = make([]float32, m.cols), make([]float64, block*stride), make([]float64, block*stride)
		}
		return func(lo, hi int) (int, error) {
			for row := lo; row < hi; row++ {
				m.dequantizeRow(mem.row, row)
				difference(mem.e[(row-lo)*stride:], w[row*every*m.cols:], mem.row, s)
			}
			o.hessian.quadratic(errs[lo:hi], mem.e, mem.y[:(hi-lo)*stride])
			return 0, nil
		}, nil
	})
	return errs, err
}

// difference sets e to w − ŵ/s, or to w − ŵ if s is nil, where ŵ is back.
func difference(e, w []float64, back, s []float32) {
	e, w = e[:len(back)], w[:len(back)]
	if s == nil {
		for i, y := range back {
			e[i] = w[i] - float64(y)
		}
		return
	}
	s = s[:len(back)]
	for i, y := range back {
		e[i] = w[i] - float64(y)/float64(s[i])
	}
}

// quadraticRows is the largest number of vectors in one pass over a Hessian.
const quadraticRows = 64

// quadraticStride returns the distance of vectors of cols columns in memory: an odd
// number of cache lines, so that they spread over all sets of the cache.
func quadraticStride(cols int) int { return (cols+7)/8*8 | 8 }

// quadratic sets each q to e·H·e divided by the number of vectors of h. The vectors e
// lie quadraticStride apart. y is scratch memory of the same size.
func (h *Hessian) quadratic(q, e, y []float64) {
	// y becomes −e·U, where U is what H has above its diagonal.
	n := h.cols
	stride := quadraticStride(n)
	clear(y)
	const block = 64
	var (
		near [block * block]float64 // of U, the part within a block
		c, r [quadraticRows][]float64
	)
	for lo := 0; lo < n; lo += block {
		hi := min(lo+block, n)
		for i := lo; i < hi; i++ {
			copy(near[(i-lo)*block+i-lo+1:], h.row(i)[1:hi-i])
		}
		for row := range q {
			r[row] = e[row*stride+lo:]
		}
		// Rows of near end with the diagonal, so that columns to the left need fewer.
		for col := lo; col < hi; col += algebra.TileCols {
			end := min(col+algebra.TileCols, hi)
			for row := range q {
				c[row] = y[row*stride+col : row*stride+end]
			}
			reduce(h.set, c[:len(q)], r[:len(q)], 1, near[col-lo:], block, 0, end-lo)
		}
		if hi == n {
			break
		}
		for row := range q {
			c[row] = y[row*stride+hi : row*stride+n]
		}
		reduce(h.set, c[:len(q)], r[:len(q)], 1, h.sums[rowOffset(n, lo)+hi-lo:], n-lo-1, 1, hi-lo)
	}
	diagonal := make([]float64, n)
	for i := range diagonal {
		diagonal[i] = h.row(i)[0]
	}
	// The diagonal counts once, everything else twice. Four rows are summed up at a time,
	// as an addition waits for the one before.
	for row := 0; row < len(q); row += 4 {
		var rows [4]int
		for i := range rows {
			rows[i] = min(row+i, len(q)-1)
		}
		of := func(x []float64, i int) []float64 { return x[rows[i]*stride:][:n] }
		e0, e1, e2, e3 := of(e, 0), of(e, 1), of(e, 2), of(e, 3)
		y0, y1, y2, y3 := of(y, 0), of(y, 1), of(y, 2), of(y, 3)
		var s0, s1, s2, s3 float64
		for i, d := range diagonal {
			s0 += float64(e0[i] * (float64(d*e0[i]) - 2*y0[i]))
			s1 += float64(e1[i] * (float64(d*e1[i]) - 2*y1[i]))
			s2 += float64(e2[i] * (float64(d*e2[i]) - 2*y2[i]))
			s3 += float64(e3[i] * (float64(d*e3[i]) - 2*y3[i]))
		}
		for i, sum := range [...]float64{s0, s1, s2, s3} {
			q[rows[i]] = max(sum/float64(h.n), 0) // rounding may take it below
		}
	}
}

// Divide returns the Hessian of the same vectors with column i divided by s[i], which
// must be positive. These are the inputs of weights that were multiplied by s. The
// error matches ErrShape or ErrNotFinite.
func (h *Hessian) Divide(s []float32) (*Hessian, error) {
	if h.Cols() == 0 {
		return nil, shapeError("Cols()", 0, "at least 1")
	}
	if len(s) != h.cols {
		return nil, shapeError("len(s)", len(s), "%d (columns)", h.cols)
	}
	for i, x := range s {
		if !(x > 0) || math.IsInf(float64(x), 0) {
			return nil, fmt.Errorf("quant: scale of column %d is %v: %w", i, x, ErrNotFinite)
		}
	}
	d := newHessian(h.cols, h.n, make([]float64, len(h.sums)), h.set)
	at := 0
	for i := range s {
		for j := i; j < h.cols; j++ {
			d.sums[at] = h.sums[at] / float64(float64(s[i])*float64(s[j]))
			at++
		}
	}
	return d, nil
}
