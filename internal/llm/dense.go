package llm

import "github.com/bitmod-go/bitmod/internal/loops/floats"

// A dense is a float32 matrix. Products are always summed from the first column to the
// last by floats.FMA, so that a text gives the same bits in one piece and token by
// token.
type dense struct {
	// w has the first rows in panels, and the others one after the other. A panel is
	// panelRows rows, column by column: their sums grow side by side.
	w                  []float32
	rows, cols, panels int
}

// panelRows is the number of columns that floats.Multiply takes at once.
const panelRows = 64

func newDense(w []float32, cols int) *dense {
	d := &dense{w: w, rows: len(w) / cols, cols: cols}
	if floats.Fast() {
		d.panels = d.rows / panelRows
	}
	if d.panels == 0 {
		return d
	}
	d.w = make([]float32, len(w))
	for at := 0; at < d.inPanels()*cols; at += panelRows * cols {
		transpose(d.w[at:], w[at:], panelRows, cols, 0, cols)
	}
	copy(d.w[d.inPanels()*cols:], w[d.inPanels()*cols:])
	return d
}

// inPanels returns the number of rows that are in panels.
func (d *dense) inPanels() int { return d.panels * panelRows }

func (d *dense) Rows() int  { return d.rows }
func (d *dense) Cols() int  { return d.cols }
func (d *dense) Bytes() int { return 4 * len(d.w) }

func (d *dense) Row(dst []float32, row int) error {
	if row >= d.inPanels() {
		copy(dst, d.w[row*d.cols:][:d.cols])
		return nil
	}
	panel := d.w[row/panelRows*panelRows*d.cols:][:panelRows*d.cols]
	for i := range dst[:d.cols] {
		dst[i] = panel[i*panelRows+row%panelRows]
	}
	return nil
}

// weights returns the matrix row by row. It must not be changed.
func (d *dense) weights() []float32 {
	if d.panels == 0 {
		return d.w
	}
	w := make([]float32, len(d.w))
	for at := 0; at < d.inPanels()*d.cols; at += panelRows * d.cols {
		transpose(w[at:], d.w[at:], d.cols, panelRows, 0, panelRows)
	}
	copy(w[d.inPanels()*d.cols:], d.w[d.inPanels()*d.cols:])
	return w
}

const (
	// rowBlock is the number of rows that mulRows multiplies at once: additions to one
	// sum wait for each other, additions to eight sums overlap.
	rowBlock = 8
	// maxBatch is the number of vectors that are processed at a time, so that the data
	// for a panel stays in the second-level cache.
	maxBatch = 256
)

func (d *dense) Mul(dst, x []float32, n int, c *Crew) error {
	for n > 0 {
		b := min(n, maxBatch)
		if d.panels > 0 {
			d.mulPanels(dst, x, b, c)
		} else {
			c.Split(d.rows, rowBlock, d.rows*d.cols*b, func(_, lo, hi int) {
				for v := range b {
					d.mulRows(dst[v*d.rows:], x[v*d.cols:][:d.cols], lo, hi)
				}
			})
		}
		dst, x, n = dst[b*d.rows:], x[b*d.cols:], n-b
	}
	return nil
}

// mulRows writes rows lo…hi−1 of W·x to the same places of dst.
func (d *dense) mulRows(dst, x []float32, lo, hi int) {
	n := len(x)
	for ; lo+rowBlock <= hi; lo += rowBlock {
		w := d.w[lo*d.cols:][:rowBlock*n]
		w0, w1, w2, w3 := w[:n], w[n:2*n], w[2*n:3*n], w[3*n:4*n]
		w4, w5, w6, w7 := w[4*n:5*n], w[5*n:6*n], w[6*n:7*n], w[7*n:8*n]
		var y0, y1, y2, y3, y4, y5, y6, y7 float32
		for i, v := range x {
			y0 = floats.FMA(w0[i], v, y0)
			y1 = floats.FMA(w1[i], v, y1)
			y2 = floats.FMA(w2[i], v, y2)
			y3 = floats.FMA(w3[i], v, y3)
			y4 = floats.FMA(w4[i], v, y4)
			y5 = floats.FMA(w5[i], v, y5)
			y6 = floats.FMA(w6[i], v, y6)
			y7 = floats.FMA(w7[i], v, y7)
		}
		dst[lo], dst[lo+1], dst[lo+2], dst[lo+3] = y0, y1, y2, y3
		dst[lo+4], dst[lo+5], dst[lo+6], dst[lo+7] = y4, y5, y6, y7
	}
	for ; lo < hi; lo++ {
		var y float32
		for i, w := range d.w[lo*d.cols:][:n] {
			y = floats.FMA(w, x[i], y)
		}
		dst[lo] = y
	}
}

// mulPanels multiplies n vectors.
func (d *dense) mulPanels(dst, x []float32, n int, c *Crew) {
	const faster = 8 // than one weight after the other
	c.Split(d.rows, panelRows, d.rows*d.cols*n/faster, func(_, lo, hi int) {
		for ; lo < min(hi, d.inPanels()); lo += panelRows {
			floats.Multiply(floats.Matrix{Data: dst[lo:], Stride: d.rows}, floats.Matrix{Data: x, Stride: d.cols},
				floats.Matrix{Data: d.w[lo*d.cols:], Stride: panelRows}, n, panelRows, d.cols)
		}
		for v := range n {
			d.mulRows(dst[v*d.rows:], x[v*d.cols:][:d.cols], lo, hi)
		}
	})
}

// transpose writes columns lo…hi−1 of the n×cols matrix x to rows of t.
func transpose(t, x []float32, n, cols, lo, hi int) {
	for v := range n {
		for i := lo; i < hi; i++ {
			t[i*n+v] = x[v*cols+i]
		}
	}
}
