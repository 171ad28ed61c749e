package gonumtest

import (
	"math"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"gonum.org/v1/gonum/stat/distuv"
)

// TestQuantiles compares the normal and Student floats with what they are by definition,
// and with the published tables.
func TestQuantiles(t *testing.T) {
	normal, student := distuv.UnitNormal.Quantile, distuv.StudentsT{Sigma: 1, Nu: 5}.Quantile
	const delta3, delta4 = (1./16 + 1./14) / 2, (1./32 + 1./30) / 2
	for _, c := range []struct {
		typ       datatype.Type
		quantile  func(p float64) float64
		delta     float64
		published []float64
	}{
		{datatype.NF3, normal, delta3, []float64{-1, -.535023, -.246931, 0, .183337, .381994, .622986, 1}},
		// bitsandbytes' table for QLoRA, to its seven digits.
		{datatype.NF4, normal, delta4, []float64{-1, -.6961928, -.5250731, -.3949175, -.2844414, -.1847734, -.0910500, 0, .0795803, .1609302, .2461123, .3379152, .4407098, .5626170, .7229568, 1}},
		{datatype.SF3, student, delta4, []float64{-1, -.410848, -.180119, 0, .132965, .283835, .491076, 1}},
		{datatype.SF4, student, delta4, []float64{-1, -.627781, -.454736, -.334331, -.237434, -.152899, -.074982, 0, .065513, .132965, .204661, .283835, .375805, .491076, .656781, 1}},
	} {
		got := c.typ.Codebooks()[0].Values()
		half := len(got) / 2
		for i, v := range got {
			p := c.delta + (.5-c.delta)*float64(i)/float64(half-1)
			if i >= half {
				p = .5 + (.5-c.delta)*float64(i-half+1)/float64(half)
			}
			want := c.quantile(p) / c.quantile(1-c.delta)
			if i == half-1 {
				want = 0 // the median, but for rounding
			}
			// Processors may round quantiles differently.
			a, b := float32(want*(1-1e-12)), float32(want*(1+1e-12))
			if v < min(a, b) || v > max(a, b) {
				t.Errorf("%v value %d: %v, computed %v", c.typ, i, v, want)
			}
			// The published digits of NF4 were computed in float32.
			if want := c.published[i]; math.Abs(float64(v)-want) > 6e-7 {
				t.Errorf("%v value %d: %v, published %v", c.typ, i, v, want)
			}
		}
		if !slices.IsSorted(got) {
			t.Errorf("%v is not ascending", c.typ)
		}
	}
}
