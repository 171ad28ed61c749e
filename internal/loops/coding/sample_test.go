package coding

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSamples compares the loops around the weights of a search with what their arguments
// say.
func TestSamples(t *testing.T) { each(t, testSamples) }

func testSamples(t *testing.T, s *Set) {
	if s.Survey == nil {
		t.Skip("there are none")
	}
	r := rand.New(rand.NewPCG(11, 12))
	for range 2000 {
		n := 2 * WideLanes * (1 + r.IntN(20))
		w, a, dst := make([]float64, n), make([]float64, n), make([]float64, n+1)
		codes := make([]uint8, n)
		for i := range w {
			w[i], a[i], codes[i] = r.NormFloat64()*math.Exp(9*r.NormFloat64()), r.ExpFloat64(), uint8(r.IntN(16))
			if r.IntN(8) == 0 {
				w[i], a[i] = 0, 0
			}
		}
		var values [16]float32
		for i := range values {
			values[i] = float32(r.NormFloat64())
		}
		sums := func() (s [WideLanes]float64) {
			for i := range s {
				s[i] = r.NormFloat64()
			}
			return s
		}

		survey := SurveyArgs{W: &w[0], A: &a[0], N: n, Lo: sums(), Hi: sums(), Most: sums()}
		wantSurvey := survey
		for i, x := range w {
			lane := i % WideLanes
			wantSurvey.Lo[lane] = min(wantSurvey.Lo[lane], x)
			wantSurvey.Hi[lane] = max(wantSurvey.Hi[lane], x)
			wantSurvey.Most[lane] = max(wantSurvey.Most[lane], a[i])
		}
		if s.Survey(&survey); survey != wantSurvey {
			t.Fatalf("%v, %v: got %+v, want %+v", w, a, survey, wantSurvey)
		}

		dstW, checkW := guardedWords[float32](t, n)
		dstA, checkA := guardedWords[float32](t, n)
		sample := SampleArgs{W: &w[0], A: &a[0], N: n, DstW: &dstW[0], DstA: &dstA[0], ScaleW: math.Ldexp(1, r.IntN(9)-4), ScaleA: .5, Least: .1, Total: sums()}
		wantSample := sample
		s.Sample(&sample)
		checkW()
		checkA()
		for i, x := range w {
			wantW, wantA := float32(x*sample.ScaleW), float32(a[i]*.5)
			if a[i]*.5 < .1 {
				wantA = 0
			}
			if dstW[i] != wantW || dstA[i] != wantA {
				t.Fatalf("%v, %v: got %v, %v, want %v, %v", x, a[i], dstW[i], dstA[i], wantW, wantA)
			}
			square := float64(float64(wantW) * float64(wantW))
			wantSample.Total[i%WideLanes] += float64(float64(wantA) * square)
		}
		if sample != wantSample {
			t.Fatalf("total is %v, want %v", sample.Total, wantSample.Total)
		}

		square := SquareArgs{W: &w[0], N: n, Sum: sums()}
		wantSquare := square
		for i, x := range w {
			wantSquare.Sum[i%WideLanes] += float64(x * x)
		}
		if s.Square(&square); square != wantSquare {
			t.Fatalf("squares are %v, want %v", square.Sum, wantSquare.Sum)
		}

		dst[n] = -1
		emphasize := EmphasizeArgs{Dst: &dst[0], W: &w[0], N: n, Inverse: r.ExpFloat64()}
		s.Emphasize(&emphasize)
		for i, x := range w {
			if want := math.Sqrt(1 + float64(float64(x*x)*emphasize.Inverse)); dst[i] != want {
				t.Fatalf("%v is emphasized by %v, want %v", x, dst[i], want)
			}
		}
		if dst[n] != -1 {
			t.Fatal("an element too many is written")
		}

		noise := NoiseArgs{W: &w[0], A: &a[0], Codes: &codes[0], N: n, Values: &values, Noise: sums(), Above: sums(), Below: sums()}
		wantNoise := noise
		for i, x := range w {
			v, lane := float64(values[codes[i]]), i%WideLanes
			e, p := x-v, float64(a[i]*v)
			wantNoise.Noise[lane] += float64(float64(a[i]*e) * e)
			wantNoise.Above[lane] += float64(p * x)
			wantNoise.Below[lane] += float64(p * v)
		}
		if s.Noise(&noise); noise != wantNoise {
			t.Fatalf("noise is %+v, want %+v", noise, wantNoise)
		}
	}
}
