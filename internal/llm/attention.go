package llm

import (
	"math"

	"gonum.org/v1/gonum/blas/blas32"
)

// attend computes the attention of one layer for a chunk: n queries at the last n
// positions, over the keys and values of all positions up to their own, or of as many as
// the layer's window has. It writes the heads' outputs to dst, laid out as the queries.
//
// Sums go from the first element to the last, and from the first position to the
// last, so that a chunk gives the same bits as its tokens one by one.
func (r *Runner) attend(layer int, dst, queries, keys, values []float32, n int) {
	c := &r.model.Config
	width, dim := c.kvDim(), c.HeadDim
	length := len(keys) / width
	start := 0 // of the positions that any query sees
	window := c.layer(layer).Window
	if window > 0 {
		start = max(0, length-n+1-window)
		keys, values, length = keys[start*width:], values[start*width:], length-start
	}
	var transposed []float32
	if batches && n >= minBatch {
		transposed = r.crew.Shared(len(keys))
		r.crew.Split(width, 16, 4*len(keys), func(_, lo, hi int) { transpose(transposed, keys, length, width, lo, hi) })
	}
	scale := float32(1 / math.Sqrt(c.queryScale()))
	sinks := r.model.Layers[layer].Sinks
	// Work is shared out by query and head, in order, so that workers get alike
	// amounts only roughly: later queries see more.
	r.crew.Split(n*c.Heads, 1, 2*n*length*c.qDim(), func(worker, lo, hi int) {
		scratch := r.crew.Scratch(worker, length)
		for i := lo; i < hi; i++ {
			query, head := i/c.Heads, i%c.Heads
			kv := head / (c.Heads / c.KVHeads) * dim
			q := queries[i*dim:][:dim]
			end, first := length-n+query+1, 0
			if window > 0 {
				first = max(0, end-window)
			}
			scores := scratch[:end-first]
			if transposed != nil {
				scoreColumns(scores, q, transposed[kv*length+first:], length)
			} else {
				scoreRows(scores, q, keys[first*width+kv:], width)
			}
			for j := range scores {
				scores[j] *= scale
			}
			if c.AttentionCap != 0 {
				softCap(scores, c.AttentionCap)
			}
			if sinks != nil {
				softmaxBeside(scores, sinks[head])
			} else {
				softmax(scores)
			}
			combine(dst[i*dim:][:dim], scores, values[first*width+kv:], width)
		}
	})
}

func (c *Config) queryScale() float64 {
	if c.QueryScale != 0 {
		return c.QueryScale
	}
	return float64(c.HeadDim)
}

// scoreRows sets scores to the products of a query with keys, of which the j-th is
// at j·width: four keys at once, because adds to one sum wait for each other.
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

// scoreColumns is scoreRows with keys transposed: element i of all keys is at
// i·length.
func scoreColumns(scores, query, keys []float32, length int) {
	blas := blas32.Implementation()
	clear(scores)
	for i, q := range query {
		blas.Saxpy(len(scores), q, keys[i*length:][:len(scores)], 1, scores, 1)
	}
}

// combine sets dst to the sum of values, of which the j-th is at j·width, times p.
func combine(dst, p, values []float32, width int) {
	n := len(dst)
	clear(dst)
	j := 0
	for ; j+4 <= len(p); j += 4 {
		p0, p1, p2, p3 := p[j], p[j+1], p[j+2], p[j+3]
		v0, v1 := values[j*width:][:n], values[(j+1)*width:][:n]
		v2, v3 := values[(j+2)*width:][:n], values[(j+3)*width:][:n]
		for i, d := range dst {
			d += float32(p0 * v0[i])
			d += float32(p1 * v1[i])
			d += float32(p2 * v2[i])
			d += float32(p3 * v3[i])
			dst[i] = d
		}
	}
	for ; j < len(p); j++ {
		for i, v := range values[j*width:][:n] {
			dst[i] += float32(p[j] * v)
		}
	}
}
