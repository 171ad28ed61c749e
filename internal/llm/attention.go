package llm

import (
	"math"

	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

// attendRows is the approximate number of queries of all heads that are processed at
// once, so that keys and values that they share are read once.
const attendRows = 12

// attend computes the attention of one layer for a chunk. The n queries are at the last n
// positions. Each attends to the keys and values of all positions up to its own, or of
// the positions in the layer's window. Keys are in columns, as keyCache returns them.
// attend writes the heads' outputs to dst, laid out as the queries.
//
// Sums go from the first element to the last, and from the first position to the
// last, so that a chunk gives the same bits as its tokens one by one.
func (r *Runner) attend(layer int, dst, queries, keys, values []float32, n int) {
	c := &r.model.Config
	length := len(values) / c.kvDim()
	share := c.Heads / c.KVHeads
	block := max(attendRows/share, 1) // queries at once
	window := c.layer(layer).Window
	if window > 0 && window < length {
		block = 1 // each query sees another first position
	}
	blocks := (n + block - 1) / block
	// Work is divided by block and head, in order. Workers get only roughly equal
	// amounts, as later queries see more.
	r.crew.Split(blocks*c.KVHeads, 1, 2*n*length*c.qDim(), func(worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			first := i / c.KVHeads * block
			a := attention{
				c: c, sinks: r.model.Layers[layer].Sinks, head: i % c.KVHeads, keys: keys, values: values,
				start: max(0, length-n+first+1-max(window, 1)), end: length - n + first + 1,
			}
			if window == 0 {
				a.start = 0
			}
			last := min(first+block, n)
			a.compute(dst[first*c.qDim():last*c.qDim()], queries[first*c.qDim():last*c.qDim()], r.crew, worker)
		}
	})
}

// An attention computes the attention of consecutive queries in the heads that share a
// key-value head. The first query sees positions start…end−1, the next query one more,
// and so on.
type attention struct {
	c            *Config
	sinks        []float32
	head         int // of keys and values
	keys, values []float32
	start, end   int
}

func (a *attention) compute(dst, queries []float32, crew *Crew, worker int) {
	c := a.c
	width, dim, share := c.kvDim(), c.HeadDim, c.Heads/c.KVHeads
	n := len(queries) / c.qDim()
	rows := n * share
	base := a.start / keyColumns * keyColumns // the first of the columns that are computed
	columns := (a.end + n - 1 - base + keyColumns - 1) / keyColumns * keyColumns
	scratch := crew.Scratch(worker, rows*(2*dim+columns))
	q, out, scores := scratch[:rows*dim], scratch[rows*dim:2*rows*dim], scratch[2*rows*dim:]
	by := float32(1 / math.Sqrt(c.queryScale()))
	at := func(i int) int { return i/share*c.qDim() + (a.head*share+i%share)*dim } // of row i
	for i := range rows {
		for j, x := range queries[at(i):][:dim] {
			q[i*dim+j] = x * by
		}
	}
	kv := a.head * dim
	for j := 0; j < columns; j += keyColumns {
		floats.Multiply(floats.Matrix{Data: scores[j:], Stride: columns}, floats.Matrix{Data: q, Stride: dim},
			floats.Matrix{Data: a.keys[(base+j)*width+kv*keyColumns:], Stride: keyColumns}, rows, keyColumns, dim)
	}
	seen := a.end + n - 1 - a.start // by the last query
	for i := range rows {
		p := scores[i*columns+a.start-base:][:seen]
		clear(p[a.end-a.start+i/share:]) // what this one does not see counts for nothing
		p = p[:a.end-a.start+i/share]
		if c.AttentionCap != 0 {
			softCap(p, c.AttentionCap)
		}
		if a.sinks != nil {
			softmaxBeside(p, a.sinks[a.head*share+i%share])
		} else {
			floats.Softmax(p)
		}
	}
	floats.Multiply(floats.Matrix{Data: out, Stride: dim}, floats.Matrix{Data: scores[a.start-base:], Stride: columns},
		floats.Matrix{Data: a.values[a.start*width+kv:], Stride: width}, rows, dim, seen)
	for i := range rows {
		copy(dst[at(i):][:dim], out[i*dim:])
	}
}

func (c *Config) queryScale() float64 {
	if c.QueryScale != 0 {
		return c.QueryScale
	}
	return float64(c.HeadDim)
}

// scoreRows sets scores to the products of a query with keys, the j-th at j·width. It
// processes four keys at once, because additions to one sum wait for each other.
func scoreRows(scores, query, keys []float32, width int) {
	n := len(query)
	j := 0
	for ; j+4 <= len(scores); j += 4 {
		k0, k1 := keys[j*width:][:n], keys[(j+1)*width:][:n]
		k2, k3 := keys[(j+2)*width:][:n], keys[(j+3)*width:][:n]
		var s0, s1, s2, s3 float32
		for i, q := range query {
			s0 += float32(q * k0[i])
			s1 += float32(q * k1[i])
			s2 += float32(q * k2[i])
			s3 += float32(q * k3[i])
		}
		scores[j], scores[j+1], scores[j+2], scores[j+3] = s0, s1, s2, s3
	}
	for ; j < len(scores); j++ {
		var s float32
		for i, k := range keys[j*width:][:n] {
			s += float32(query[i] * k)
		}
		scores[j] = s
	}
}
