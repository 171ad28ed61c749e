package quant

import (
	"github.com/bitmod-go/bitmod/internal/loops/coding"
	"github.com/x448/float16"
)

// float16s sets dst to w, which is as long.
func float16s(dst []float32, w []float16.Float16) {
	if s := coding.Best(); s != nil && len(dst) > 0 {
		s.WidenF16(&coding.WidenArgs{Dst: &dst[0], Src: (*uint16)(&w[0]), N: len(dst)})
		return
	}
	for i, x := range w[:len(dst)] {
		dst[i] = x.Float32()
	}
}

// bfloat16s sets dst to w, which is as long.
func bfloat16s(dst []float32, w []BFloat16) {
	if s := coding.Best(); s != nil && len(dst) > 0 {
		s.WidenBF16(&coding.WidenArgs{Dst: &dst[0], Src: (*uint16)(&w[0]), N: len(dst)})
		return
	}
	for i, x := range w[:len(dst)] {
		dst[i] = x.Float32()
	}
}
