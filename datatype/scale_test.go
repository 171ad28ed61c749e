package datatype_test

import (
	"math"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
)

// TestScaleFormats goes through every byte, and the midpoints between
// neighbours, of every format.
func TestScaleFormats(t *testing.T) {
	for f, n := range map[datatype.ScaleFormat]int{datatype.RowStep: 256, datatype.E8M0: 255, datatype.E4M3: 127} {
		for b := range 256 {
			if f.Valid(uint8(b)) != (b < n) || math.IsNaN(float64(f.Value(uint8(b)))) != (b >= n) {
				t.Errorf("%v: byte %#x", f, b)
			}
		}
		for b := range n {
			v := float64(f.Value(uint8(b)))
			if got := f.Nearest(v); int(got) != b {
				t.Errorf("%v: Nearest(%g) is %#x, want %#x", f, v, got, b)
			}
			if got := f.Floor(v); int(got) != b {
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
				if got := f.Nearest(x); int(got) != want {
					t.Errorf("%v: Nearest(%g) is %#x, want %#x", f, x, got, want)
				}
			}
			if got := f.Floor(math.Nextafter(next, 0)); int(got) != b {
				t.Errorf("%v: Floor below %g is %#x", f, next, got)
			}
		}
		for x, want := range map[float64]int{0: 0, -1: 0, math.Inf(-1): 0, math.Inf(1): n - 1, 1e300: n - 1, math.NaN(): 0} {
			if got := f.Nearest(x); int(got) != want {
				t.Errorf("%v: Nearest(%v) is %#x, want %#x", f, x, got, want)
			}
		}
	}
	for b, want := range map[uint8]float32{0: 0, 1: 1. / 512, 7: 7. / 512, 8: 1. / 64, 0x38: 1, 0x39: 1.125, 0x7e: 448} {
		if got := datatype.E4M3.Value(b); got != want {
			t.Errorf("e4m3 %#x is %v, want %v", b, got, want)
		}
	}
	for b, want := range map[uint8]float32{0: 0x1p-127, 127: 1, 130: 8, 254: 0x1p127} {
		if got := datatype.E8M0.Value(b); got != want {
			t.Errorf("e8m0 %d is %v, want %v", b, got, want)
		}
	}
	if f := datatype.ScaleFormat(9); f.Valid(0) || f.String() != "ScaleFormat(?)" {
		t.Error("format 9 is valid")
	}
}
