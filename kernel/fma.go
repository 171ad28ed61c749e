package kernel

import "github.com/bitmod-go/bitmod/internal/loops/floats"

// fma returns a·b + c, rounded once.
func fma(a, b, c float32) float32 { return floats.FMA(a, b, c) }
