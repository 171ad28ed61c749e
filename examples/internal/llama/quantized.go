package llama

import "github.com/bitmod-go/bitmod/quant"

// An unpacked is a quant.Matrix multiplied as float32 weights.
type unpacked struct {
	dense
	matrix *quant.Matrix
}

func unpack(m *quant.Matrix) (*unpacked, error) {
	w := make([]float32, m.Rows()*m.Cols())
	if err := m.Dequantize(w); err != nil {
		return nil, err
	}
	return &unpacked{*newDense(w, m.Cols()), m}, nil
}

func (u *unpacked) Bytes() int { return u.matrix.Bytes() }
