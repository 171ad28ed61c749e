package llm

import (
	"errors"

	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// Table returns a table of rows × cols in a tensor of a checkpoint, from row first on.
// Its rows are read when they are looked up. Mul returns an error.
func Table(c *checkpoint.Checkpoint, tensor string, first, rows, cols int) Linear {
	return &table{c, tensor, first, rows, cols}
}

type table struct {
	c                 *checkpoint.Checkpoint
	tensor            string
	first, rows, cols int
}

func (t *table) Rows() int  { return t.rows }
func (t *table) Cols() int  { return t.cols }
func (t *table) Bytes() int { return 0 }

func (t *table) Row(dst []float32, row int) error {
	return t.c.ReadRows(dst, t.tensor, t.first+row, t.first+row+1)
}

var errNotInMemory = errors.New("llm: multiplying by a table that is not in memory")

func (t *table) Mul([]float32, []float32, int, *Crew) error { return errNotInMemory }
