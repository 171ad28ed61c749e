package llm

import (
	"math"
	"testing"
)

func TestFrequencies(t *testing.T) {
	plain := (&Rope{Theta: 500000}).frequencies(64, 0)
	scaled := (&Rope{Theta: 500000, Scaling: &RopeScaling{Kind: ScaleLlama3, Factor: 32, LowFreqFactor: 1, HighFreqFactor: 4, OriginalContext: 8192}}).frequencies(64, 0)
	for i, f := range plain {
		if want := math.Pow(500000, -float64(2*i)/64); math.Abs(f-want) > 1e-15 {
			t.Errorf("frequency %d is %v, want %v", i, f, want)
		}
		// transformers' _compute_llama3_parameters, with wavelengths.
		wavelength := 2 * math.Pi / f
		want := f
		switch {
		case wavelength > 8192/1.0:
			want = f / 32
		case wavelength >= 8192/4.0:
			smooth := (8192/wavelength - 1) / (4 - 1)
			want = (1-smooth)*f/32 + smooth*f
		}
		if math.Abs(scaled[i]-want) > 1e-12*want {
			t.Errorf("scaled frequency %d is %v, want %v", i, scaled[i], want)
		}
	}
	for i, f := range (&Rope{Theta: 500000, Scaling: &RopeScaling{Factor: 4}}).frequencies(64, 0) {
		if f != plain[i]/4 {
			t.Errorf("linearly scaled frequency %d is %v, want %v", i, f, plain[i]/4)
		}
	}
}
