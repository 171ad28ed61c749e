package llm

import (
	"github.com/bitmod-go/bitmod/kernel"
	"github.com/bitmod-go/bitmod/quant"
)

// A Quantized is a Linear of a packed matrix, multiplied in its packed form.
type Quantized struct {
	*quant.Matrix
	Int8 bool // see Quantizer
}

// Row writes the weights of a row to dst.
func (q *Quantized) Row(dst []float32, row int) error { return q.DequantizeRow(dst, row) }

// Mul multiplies through package kernel.
func (q *Quantized) Mul(dst, x []float32, n int, c *Crew) error {
	rows, cols := q.Rows(), q.Cols()
	as := c.Activations(n)
	if n == 1 { // shared out by row
		if err := q.load(&as[0], x); err != nil {
			return err
		}
		const faster = 16 // than float32, so that sharing out pays later
		return c.try(rows, rowBlock, rows*cols/faster, func(_, lo, hi int) error {
			return kernel.GEMVRows(dst, q.Matrix, &as[0], lo, hi)
		})
	}
	load := func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			if err := q.load(&as[i], x[i*cols:][:cols]); err != nil {
				return err
			}
		}
		return nil
	}
	const tile = 64 // rows that are unpacked for all vectors of a call
	if rows/tile >= 4*c.pool.Size() {
		if err := c.try(n, 1, 4*cols*n, func(_, lo, hi int) error { return load(lo, hi) }); err != nil {
			return err
		}
		return c.try(rows, tile, rows*cols*n, func(_, lo, hi int) error {
			return kernel.GEMMRows(dst[:n*rows], q.Matrix, as, lo, hi)
		})
	}
	return c.try(n, 1, rows*cols*n, func(_, lo, hi int) error { // by vector
		if err := load(lo, hi); err != nil {
			return err
		}
		return kernel.GEMM(dst[lo*rows:hi*rows], q.Matrix, as[lo:hi])
	})
}

func (q *Quantized) load(a *kernel.Activation, x []float32) error {
	if q.Int8 {
		return a.Load(x)
	}
	return a.LoadFloat(x)
}

// An unpacked is a packed matrix multiplied as float32 weights.
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
