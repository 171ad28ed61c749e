package datatype_test

import (
	"math"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
)

// TestScaleFormats goes through every byte of every format.
func TestScaleFormats(t *testing.T) {
	for f, n := range map[datatype.ScaleFormat]int{datatype.RowStep: 256, datatype.E8M0: 255, datatype.E4M3: 127} {
		for b := range 256 {
			v := float64(f.Value(uint8(b)))
			if math.IsNaN(v) != (b >= n) {
				t.Errorf("%v: byte %#x", f, b)
			}
			if b > 0 && b < n && v <= float64(f.Value(uint8(b-1))) {
				t.Fatalf("%v is not ascending at %#x", f, b)
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
	if f := datatype.ScaleFormat(9); f.Value(0) == f.Value(0) || f.String() != "ScaleFormat(?)" {
		t.Error("format 9 is valid")
	}
}
