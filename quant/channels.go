package quant

import (
	"context"
	"fmt"
	"math"
	"runtime"
)

// Channels are scales by column, as [ChannelScales] finds them.
type Channels struct {
	// Scales has the factor of every column: the weights to quantize are w·diag(s),
	// and what they are multiplied by x/s.
	Scales []float32
	// Alpha is the exponent that the scales were made with, 0 if all are 1.
	Alpha float64
	// Error is the squared error of the layer's output with the scales, summed up
	// over rows and averaged over the Hessian's vectors, and Unscaled the same
	// without.
	Error, Unscaled float64
}

// channelSteps is the number of exponents that are tried besides 0: a power of two,
// so that roots are square roots of square roots, which are the same bits on every
// architecture.
const channelSteps = 16

// ChannelScales looks for the scales of the columns of w, row-major with cols
// columns, that make the output of the layer, quantized as c says, most like that of
// w: activation-aware quantization, AWQ (arXiv 2306.00978). Columns that see large
// inputs are scaled up, so that they are rounded with smaller errors, and their
// inputs down by as much, which costs nothing where the operation before can take it:
// the caller divides the weights of an RMSNorm, or the rows of the matrix before, by
// s. Matrices with the same inputs must share their scales: w is then all their rows.
//
// With a the root mean square of a column's inputs, from h, it tries s = a^α for α =
// 0, 1/16, … 1, divided by √(max s · min s), and takes the least
//
//	Σ over rows of (w − ŵ/s)·H·(w − ŵ/s)
//
// 0 among them, so that Error is never above Unscaled. ties is nil or has a number for
// each column, in 0…cols−1: columns of the same number share a scale, made of the
// mean of their inputs' squares. c.Importance is by column of w; c.Feedback is left
// out of the search.
//
// It quantizes 17 times and takes about 9·cols² multiplications a row besides, on
// c.Workers goroutines; the result is the same for any number. Errors are as of
// [Group]; a Hessian with another number of columns, or without vectors, matches
// ErrShape.
func ChannelScales[T Weight](w []T, cols int, c Config, h *Hessian, ties []int) (*Channels, error) {
	if err := checkOutput(len(w), cols, h); err != nil {
		return nil, err
	}
	amplitudes, err := amplitudes(h, ties)
	if err != nil {
		return nil, err
	}
	c.Feedback = nil
	importance := c.Importance
	if err := c.checkColumns(cols); err != nil {
		return nil, err
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	wide := make([]float64, len(w))
	widen(wide, any(w), 0)
	scaled := make([]float32, len(w))
	best := &Channels{}
	for step := range channelSteps + 1 {
		alpha := float64(step) / channelSteps
		s := channelPowers(amplitudes, step)
		if s == nil {
			continue // beyond what float32 has
		}
		for i, x := range wide {
			scaled[i] = float32(x * float64(s[i%cols]))
		}
		if importance != nil {
			c.Importance = make([]float64, cols)
			for i, a := range importance {
				c.Importance[i] = a / float64(float64(s[i])*float64(s[i]))
			}
		}
		m, err := Group(scaled, cols, c)
		if err != nil {
			if step > 0 {
				continue // an outlier that scales take beyond float32
			}
			return nil, err
		}
		rows, err := outputErrors(wide, m, h, s, c.Workers)
		if err != nil {
			return nil, err
		}
		sum := 0.0
		for _, e := range rows {
			sum += e
		}
		if step == 0 {
			best.Unscaled = sum
		}
		if step == 0 || sum < best.Error {
			best.Scales, best.Alpha, best.Error = s, alpha, sum
		}
	}
	return best, nil
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

// amplitudes returns the root mean square of every column's inputs, of all columns
// together that are tied.
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

// channelPowers returns a^(step/channelSteps) divided by the geometric mean of the
// largest and the least, 1 for columns that are always 0, or nil if one of them is
// beyond what is sensible.
func channelPowers(a []float64, step int) []float32 {
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
			s[i] = float32(channelPower(x/middle, step))
		}
		if !(s[i] >= 0x1p-60 && s[i] <= 0x1p60) {
			return nil
		}
	}
	return s
}

