// Package floats has the loops on float32 that neural networks need around their
// matrices, and the multiplication of float32 matrices.
//
// The definition of each is a Go function. It rounds every product and every sum,
// except that Multiply rounds a product and its sum once, as vector instructions do. In
// a sum of Lanes parts, part l has the elements l, l+Lanes, l+2·Lanes …, and the parts
// are added in halves: part l to part l+8, then l+4, l+2 and l+1. Assembly, where there
// is some, gives the same bits.
package floats

import "math"

// Lanes is the number of parts that sums of float32 have.
const Lanes = 16

// A Matrix has rows of float32; the i-th begins at Data[i·Stride].
type Matrix struct {
	Data   []float32
	Stride int
}

func (m Matrix) row(i, n int) []float32 { return m.Data[i*m.Stride:][:n] }

// Multiply writes the product of a, which is m×k, and b, which is k×n, to c. Sums begin
// with 0 and go from the first of the k to the last by FMA.
func Multiply(c, a, b Matrix, m, n, k int) {
	if m <= 0 || n <= 0 {
		return
	}
	at := 0
	if k > 0 {
		at = multiplyColumns(c, a, b, m, n, k)
	}
	if at < n {
		multiplyGeneric(c, a, b, m, at, n, k)
	}
}

// multiplyGeneric computes columns lo…hi−1.
func multiplyGeneric(c, a, b Matrix, m, lo, hi, k int) {
	for i := range m {
		sums := c.row(i, hi)[lo:]
		clear(sums)
		for j, v := range a.row(i, k) {
			row := b.row(j, hi)[lo:]
			for l, w := range row {
				sums[l] = FMA(v, w, sums[l])
			}
		}
	}
}

// AddRow adds y to each row of x. Rows are as long as y.
func AddRow(x, y []float32) {
	for len(x) >= len(y) && len(y) > 0 {
		n := addRow(x[:len(y)], y)
		for i := n; i < len(y); i++ {
			x[i] += y[i]
		}
		x = x[len(y):]
	}
}

// Norm has the weight and the bias of layer normalization, each as long as a row.
type Norm struct {
	Weight, Bias []float32
	Eps          float32
}

// Layer normalizes each row of x to a mean of 0 and a variance of 1, multiplies it by
// n.Weight, adds n.Bias, and writes it to dst, which may be x.
func (n *Norm) Layer(dst, x []float32) {
	for width := len(n.Weight); len(x) >= width && width > 0; dst, x = dst[width:], x[width:] {
		if !n.layer(dst[:width], x[:width]) {
			n.layerGeneric(dst[:width], x[:width])
		}
	}
}

func (n *Norm) layerGeneric(dst, x []float32) {
	var parts [Lanes]float32
	for i, v := range x {
		parts[i%Lanes] += v
	}
	count := float32(len(x))
	mean := halves(&parts) / count
	parts = [Lanes]float32{}
	for i, v := range x {
		d := v - mean
		parts[i%Lanes] += float32(d * d)
	}
	scale := 1 / float32(math.Sqrt(float64(halves(&parts)/count+n.Eps)))
	for i, v := range x {
		dst[i] = float32(float32((v-mean)*scale)*n.Weight[i]) + n.Bias[i]
	}
}

// RMS scales each row of x to a root mean square of 1, multiplies it by n.Weight, and
// writes it to dst, which may be x. n.Bias is not used.
func (n *Norm) RMS(dst, x []float32) {
	for width := len(n.Weight); len(x) >= width && width > 0; dst, x = dst[width:], x[width:] {
		if !n.rms(dst[:width], x[:width]) {
			n.rmsGeneric(dst[:width], x[:width])
		}
	}
}

func (n *Norm) rmsGeneric(dst, x []float32) {
	var parts [Lanes]float32
	for i, v := range x {
		parts[i%Lanes] += float32(v * v)
	}
	scale := 1 / float32(math.Sqrt(float64(halves(&parts)/float32(len(x))+n.Eps)))
	for i, v := range x {
		dst[i] = float32(v*scale) * n.Weight[i]
	}
}

// Rotate rotates each head of x, of length head, in place: the first len(cos) elements
// with the next len(cos), by the angles with the given cosines and sines.
func Rotate(x, cos, sin []float32, head int) {
	half := len(cos)
	sin = sin[:half]
	heads := len(x) / max(head, 1)
	if half == 0 || heads == 0 || head < 2*half || rotate(x, cos, sin, heads, head) {
		return
	}
	for ; len(x) >= head; x = x[head:] {
		rotateGeneric(x, cos, sin)
	}
}

