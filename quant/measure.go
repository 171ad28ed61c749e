package quant

import (
	"context"
	"math"
	"runtime"
)

// Metrics are errors of quantized weights ŵ against the originals w. With
// importances a by column, the sums in MSE and NMSE are weighted by them;
// without, a = 1.
type Metrics struct {
	MSE      float64 // Σ a·(w − ŵ)² / Σ a
	NMSE     float64 // Σ a·(w − ŵ)² / Σ a·w²; 0 if there is no error
	MaxError float64 // the largest |w − ŵ|, never weighted
}

// SQNR returns the signal-to-quantization-noise ratio in dB, −10·log10(NMSE);
// +Inf if there is no error.
func (m Metrics) SQNR() float64 { return -10 * math.Log10(m.NMSE) }

// A Report is what [Measure] finds.
type Report struct {
	Metrics           // of the whole matrix
	Rows    []Metrics // by row
	// Groups is the number of groups that chose each codebook, indexed as
	// Type().Codebooks(): for BitMoD types, the special values. It is nil if rows are
	// of several types, which have different codebooks.
	Groups []int
}

// Measure compares weights with their quantized form. w is what m was made of,
// row-major. importance is nil or has a non-negative weight for each column,
// commonly the mean square of the activation that the column is multiplied by:
// errors in columns that see large activations then count for more, which
// predicts a layer's output error much better than the plain error of weights.
//
// The error matches ErrShape or ErrNotFinite. Rows are measured on GOMAXPROCS
// goroutines; sums are in float64 and in one order, so that results do not
// depend on their number.
func Measure[T Weight](w []T, m *Matrix, importance []float64) (*Report, error) {
	if m == nil {
		m = new(Matrix)
	}
	if n := m.rows * m.cols; len(w) != n || n == 0 {
		return nil, shapeError("len(w)", len(w), "%d (%d rows × %d columns)", n, m.rows, m.cols)
	}
	if importance != nil && len(importance) != m.cols {
		return nil, shapeError("len(importance)", len(importance), "%d (columns)", m.cols)
	}
	if err := checkImportance(importance); err != nil {
		return nil, err
	}
	var perRow float64
	for _, a := range importance {
		perRow += a
	}
	if importance == nil {
		perRow = float64(m.cols)
	}
	weights := any(w)
	rep := &Report{Rows: make([]Metrics, m.rows)}
	if m.mixed == nil {
		rep.Groups = make([]int, len(m.codebooks))
	}
	power := make([]float64, m.rows)
	noise := make([]float64, m.rows)
	err := forRows(context.Background(), m.rows, m.cols, runtime.GOMAXPROCS(0), func() (func(row int) error, error) {
		wide := make([]float64, m.cols)
		got := make([]float32, m.cols)
		return func(row int) error {
			widen(wide, weights, row*m.cols)
			m.dequantizeRow(got, row)
			r := &rep.Rows[row]
			for i, x := range wide {
				if !(math.Abs(x) <= math.MaxFloat32) {
					return &WeightError{Row: row, Col: i, Value: x}
				}
				a := 1.
				if importance != nil {
					a = importance[i]
				}
				e := x - float64(got[i])
				noise[row] += float64(float64(a*e) * e)
				power[row] += float64(float64(a*x) * x)
				r.MaxError = max(r.MaxError, math.Abs(e))
			}
			r.set(noise[row], power[row], perRow)
			return nil
		}, nil
	})
	if err != nil {
		return nil, err
	}
	var noiseSum, powerSum float64
	for row := range m.rows {
		noiseSum += noise[row]
		powerSum += power[row]
		rep.MaxError = max(rep.MaxError, rep.Rows[row].MaxError)
		for g := 0; rep.Groups != nil && g < m.groups; g++ {
			rep.Groups[m.selector(row, g)]++
		}
	}
	rep.set(noiseSum, powerSum, perRow*float64(m.rows))
	return rep, nil
}

func (m *Metrics) set(noise, power, weight float64) {
	if noise == 0 {
		return
	}
	m.MSE = noise / weight
	m.NMSE = noise / power
}
