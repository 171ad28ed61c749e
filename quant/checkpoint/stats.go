package checkpoint

import (
	"fmt"
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/quant"
)

// Stats are statistics of a quantized tensor.
type Stats struct {
	// Choices is the number of groups that use each codebook, indexed as
	// Type.Codebooks: for BitMoD types, the special values. It is empty, not nil, for
	// rows of several types.
	Choices []int64
	// Weights is the number of weights that were compared with the originals. If it is
	// 0, the fields below are not set.
	Weights  int64
	Noise    float64 // Σ (w − ŵ)²
	Power    float64 // Σ w²
	MaxError float64 // the largest |w − ŵ|
	// Zeroed is the number of groups that became all 0 though some weights were not,
	// such as groups of tiny weights in a row with a large one.
	Zeroed int64
	// Histogram counts weights w by w/σ, where σ is the root mean square of the weight's
	// row. Bin i counts ratios from i/8 − 6 up to, not including, i/8 − 5.875. The first
	// bin also counts smaller ratios, and the last bin larger ones.
	Histogram [96]int64
}

// NMSE returns Noise/Power, 0 if there is no error.
func (s Stats) NMSE() float64 {
	if s.Noise == 0 {
		return 0
	}
	return s.Noise / s.Power
}

// SQNR returns the signal-to-quantization-noise ratio in dB, +Inf if there is no
// error.
func (s Stats) SQNR() float64 { return -10 * math.Log10(s.NMSE()) }

// Add adds the statistics of another tensor, or of other rows of the same. Choices of
// different lengths, which are of different types, become empty and stay empty.
func (s *Stats) Add(o Stats) {
	if s == nil {
		return
	}
	switch {
	case o.Choices == nil:
	case s.Choices == nil:
		s.Choices = slices.Clone(o.Choices)
	case len(s.Choices) == len(o.Choices):
		for i, n := range o.Choices {
			s.Choices[i] += n
		}
	default:
		s.Choices = []int64{}
	}
	s.Weights += o.Weights
	s.Noise += o.Noise
	s.Power += o.Power
	s.MaxError = max(s.MaxError, o.MaxError)
	s.Zeroed += o.Zeroed
	for i, n := range o.Histogram {
		s.Histogram[i] += n
	}
}

// histogramEnd is the upper edge of the last bin of a Histogram, in σ.
const histogramEnd = 6

func (s *Stats) addToHistogram(ratio float64) {
	h := &s.Histogram
	i := math.Floor((ratio/histogramEnd + 1) * float64(len(h)) / 2)
	h[int(min(max(i, 0), float64(len(h)-1)))]++
}

// count counts the codebooks of the rows of m from first on.
func count(m *quant.Matrix, first int) Stats {
	if m.Parts() > 1 {
		return Stats{Choices: []int64{}}
	}
	s := Stats{Choices: make([]int64, len(m.Type().Codebooks()))}
	if len(s.Choices) == 1 {
		s.Choices[0] = int64(m.Rows()-first) * int64(m.Groups())
		return s
	}
	bits := m.Type().SelectorBits()
	selectors := m.Storage().Selectors
	rowBytes := len(selectors) / m.Rows()
	for ; first < m.Rows(); first++ {
		row := selectors[first*rowBytes : (first+1)*rowBytes]
		for g := range m.Groups() {
			s.Choices[row[g*bits/8]>>(g*bits%8)&(1<<bits-1)]++
		}
	}
	return s
}

// measure compares rows of weights with the rows of m from first on. buf has room for
// one row.
func measure[T float32 | float64](s *Stats, w []T, m *quant.Matrix, first int, buf []float32) error {
	cols := m.Cols()
	for row := 0; row*cols < len(w); row++ {
		if err := m.DequantizeRow(buf, first+row); err != nil {
			return err
		}
		var noise, power float64
		own := w[row*cols : (row+1)*cols]
		for i, x := range own {
			x := float64(x)
			if !(math.Abs(x) <= math.MaxFloat32) {
				return fmt.Errorf("%w: the original has %v at row %d of a block, column %d", quant.ErrNotFinite, x, row, i)
			}
			e := x - float64(buf[i])
			noise += float64(e * e)
			power += float64(x * x)
			s.MaxError = max(s.MaxError, math.Abs(e))
		}
		part, _ := m.RowPart(first + row)
		s.Zeroed += zeroed(own, buf, m.Part(part).GroupSize())
		if sigma := math.Sqrt(power / float64(cols)); sigma > 0 {
			for _, x := range own {
				s.addToHistogram(float64(x) / sigma)
			}
		} else {
			s.Histogram[len(s.Histogram)/2] += int64(cols)
		}
		s.Noise += noise
		s.Power += power
		s.Weights += int64(cols)
	}
	return nil
}

// zeroed counts the groups of a row w that are not all 0 and became all 0.
func zeroed[T float32 | float64](w []T, became []float32, groupSize int) int64 {
	n := int64(0)
	for lo := 0; lo < len(w); lo += groupSize {
		hi := min(lo+groupSize, len(w))
		if !slices.ContainsFunc(became[lo:hi], func(x float32) bool { return x != 0 }) &&
			slices.ContainsFunc(w[lo:hi], func(x T) bool { return x != 0 }) {
			n++
		}
	}
	return n
}
