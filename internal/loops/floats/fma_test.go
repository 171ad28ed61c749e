package floats

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactFMA rounds the exact sum once.
func exactFMA(a, b, c float32) float32 {
	f := func(x float32) *big.Float { return new(big.Float).SetPrec(1000).SetFloat64(float64(x)) }
	z := new(big.Float).SetPrec(1000).Mul(f(a), f(b))
	z.Add(z, f(c))
	v, _ := z.Float32()
	return v
}

func TestFMA(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	check := func(a, b, c float32) {
		t.Helper()
		want := exactFMA(a, b, c)
		for _, got := range []float32{FMA(a, b, c), fma(a, b, c)} {
			if got != want {
				t.Fatalf("fma(%g, %g, %g) = %g (%#08x), want %g (%#08x)", a, b, c, got, math.Float32bits(got), want, math.Float32bits(want))
			}
		}
	}
	n := 300000
	if testing.Short() {
		n = 30000
	}
	for range n {
		// Numbers of few bits, so that sums are often halfway; numbers far apart, so that
		// sums are halfway except for something small; and numbers at the ends of the
		// range.
		scale := func() float32 { return float32(math.Ldexp(1, r.IntN(60)-30)) }
		switch r.IntN(5) {
		case 0:
			scale = func() float32 { return float32(math.Ldexp(1, r.IntN(30)-149)) }
		case 1:
			scale = func() float32 { return 1 }
		}
		few := func() float32 { return float32(r.IntN(512)-256) * scale() }
		any := func() float32 { return (r.Float32() - .5) * scale() }
		check(few(), few(), few())
		check(few(), any(), any())
		check(any(), any(), any())
		// A sum halfway between two numbers, except for a product too small for float64.
		c := math.Float32frombits(r.Uint32N(0x3000_0000) + 0x2800_0000)
		ulp := math.Float32frombits(math.Float32bits(c)+1) - c
		check(ulp/2, 1, c)
		check(ulp/2, 1+0x1p-23, c)
		check(-ulp/2, 1+0x1p-23, c)
		check(ulp/2*(1+0x1p-23), 1-0x1p-23, c)
		check(-ulp/2*(1+0x1p-23), 1-0x1p-23, c)
	}
	inf := float32(math.Inf(1))
	for _, c := range []float32{0, 1, math.MaxFloat32, -math.MaxFloat32, 0x1p-149, -0x1p-126} {
		for _, a := range []float32{0, 1, -1, 0x1p-149, math.MaxFloat32, 16} {
			check(a, math.MaxFloat32, c)
			check(a, 0x1p-149, c)
			check(a, .5, c)
			check(a, 0, c)
		}
		if got := FMA(1, c, inf); got != inf {
			t.Errorf("FMA(1, %g, +Inf) = %g", c, got)
		}
	}
	if got := FMA(1, inf, -inf); got == got {
		t.Errorf("FMA(1, +Inf, -Inf) = %g", got)
	}
}
