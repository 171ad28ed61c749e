//go:build !arm64

package floats

// FMA returns a·b + c, rounded once, as a fused multiply-add of float32 does. A NaN may
// be any NaN.
func FMA(a, b, c float32) float32 { return fma(a, b, c) }
