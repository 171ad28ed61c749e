package llama

import "github.com/bitmod-go/bitmod/quant"

// A Quantized is a Linear of a quant.Matrix.
type Quantized struct {
	Matrix *quant.Matrix
	dense  *dense
}

func newQuantized(m *quant.Matrix) (*Quantized, error) {
	w := make([]float32, m.Rows()*m.Cols())
	if err := m.Dequantize(w); err != nil {
		return nil, err
	}
	return &Quantized{m, newDense(w, m.Cols())}, nil
}

func (q *Quantized) Rows() int  { return q.Matrix.Rows() }
func (q *Quantized) Cols() int  { return q.Matrix.Cols() }
func (q *Quantized) Bytes() int { return q.Matrix.Bytes() }

func (q *Quantized) Row(dst []float32, row int) error { return q.Matrix.DequantizeRow(dst, row) }

func (q *Quantized) Mul(dst, x []float32, n int, c *Crew) error { return q.dense.Mul(dst, x, n, c) }
