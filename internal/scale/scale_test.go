package scale

import (
	"math"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
)

// TestScaleFormats goes through every scale, and the midpoints between neighbours, of
// every format.
func TestScaleFormats(t *testing.T) {
	for f, n := range map[datatype.ScaleFormat]int{datatype.RowStep: 256, datatype.E8M0: 255, datatype.E4M3: 127} {
		for b := range n {
			v := float64(f.Value(uint8(b)))
			if got := Nearest(f, v); int(got) != b {
				t.Errorf("%v: Nearest(%g) is %#x, want %#x", f, v, got, b)
			}
			if got := Floor(f, v); int(got) != b {
				t.Errorf("%v: Floor(%g) is %#x, want %#x", f, v, got, b)
			}
			if b == n-1 {
				continue
			}
			next := float64(f.Value(uint8(b + 1)))
			if next <= v {
				t.Fatalf("%v is not ascending at %#x", f, b)
			}
			mid := (v + next) / 2
			for x, want := range map[float64]int{mid: b + b&1, math.Nextafter(mid, 0): b, math.Nextafter(mid, 1e300): b + 1} {
				if got := Nearest(f, x); int(got) != want {
					t.Errorf("%v: Nearest(%g) is %#x, want %#x", f, x, got, want)
				}
			}
			if got := Floor(f, math.Nextafter(next, 0)); int(got) != b {
				t.Errorf("%v: Floor below %g is %#x", f, next, got)
			}
		}
		for x, want := range map[float64]int{0: 0, -1: 0, math.Inf(-1): 0, math.Inf(1): n - 1, 1e300: n - 1, math.NaN(): 0} {
			if got := Nearest(f, x); int(got) != want {
				t.Errorf("%v: Nearest(%v) is %#x, want %#x", f, x, got, want)
			}
		}
	}
}
