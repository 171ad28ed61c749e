package llm

import (
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// A change is what scales do to some rows of a tensor.
type change struct {
	location
	rows    int       // of an [out, in] matrix; elements of a vector
	columns []float32 // factors of the columns, or nil
	divisor []float32 // divisors of the rows, or nil
	plusOne bool      // one is added to the elements before they are divided
}

// change notes what the scales s of a fold do to tensors.
func (g *scaling) change(f fold, s []float32) {
	add := func(n tensorName, c change) {
		c.location = g.result.source.at(n)
		g.result.changes[c.name] = append(g.result.changes[c.name], c)
	}
	for _, p := range f.readers {
		rows, _ := g.c.Size(p)
		add(p.tensor(), change{rows: rows, columns: s})
	}
	layer := f.readers[0].Layer
	if f.router {
		add(routerName(layer), change{rows: g.c.Experts, columns: s})
	}
	if f.norm != "" {
		n := tensorName{layer: layer, expert: -1, part: f.norm}
		add(n, change{rows: len(s), divisor: s, plusOne: g.c.NormPlusOne})
		if g.c.LayerNorm {
			n.bias = true
			add(n, change{rows: len(s), divisor: s})
		}
		return
	}
	if f.ties != nil { // the heads of a group share the values
		byValue := make([]float32, g.c.kvDim())
		for i, v := range f.ties {
			byValue[v] = s[i]
		}
		s = byValue
	}
	n := f.rows.tensor()
	add(n, change{rows: len(s), divisor: s})
	if f.rows.Kind < Embedding && g.c.Bias[f.rows.Kind] {
		n.bias = true
		add(n, change{rows: len(s), divisor: s})
	}
}

// Scaled returns the number of tensors that have scales.
func (s *Scaling) Scaled() int { return len(s.changes) }

// Entries returns the tensors of the scaled model for [checkpoint.Save]. Tensors
// with scales become F32: with fewer bits, rounding would change what the model computes.
func (s *Scaling) Entries() []checkpoint.Entry {
	var es []checkpoint.Entry
	for _, t := range s.source.c.Tensors() {
		e := checkpoint.Entry{Name: t.Name, From: s.source.c}
		if changes := s.changes[t.Name]; changes != nil {
			e = checkpoint.Entry{Name: t.Name, Shape: t.Shape, DType: "F32"}
			e.Read = (&scaledTensor{c: s.source.c, t: t, changes: changes}).read
		}
		es = append(es, e)
	}
	return es
}

// A scaledTensor reads a tensor with its changes.
type scaledTensor struct {
	c       *checkpoint.Checkpoint
	t       checkpoint.Tensor
	changes []change
	buf     []float32
}

// read sets dst to the elements from first on.
func (s *scaledTensor) read(dst []float32, first int64) error {
	cols := int64(s.t.Cols())
	lo, hi := first/cols, (first+int64(len(dst))-1)/cols+1
	w := grow(&s.buf, int((hi-lo)*cols))
	if err := s.c.ReadRows(w, s.t.Name, int(lo), int(hi)); err != nil {
		return err
	}
	for _, c := range s.changes {
		for r := lo; r < hi; r++ {
			c.apply(w[(r-lo)*cols:][:cols], int(r), s.t)
		}
	}
	copy(dst, w[first-lo*cols:])
	return nil
}

// apply changes row r of the tensor t as it is stored.
func (c *change) apply(w []float32, r int, t checkpoint.Tensor) {
	switch {
	case len(t.Shape) == 1:
		w = w[c.first:][:c.rows]
		for i, d := range c.divisor {
			if c.plusOne {
				w[i] = (w[i]+1)/d - 1
			} else {
				w[i] /= d
			}
		}
	case c.inOut: // w has the weights of one input
		ins, outs := t.Shape[len(t.Shape)-2], t.Cols()
		matrix, in := r/ins, r%ins
		lo, hi := max(c.first-matrix*outs, 0), min(c.first+c.rows-matrix*outs, outs)
		for out := lo; out < hi; out++ {
			if c.columns != nil {
				w[out] *= c.columns[in]
			} else {
				w[out] /= c.divisor[matrix*outs+out-c.first]
			}
		}
	case r >= c.first && r < c.first+c.rows:
		for i := range w {
			if c.columns != nil {
				w[i] *= c.columns[i]
			} else {
				w[i] /= c.divisor[r-c.first]
			}
		}
	}
}
