package llm

import (
	"context"
	"fmt"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// mixedTypes are the types that rows of a mixed matrix may have.
var mixedTypes = []datatype.Type{datatype.BitMoD3, datatype.BitMoD4, datatype.Int8}

// mixedConfigs returns c with each of the mixedTypes.
func mixedConfigs(c quant.Config) []quant.Config {
	cs := make([]quant.Config, len(mixedTypes))
	for i, t := range mixedTypes {
		cs[i] = c
		cs[i].Type = t
	}
	return cs
}

// A mixedLayer has for each Kind the type of every row, as an index of mixedTypes, or
// nil if all are of one type.
type mixedLayer [Down + 1][]uint8

// mixedRows has the types of all layers, or is nil if no rows are mixed.
type mixedRows []mixedLayer

func (m mixedRows) layer(i int) mixedLayer {
	if m == nil {
		return mixedLayer{}
	}
	return m[i]
}

// mixRows gives rows of all layers 3, 4 or 8 bits, so that the matrices of the layers
// take r.Bits bits a weight on average, or just below. With δ for the errors of a row,
// y for its output and L for the loss, the cost of a row is estimated as
//
//	½ · E[(∂L/∂y)²] · E[(δ·x)²]
//
// the second-order term of the loss, with the expectation of the product taken as the
// product of the expectations. If the text is the model's own, it is also the
// second-order term of the Kullback-Leibler divergence.
//
// MixLLM's salience is |S1 + ½·S1²| with S1 = Σ G⊙δ, G being the mean gradient by the
// weights. On text that the model writes itself the mean gradient is only noise, and on
// the embedded model it chooses worse rows: mixed rows of the groups of 128 have a
// Kullback-Leibler divergence of
//
//	bits   this     MixLLM's   the same, of the sum over the text   E[(δ·x)²] alone
//	3.3    0.03989  0.04412    0.04740                              0.04480
//	3.5    0.02255  0.03168    0.03733                              0.03715
//	4      0.01176  0.02020    0.01987                              0.01560
func (c *Calibration) mixRows(r *Recipe) (mixedRows, error) {
	if r.Bits == 0 {
		return nil, nil
	}
	hs, err := c.hessians()
	if err != nil {
		return nil, err
	}
	squares, err := c.gradients()
	if err != nil {
		return nil, err
	}
	var (
		choices [][]quant.Cost
		weights int
	)
	plain := *r // what a type costs a row is measured without feedback, which takes long
	plain.Feedback = nil
	for i, l := range c.model.Layers {
		for j, kinds := range inputs {
			for _, k := range kinds {
				costs, err := plain.rowCosts(c.ctx, l.Linears[k], hs[i][j], squares[i][k])
				if err != nil {
					return nil, fmt.Errorf("llm: layer %d: %s: %w", i, kindNames[k], err)
				}
				choices = append(choices, costs...)
				weights += l.Linears[k].Rows() * l.Linears[k].Cols()
			}
		}
	}
	// The index of rows in their parts takes up to a byte for 16 rows.
	picked, err := quant.Allot(choices, int(r.Bits*float64(weights)/8)-len(choices)/16)
	if err != nil {
		return nil, fmt.Errorf("llm: %v bits a weight: %w", r.Bits, err)
	}
	mixed := make(mixedRows, len(c.model.Layers))
	for i, l := range c.model.Layers {
		for _, kinds := range inputs {
			for _, k := range kinds {
				n := l.Linears[k].Rows()
				mixed[i][k], picked = picked[:n], picked[n:]
			}
		}
	}
	return mixed, nil
}

// rowCosts returns the choices of every row of a matrix.
func (r *Recipe) rowCosts(ctx context.Context, l Linear, h *quant.Hessian, squares []float64) ([][]quant.Cost, error) {
	w, err := Weights(l)
	if err != nil {
		return nil, err
	}
	choices := make([][]quant.Cost, l.Rows())
	for _, c := range mixedConfigs(r.config(h)) {
		m, err := quant.GroupContext(ctx, w, l.Cols(), c)
		if err != nil {
			return nil, err
		}
		errs, err := quant.OutputErrors(w, m, h)
		if err != nil {
			return nil, err
		}
		for row, e := range errs {
			// One more byte holds the type of the row.
			choices[row] = append(choices[row], quant.Cost{Bytes: m.Bytes()/m.Rows() + 1, Loss: squares[row] * e / 2})
		}
	}
	return choices, nil
}
