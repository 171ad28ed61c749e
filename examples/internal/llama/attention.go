package llama

import "math"

// attend computes the attention of one layer for a chunk: n queries at the last n
// positions, over the keys and values of all positions up to their own. It writes
// the heads' outputs to dst, laid out as the queries.
func (r *Runner) attend(dst, queries, keys, values []float32, n int) {
	c := &r.model.Config
	width := c.kvDim()
	length := len(keys) / width
	// Work is shared out by query and head, in order, so that workers get alike
	// amounts only roughly: later queries see more.
	r.crew.Split(n*c.Heads, 1, 2*n*length*c.qDim(), func(worker, lo, hi int) {
		scores := r.crew.Scratch(worker, length)
		for i := lo; i < hi; i++ {
			query, head := i/c.Heads, i%c.Heads
			seen := length - n + query + 1
			kv := head / (c.Heads / c.KVHeads) * c.HeadDim
			attendHead(dst[i*c.HeadDim:][:c.HeadDim], queries[i*c.HeadDim:][:c.HeadDim], keys[kv:], values[kv:], width, scores[:seen])
		}
	})
}

// attendHead is one head for one query. Key and value j are at j·width, for each j
// in scores, which it uses as working space.
func attendHead(dst, query, keys, values []float32, width int, scores []float32) {
	scale := float32(1 / math.Sqrt(float64(len(query))))
	for j := range scores {
		scores[j] = dot(query, keys[j*width:]) * scale
	}
	softmax(scores)
	clear(dst)
	for j, p := range scores {
		for i, v := range values[j*width:][:len(dst)] {
			dst[i] += float32(p * v)
		}
	}
}

// dot returns the inner product of x and the beginning of y, in four sums that do
// not wait for each other.
func dot(x, y []float32) float32 {
	y = y[:len(x)]
	var s0, s1, s2, s3 float32
	for len(x) >= 4 && len(y) >= 4 {
		s0 += float32(x[0] * y[0])
		s1 += float32(x[1] * y[1])
		s2 += float32(x[2] * y[2])
		s3 += float32(x[3] * y[3])
		x, y = x[4:], y[4:]
	}
	for i, v := range x {
		s0 += float32(v * y[i])
	}
	return (s0 + s1) + (s2 + s3)
}
