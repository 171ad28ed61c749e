package floats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// bits returns the bits of x, the same for all NaNs.
func bits(x []float32) []uint32 {
	b := make([]uint32, len(x))
	for i, v := range x {
		b[i] = math.Float32bits(v)
		if v != v {
			b[i] = math.Float32bits(float32(math.NaN()))
		}
	}
	return b
}

func same(t *testing.T, name string, got, want []float32) {
	t.Helper()
	g, w := bits(got), bits(want)
	for i := range w {
		if len(g) != len(w) || g[i] != w[i] {
			t.Fatalf("%s: element %d of %d is %v, want %v", name, i, len(w), got[i], want[i])
		}
	}
}

var special = []float32{0, float32(math.Copysign(0, -1)), 1, -1, 87, -87, 88.5, -88.5, 1e-30, -1e-30, 1e30, -1e30, 1e-45, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}

// vector returns n numbers between elements that must stay as they are, and a function
// that tests them.
func vector(t *testing.T, r *rand.Rand, n int, wild bool) (x []float32, check func()) {
	const around = 33
	all := make([]float32, n+2*around)
	for i := range all {
		all[i] = float32(r.NormFloat64() * 3)
		if wild && r.IntN(8) == 0 {
			all[i] = special[r.IntN(len(special))]
		}
	}
	before := slices.Clone(all)
	return all[around : around+n : around+n], func() {
		t.Helper()
		same(t, "before", all[:around], before[:around])
		same(t, "behind", all[around+n:], before[around+n:])
	}
}

func lengths() []int {
	var all []int
	for n := 1; n <= 70; n++ {
		all = append(all, n)
	}
	return append(all, 127, 384, 1000)
}

// TestDefinition compares the functions with their definitions, bit for bit, and checks
// that nothing is written beside the results.
func TestDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range lengths() {
		for _, wild := range []bool{false, true} {
			x, check := vector(t, r, n, wild)
			y, _ := vector(t, r, n, wild)
			z, _ := vector(t, r, n, false)
			add := slices.Clone(x)
			for i := range add {
				add[i] += y[i]
			}
			in := slices.Clone(x)
			AddRow(x, y)
			check()
			same(t, "AddRow", x, add)

			for f := GELU; f <= ReLU; f++ {
				want := slices.Clone(in)
				for i := range want {
					want[i] = f.Of(want[i] + y[i])
				}
				copy(x, in)
				f.Apply(x, y)
				check()
				same(t, "activation", x, want)
			}

			norm := Norm{Weight: y, Bias: z, Eps: 1e-5}
			want := make([]float32, n)
			norm.layerGeneric(want, in)
			copy(x, in)
			norm.Layer(x, x)
			check()
			same(t, "Layer", x, want)

			norm.rmsGeneric(want, in)
			copy(x, in)
			norm.RMS(x, x)
			check()
			same(t, "RMS", x, want)

			for f := GELU; f <= ReLU; f++ {
				want := slices.Clone(in)
				for i := range want {
					want[i] = f.Of(want[i]) * y[i]
				}
				copy(x, in)
				f.Gate(x, y)
				check()
				same(t, "gate", x, want)
			}

			// Heads have up to n elements. Elements beyond the first 2·half do not rotate.
			half := r.IntN(n/2 + 1)
			head := 2*half + r.IntN(n-2*half+1)
			want = slices.Clone(in)
			for i := 0; head > 0 && i+head <= n; i += head {
				rotateGeneric(want[i:], y[:half], z[:half])
			}
			copy(x, in)
			Rotate(x, y[:half], z[:half], head)
			check()
			same(t, "Rotate", x, want)

			want = slices.Clone(in)
			softmaxGeneric(want)
			copy(x, in)
			Softmax(x)
			check()
			same(t, "Softmax", x, want)
		}
	}
}

func TestMultiply(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		m, n, k := r.IntN(20), r.IntN(150), r.IntN(40)
		matrix := func(rows, cols int) (Matrix, func()) {
			stride := cols + r.IntN(5)
			x, check := vector(t, r, max(0, (rows-1)*stride+cols), r.IntN(4) == 0)
			return Matrix{x, stride}, check
		}
		a, _ := matrix(m, k)
		b, _ := matrix(k, n)
		c, check := matrix(m, n)
		want := Matrix{slices.Clone(c.Data), c.Stride}
		if m > 0 {
			multiplyGeneric(want, a, b, m, 0, n, k)
		}
		Multiply(c, a, b, m, n, k)
		check()
		same(t, "Multiply", c.Data, want.Data)
	}
}

// TestNear checks that the approximations are as near as their comments say.
func TestNear(t *testing.T) {
	worst := 0.0
	for x := float32(-87); x <= 88; x += 0.001 {
		want := math.Exp(float64(x))
		worst = max(worst, math.Abs(float64(Exp(x))-want)/want)
	}
	if t.Logf("Exp: %.2g", worst); worst > 2e-7 {
		t.Errorf("Exp is wrong by %.2g of its value", worst)
	}
	for f, c := range map[Activation]struct {
		of   func(float64) float64
		most float64
	}{
		GELU:     {func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }, 3e-7},
		GELUTanh: {func(x float64) float64 { return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) }, 5e-7},
		SiLU:     {func(x float64) float64 { return x / (1 + math.Exp(-x)) }, 5e-7},
	} {
		worst := 0.0
		for x := float32(-20); x <= 20; x += 0.0005 {
			worst = max(worst, math.Abs(float64(f.Of(x))-c.of(float64(x)))/max(1, math.Abs(float64(x))))
		}
		if t.Logf("activation %d: %.2g", f, worst); worst > c.most {
			t.Errorf("activation %d is wrong by %.2g", f, worst)
		}
	}
}

func BenchmarkLoops(b *testing.B) {
	x, y, z := make([]float32, 1536), make([]float32, 1536), make([]float32, 1536)
	for i := range x {
		x[i], y[i], z[i] = float32(i%7)-3, 0, 1
	}
	in := slices.Clone(x)
	norm := Norm{Weight: z[:384], Bias: y[:384], Eps: 1e-5}
	for name, f := range map[string]func(){
		"GELU/1536":   func() { copy(x, in); GELU.Apply(x, y) },
		"Softmax/256": func() { copy(x, in); Softmax(x[:256]) },
		"Layer/384":   func() { norm.Layer(x[:384], x[:384]) },
		"AddRow/1536": func() { AddRow(x, y) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
		})
	}
	b.Run("Multiply", func(b *testing.B) {
		const m, n, k = 48, 64, 384
		a, w, c := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n)
		for i := range a {
			a[i] = float32(i % 5)
		}
		for b.Loop() {
			Multiply(Matrix{c, n}, Matrix{a, k}, Matrix{w, n}, m, n, k)
		}
		b.ReportMetric(float64(b.N)*m*n*k/b.Elapsed().Seconds()/1e9, "Gproducts/s")
	})
}
