package llm

import (
	"github.com/bitmod-go/bitmod/kernel"
	"github.com/bitmod-go/bitmod/quant"
)

// A Quantized is a Linear of a packed matrix, multiplied in its packed form.
type Quantized struct {
	*quant.Matrix
	Activations Activations
}

// Row writes the weights of a row to dst.
func (q *Quantized) Row(dst []float32, row int) error { return q.DequantizeRow(dst, row) }

// Mul multiplies through package kernel.
func (q *Quantized) Mul(dst, x []float32, n int, c *Crew) error {
	return mulPacked([][]float32{dst}, []*Quantized{q}, x, n, c)
}

// mulPacked multiplies n vectors by matrices with the same Activations and number of
// columns. It loads the vectors once, and divides all rows as if they were of one
// matrix.
func mulPacked(dsts [][]float32, qs []*Quantized, x []float32, n int, c *Crew) error {
	rows, cols := 0, qs[0].Cols()
	for _, q := range qs {
		rows += q.Rows()
	}
	as := c.Activations(n)
	if n == 1 {
		if err := qs[0].load(&as[0], x); err != nil {
			return err
		}
		const faster = 16 // times as fast as float32, so sharing pays only for more work
		return c.try(rows, rowBlock, rows*cols/faster, func(_, lo, hi int) error {
			return eachOf(qs, lo, hi, func(i, lo, hi int) error {
				return kernel.GEMVRows(dsts[i], qs[i].Matrix, &as[0], lo, hi)
			})
		})
	}
	load := func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			if err := qs[0].load(&as[i], x[i*cols:][:cols]); err != nil {
				return err
			}
		}
		return nil
	}
	const tile = 64 // rows that are unpacked for all vectors of a call
	if rows/tile >= 4*c.pool.Size() {
		if err := c.try(n, 1, cols*n, func(_, lo, hi int) error { return load(lo, hi) }); err != nil {
			return err
		}
		return c.try(rows, tile, rows*cols*n, func(_, lo, hi int) error {
			return eachOf(qs, lo, hi, func(i, lo, hi int) error {
				return kernel.GEMMRows(dsts[i][:n*qs[i].Rows()], qs[i].Matrix, as, lo, hi)
			})
		})
	}
	return c.try(n, 1, rows*cols*n, func(_, lo, hi int) error { // by vector
		if err := load(lo, hi); err != nil {
			return err
		}
		for i, q := range qs {
			if err := kernel.GEMM(dsts[i][lo*q.Rows():hi*q.Rows()], q.Matrix, as[lo:hi]); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachOf calls f for each matrix with the rows that it has of rows lo…hi−1, where
// matrices are one below the other.
func eachOf(qs []*Quantized, lo, hi int, f func(i, lo, hi int) error) error {
	for i, q := range qs {
		rows := q.Rows()
		if lo < rows && hi > 0 {
			if err := f(i, max(lo, 0), min(hi, rows)); err != nil {
				return err
			}
		}
		lo, hi = lo-rows, hi-rows
	}
	return nil
}

func (q *Quantized) load(a *kernel.Activation, x []float32) error {
	switch q.Activations {
	case Int8:
		return a.Load(x)
	case Int16:
		return a.Load16(x)
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

// Unpacked returns rows lo to hi−1 of a packed matrix as a matrix of float32 weights.
func Unpacked(m *quant.Matrix, lo, hi int) (Linear, error) {
	cols := m.Cols()
	w := make([]float32, (hi-lo)*cols)
	for row := lo; row < hi; row++ {
		if err := m.DequantizeRow(w[(row-lo)*cols:][:cols], row); err != nil {
			return nil, err
		}
	}
	return newDense(w, cols), nil
}

func (u *unpacked) Bytes() int { return u.matrix.Bytes() }
