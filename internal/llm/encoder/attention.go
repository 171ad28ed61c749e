package encoder

import (
	"math"

	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

// attend sets heads to the attention of each token of a text over all tokens of that
// text. q, k and v have the products of the layer's matrices, without biases.
func (r *Runner) attend(l *layer, n int) {
	c := &r.model.Config
	dim := c.Dim
	heads := grow(&r.heads, n*dim)
	r.crew.Split(n, 1, 8*n*dim, func(_, lo, hi int) {
		floats.AddRow(r.q[lo*dim:hi*dim], l.query.bias)
		floats.AddRow(r.k[lo*dim:hi*dim], l.key.bias)
		floats.AddRow(r.v[lo*dim:hi*dim], l.value.bias)
	})
	work := 0
	for _, t := range r.texts {
		work += (t.hi - t.lo) * (t.hi - t.lo)
	}
	// Work is divided by text and head.
	r.crew.Split(len(r.texts)*c.Heads, 1, 4*work*dim, func(worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			r.attendHead(heads, r.texts[i/c.Heads], i%c.Heads, worker)
		}
	})
}

// attendBlock is the number of tokens whose scores are in memory at the same time.
const attendBlock = 32

func (r *Runner) attendHead(heads []float32, t span, head, worker int) {
	c := &r.model.Config
	dim, size, length := c.Dim, c.headDim(), t.hi-t.lo
	if length == 0 {
		return
	}
	of := func(x []float32, token int) floats.Matrix {
		return floats.Matrix{Data: x[token*dim+head*size:], Stride: dim}
	}
	// Rows of whole registers are faster. The last columns are not used.
	stride := (length + floats.Lanes - 1) / floats.Lanes * floats.Lanes
	scratch := r.crew.Scratch(worker, (size+attendBlock)*stride)
	keys := floats.Matrix{Data: scratch[:size*stride], Stride: stride}
	scores := floats.Matrix{Data: scratch[size*stride:], Stride: stride}
	k := of(r.k, t.lo)
	for i := range size {
		row := keys.Data[i*stride:][:stride]
		clear(row[length:])
		for j := range length {
			row[j] = k.Data[j*dim+i]
		}
	}
	scale := float32(1 / math.Sqrt(float64(size)))
	for at := 0; at < length; at += attendBlock {
		n := min(attendBlock, length-at)
		floats.Multiply(scores, of(r.q, t.lo+at), keys, n, stride, size)
		for i := range n {
			s := scores.Data[i*stride:][:length]
			for j := range s {
				s[j] *= scale
			}
			if r.bias.table != nil {
				floats.AddRow(s, r.bias.row(head, at+i, length))
			}
			floats.Softmax(s)
		}
		floats.Multiply(of(heads, t.lo+at), scores, of(r.v, t.lo), n, size, length)
	}
}

// A relativeBias is added to the scores of tokens by their distance.
type relativeBias struct {
	length int       // of texts that there is room for
	table  []float32 // 2·length−1 for each head, by the position of a key less the position of a query, from −length+1 on
}

// row returns the summands for the scores of the query at a position of a text.
func (b *relativeBias) row(head, query, length int) []float32 {
	width := 2*b.length - 1
	return b.table[head*width+b.length-1-query:][:length]
}

// grow makes the table long enough for a text.
func (b *relativeBias) grow(c *Config, weights []float32, length int) {
	if length <= b.length {
		return
	}
	b.length = length
	width := 2*length - 1
	b.table = make([]float32, c.Heads*width)
	for i := range width {
		bucket := bucketOf(i-length+1, c.Buckets)
		for h := range c.Heads {
			b.table[h*width+i] = weights[bucket*c.Heads+h]
		}
	}
}

// bucketOf returns the bucket of a distance, the position of a key less the position of a
// query. Buckets in the first half are for keys up to the query, and buckets in the
// second half for later keys. In each half, the first half of the buckets are for one
// distance each, and the others for distances up to 128 by their logarithm.
func bucketOf(distance, buckets int) int {
	half := buckets / 2
	first := 0
	if distance > 0 {
		first = half
	}
	n := max(distance, -distance)
	near := half / 2
	if n < near {
		return first + n
	}
	// In float32, as in transformers, so that it rounds likewise.
	log := float32(math.Log(float64(float32(n)/float32(near)))) / float32(math.Log(128/float64(near)))
	return first + min(near+int(float32(log*float32(half-near))), half-1)
}
