package quant

import (
	"context"
	"math"
	"runtime"
)

// A Report is what [Measure] finds: errors of quantized weights ŵ against the originals
// w. With importances a by column, the sums in MSE and NMSE are weighted by them;
// without, a = 1.
type Report struct {
	MSE      float64   // Σ a·(w − ŵ)² / Σ a
	NMSE     float64   // Σ a·(w − ŵ)² / Σ a·w²; 0 if there is no error
	MaxError float64   // the largest |w − ŵ|, never weighted
	Rows     []float64 // the MSE of each row
	// Choices is the number of groups that chose each codebook, indexed as
	// Type().Codebooks(): for BitMoD types, the special values. It is nil if rows are
	// of several types, which have different codebooks.
	Choices []int
}

// SQNR returns the signal-to-quantization-noise ratio in dB, −10·log10(NMSE);
// +Inf if there is no error.
func (r *Report) SQNR() float64 {
	if r == nil {
		return math.NaN()
	}
	return -10 * math.Log10(r.NMSE)
}

// Measure compares weights with their quantized form. m was made of w, row-major.
// importance is nil or has a non-negative weight for each column, commonly the mean
// square of the activation that the column is multiplied by. Errors in columns with
// large activations then count for more, which predicts a layer's output error much
// better than the plain error of weights.
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
	rep := &Report{Rows: make([]float64, m.rows)}
	if m.mixed == nil {
		rep.Choices = make([]int, len(m.codebooks))
	}
	power := make([]float64, m.rows)
	noise := make([]float64, m.rows)
	worst := make([]float64, m.rows)
	err := forRows(context.Background(), m.rows, m.cols, runtime.GOMAXPROCS(0), func() (func(row int) error, error) {
		wide := make([]float64, m.cols)
		got := make([]float32, m.cols)
		return func(row int) error {
			widen(wide, weights, row*m.cols)
			m.dequantizeRow(got, row)
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
				worst[row] = max(worst[row], math.Abs(e))
			}
			rep.Rows[row] = ratio(noise[row], perRow)
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
		rep.MaxError = max(rep.MaxError, worst[row])
		for g := 0; rep.Choices != nil && g < m.groups; g++ {
			rep.Choices[m.selector(row, g)]++
		}
	}
	rep.MSE, rep.NMSE = ratio(noiseSum, perRow*float64(m.rows)), ratio(noiseSum, powerSum)
	return rep, nil
}

// ratio returns a/b, and 0 for 0/0.
func ratio(a, b float64) float64 {
	if a == 0 {
		return 0
	}
	return a / b
}
