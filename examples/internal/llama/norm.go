package llama

import "math"

// rmsNorm writes x, scaled to a root mean square of 1 and then by weight, to dst.
func rmsNorm(dst, x, weight []float32, eps float64) {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v) // exact product; the sum in one order
	}
	scale := float32(1 / math.Sqrt(sum/float64(len(x))+eps))
	for i, v := range x {
		dst[i] = weight[i] * float32(v*scale)
	}
}

// swiGLU writes silu(gate)·up to gate.
func swiGLU(gate, up []float32) {
	for i, g := range gate {
		gate[i] = float32(float64(g)/(1+math.Exp(-float64(g)))) * up[i]
	}
}

// softmax makes probabilities of x in place, and returns the logarithm of the sum
// of their exponentials.
func softmax(x []float32) (logSum float64) {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range x {
		e := math.Exp(float64(v - top))
		x[i] = float32(e)
		sum += e
	}
	scale := float32(1 / sum)
	for i := range x {
		x[i] *= scale
	}
	return float64(top) + math.Log(sum)
}

// add adds y to x.
func add(x, y []float32) {
	for i, v := range y {
		x[i] += v
	}
}
