package floats

// FMA returns a·b + c, rounded once. A NaN may be any NaN.
//
// On arm64 the compiler makes one instruction of the expression, unless something else
// uses the product, too. That is why it must not be inlined.
//
//go:noinline
func FMA(a, b, c float32) float32 { return a*b + c }
