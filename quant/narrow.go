package quant

import (
	"math"

	"github.com/bitmod-go/bitmod/internal/loops/coding"
	"github.com/x448/float16"
)

// float16s converts w to dst, which is as long.
func float16s(dst []float32, w []float16.Float16) {
	if s := coding.Best(); s != nil && len(dst) > 0 {
		s.WidenF16(&coding.WidenArgs{Dst: &dst[0], Src: (*uint16)(&w[0]), N: len(dst)})
		return
	}
	for i, x := range w[:len(dst)] {
		dst[i] = x.Float32()
	}
}

// bfloat16s converts w to dst, which is as long.
func bfloat16s(dst []float32, w []BFloat16) {
	if s := coding.Best(); s != nil && len(dst) > 0 {
		s.WidenBF16(&coding.WidenArgs{Dst: &dst[0], Src: (*uint16)(&w[0]), N: len(dst)})
		return
	}
	for i, x := range w[:len(dst)] {
		dst[i] = x.Float32()
	}
}

// float64s converts w to dst, which is as long, and reports whether all elements of w are
// float32 values. If not, the contents of dst are undefined.
func float64s(dst []float32, w []float64) bool {
	if s := coding.Best(); s != nil && s.Narrow != nil && len(dst) > 0 {
		a := coding.NarrowArgs{Dst: &dst[0], Src: &w[0], N: len(dst)}
		s.Narrow(&a)
		return a.Exact
	}
	for i, x := range w[:len(dst)] {
		dst[i] = float32(x)
		if float64(dst[i]) != x {
			return false
		}
	}
	return true
}

// maxFloat32 returns the largest magnitude in w. It returns false if w is empty or has a
// number that is not finite, or if the processor has no loop for it.
func maxFloat32(w []float32) (float64, bool) {
	s := coding.Best()
	if s == nil || len(w) == 0 {
		return 0, false
	}
	var bits uint32
	s.Max(&coding.MaxArgs{Groups: coding.Groups{W: &w[0], Size: len(w), Last: len(w), Groups: 1}, Dst: &bits})
	return float64(math.Float32frombits(bits)), bits <= math.Float32bits(math.MaxFloat32)
}
