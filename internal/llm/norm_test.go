package llm

import (
	"math"
	"testing"
)

func TestExp(t *testing.T) {
	for x := -690.0; x < 690; x += 0.0137 {
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > 1e-8*want {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	for _, x := range []float64{0, math.Inf(-1), math.Inf(1), -1e9, 1e9} {
		if got, want := exp(x), math.Exp(x); got != want {
			t.Errorf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	if !math.IsNaN(exp(math.NaN())) {
		t.Errorf("exp(NaN) = %v", exp(math.NaN()))
	}
}