func rotateGeneric(x, cos, sin []float32) {
	for i, c := range cos {
		s := sin[i]
		a, b := &x[i], &x[i+len(cos)]
		*a, *b = float32(*a*c)-float32(*b*s), float32(*a*s)+float32(*b*c)
	}
}

// halves adds the parts of a sum.
func halves(parts *[Lanes]float32) float32 {
	for n := Lanes / 2; n > 0; n /= 2 {
		for l := range n {
			parts[l] += parts[l+n]
		}
	}
	return parts[0]
}

// Softmax replaces x by its softmax.
func Softmax(x []float32) {
	if len(x) > 0 && !softmax(x) {
		softmaxGeneric(x)
	}
}

func softmaxGeneric(x []float32) {
	top := x[0]
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	var parts [Lanes]float32
	for i, v := range x {
		x[i] = Exp(v - top)
		parts[i%Lanes] += x[i]
	}
	scale := 1 / halves(&parts)
	for i := range x {
		x[i] *= scale
	}
}

// Coefficients by testdata/fit.py. They must not be changed.
var (
	ExpPoly    = [5]float32{0.49999994, 0.166665211, 0.041668389, 0.00836871658, 0.00138145988}
	NormalPoly = [8]float32{0.119629301, 0.120753929, 0.0999136791, 0.128561005, -0.0536824763, 0.206352234, -0.157202348, 0.0356745981}
)

const (
	ExpLeast = -87 // below which e^x is no normal number
	ExpMost  = 88
	Log2E    = 1.44269502
	Ln2High  = 0.693359375 // its product with a whole number up to 2⁷ is exact
	Ln2Low   = -2.12194442e-4
	Rounder  = 3 << 22         // added to a number, and subtracted, it rounds it to a whole one
	Decay    = 0.3             // of NormalPoly: 1 − Φ(x) = exp(−x²/2)·Σ NormalPoly[i]·(1/(1 + Decay·x))ⁱ⁺¹
	TanhX    = -2 * 0.79788456 // of GELUTanh
	TanhX3   = TanhX * 0.044715
)

// Exp returns e^x with a relative error of 2·10⁻⁷, for x clamped to −87 … 88. Exp(NaN)
// is e⁻⁸⁷.
func Exp(x float32) float32 {
	if !(x > ExpLeast) {
		x = ExpLeast
	}
	if !(x < ExpMost) {
		x = ExpMost
	}
	k := float32(x*Log2E) + Rounder
	k -= Rounder
	r := x - float32(k*Ln2High)
	r -= float32(k * Ln2Low)
	p := ExpPoly[4]
	for i := 3; i >= 0; i-- {
		p = float32(p*r) + ExpPoly[i]
	}
	p = float32(float32(p*r)*r) + r
	p += 1
	return p * math.Float32frombits(uint32(int32(k)+127)<<23)
}

// An Activation is a function between the two matrices of a feed-forward network.
type Activation int

const (
	GELU     Activation = iota // x·P(X < x) of a normal distribution, to 3·10⁻⁷
	GELUTanh                   // an approximation of it by tanh
	SiLU                       // x/(1+e⁻ˣ)
	ReLU                       // the greater of x and 0
)

// Apply adds bias to each row of x, which is as long as bias, and replaces the elements
// by their activations.
func (f Activation) Apply(x, bias []float32) {
	for len(x) >= len(bias) && len(bias) > 0 {
		n := f.apply(x[:len(bias)], bias)
		for i := n; i < len(bias); i++ {
			x[i] = f.Of(x[i] + bias[i])
		}
		x = x[len(bias):]
	}
}

// Gate sets x to its activations times y, which is as long.
func (f Activation) Gate(x, y []float32) {
	if len(x) == 0 {
		return
	}
	y = y[:len(x)]
	for i := f.gate(x, y); i < len(x); i++ {
		x[i] = float32(f.Of(x[i])) * y[i]
	}
}

// Of returns the activation of x.
func (f Activation) Of(x float32) float32 {
	switch f {
	case GELU:
		t := 1 / (float32(Decay*abs(x)) + 1)
		p := NormalPoly[7]
		for i := 6; i >= 0; i-- {
			p = float32(p*t) + NormalPoly[i]
		}
		tail := float32(p*t) * Exp(float32(x*x)*-0.5)
		tail = float32(tail * x)
		if x > 0 {
			return x - tail
		}
		return tail
	case GELUTanh:
		p := float32(float32(x*x)*TanhX3) + TanhX
		return x / (Exp(float32(p*x)) + 1)
	case SiLU:
		return x / (Exp(-x) + 1)
	default:
		if x > 0 {
			return x
		}
		return 0
	}
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