// channelPower returns x^(step/channelSteps).
func channelPower(x float64, step int) float64 {
	p := 1.0
	for bit := channelSteps; bit > 0; bit /= 2 {
		if step&bit != 0 {
			p *= x
		}
		x = math.Sqrt(x)
	}
	return p
}

// OutputErrors returns, for each row of w and of m, which was made of it, the squared
// error of the layer's output, (w − ŵ)·H·(w − ŵ), averaged over the vectors of h. It
// is to rows what no error of single weights is: errors that the inputs cancel don't
// count. Errors match ErrShape or ErrNotFinite. It takes cols²/2 multiplications a
// row, on GOMAXPROCS goroutines; the result is the same for any number.
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
	return outputErrors(wide, m, h, nil, runtime.GOMAXPROCS(0))
}

// outputErrors is OutputErrors for weights of which m has the columns multiplied by
// s, if it is not nil.
func outputErrors(w []float64, m *Matrix, h *Hessian, s []float32, workers int) ([]float64, error) {
	errs := make([]float64, m.rows)
	err := forBlocks(context.Background(), m.rows, quadraticRows, workers, func() (func(lo, hi int) (int, error), error) {
		got := make([]float32, m.cols)
		e := make([][quadraticRows]float64, m.cols)
		return func(lo, hi int) (int, error) {
			clear(e)
			for row := lo; row < hi; row++ {
				m.dequantizeRow(got, row)
				for i, x := range w[row*m.cols : (row+1)*m.cols] {
					y := float64(got[i])
					if s != nil {
						y /= float64(s[i])
					}
					e[i][row-lo] = x - y
				}
			}
			q := h.quadratic(e)
			copy(errs[lo:hi], q[:])
			return 0, nil
		}, nil
	})
	return errs, err
}

// quadraticRows is the number of vectors that one pass over a Hessian serves.
const quadraticRows = 4

// quadratic returns e·H·e divided by the number of vectors, for four e side by side.
func (h *Hessian) quadratic(e [][quadraticRows]float64) (q [quadraticRows]float64) {
	at := 0
	for i := range e {
		row := h.sums[at : at+h.cols-i]
		at += len(row)
		var s0, s1, s2, s3 float64
		rest := e[i:][:len(row)]
		for j, x := range row {
			v := &rest[j]
			s0 += float64(x * v[0])
			s1 += float64(x * v[1])
			s2 += float64(x * v[2])
			s3 += float64(x * v[3])
		}
		// The diagonal counts once, everything else twice.
		for r, s := range [quadraticRows]float64{s0, s1, s2, s3} {
			x := e[i][r]
			q[r] += float64(x * (2*s - float64(row[0]*x)))
		}
	}
	for r := range q {
		q[r] = max(q[r]/float64(h.n), 0) // rounding may take it below
	}
	return q
}

// Divide returns the Hessian of the same vectors with column i divided by s[i], which
// must be positive: the inputs of weights that were multiplied by s. The error
// matches ErrShape or ErrNotFinite.
func (h *Hessian) Divide(s []float32) (*Hessian, error) {
	if len(s) != h.cols {
		return nil, shapeError("len(s)", len(s), "%d (columns)", h.cols)
	}
	for i, x := range s {
		if !(x > 0) || math.IsInf(float64(x), 0) {
			return nil, fmt.Errorf("quant: scale of column %d is %v: %w", i, x, ErrNotFinite)
		}
	}
	d := &Hessian{cols: h.cols, n: h.n, sums: make([]float64, len(h.sums))}
	at := 0
	for i := range s {
		for j := i; j < h.cols; j++ {
			d.sums[at] = h.sums[at] / float64(float64(s[i])*float64(s[j]))
			at++
		}
	}
	return d, nil
}
