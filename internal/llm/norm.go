package llm

import (
	"math"

	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

// rmsNorm writes x, scaled to a root mean square of 1 and then by weight, to dst.
func rmsNorm(dst, x, weight []float32, eps float64) {
	n := floats.Norm{Weight: weight, Eps: float32(eps)}
	n.RMS(dst, x)
}

// apply writes rows of x after the norm to dst, which may be x.
func (n Norm) apply(dst, x []float32, c *Config) {
	f := floats.Norm{Weight: n.Weight, Bias: n.Bias, Eps: float32(c.NormEps)}
	if c.LayerNorm {
		f.Layer(dst, x)
	} else {
		f.RMS(dst, x)
	}
}

// softmaxBeside is floats.Softmax of x and one more score, whose probability is
// dropped.
func softmaxBeside(x []float32, beside float32) {
	top := beside
	for _, v := range x {
		top = max(top, v)
	}
	sum := exp(float64(beside - top))
	for i, v := range x {
		e := exp(float64(v - top))
		x[i] = float32(e)
		sum += e
	}
	scale(x, float32(1/sum))
}

// softCap bounds x in place: each becomes limit·tanh(x/limit).
func softCap(x []float32, limit float64) {
	for i, v := range x {
		x[i] = float32(limit * tanh(float64(v)/limit))
	}
}

// tanh returns the hyperbolic tangent to some 27 bits, the same ones on all
// architectures.
func tanh(x float64) float64 {
	if x > -0.1 && x < 0.1 { // where the difference below would lose bits
		x2 := float64(x * x)
		p := float64(x2*(-17./315)) + 2./15
		p = float64(x2*p) - 1./3
		return x + float64(float64(x*x2)*p)
	}
	return 1 - 2/(exp(2*x)+1)
}

// exp returns e^x to some 27 bits, which is enough for float32: it takes a third
// of the time of math.Exp, and gives the same bits on all architectures.
func exp(x float64) float64 {
	if !(x > -700 && x < 700) {
		return math.Exp(x) // 0, +Inf or NaN as far as float32 can tell
	}
	// x = k·ln 2 + r, |r| ≤ ln 2/2. Adding and subtracting 1.5·2⁵² rounds to an
	// integer.
	const rounder = 3 << 51
	k := float64(x*math.Log2E) + rounder - rounder
	r := x - float64(k*math.Ln2)
	r2 := float64(r * r)
	p := float64(r2*(float64(r*(1./5040))+1./720)) + (float64(r*(1./120)) + 1./24)
	p = float64(float64(r2*r2)*p) + float64(r2*(float64(r*(1./6))+1./2)) + (1 + r)
	return p * math.Float64frombits(uint64(int64(k)+1023)<<52)
}

// add adds y to x.
func add(x, y []float32) { floats.AddRow(x[:len(y)], y) }

// scale multiplies x by a.
func scale(x []float32, a float32) {
	for i := range x {
		x[i] *= a
	}
}
