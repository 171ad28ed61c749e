package serial_test

import (
	"fmt"

	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/serial"
	"github.com/x448/float16"
)

// Multiply a row of weights by half-precision activations, as the paper's text and its
// circuit add them up.
func ExampleGEMVFloat16() {
	weights := []float32{0.6, -0.5, 0.3, 0.11, 0, -0.2, 0.4, 0.1}
	m, err := quant.Group(weights, len(weights), quant.Config{})
	if err != nil {
		panic(err)
	}
	x := make([]float16.Float16, m.Cols())
	for i := range x {
		x[i] = float16.Fromfloat32(float32(i*i*i)*3.7 + 0.013)
	}
	y := make([]float64, m.Rows())
	for _, mode := range []serial.Mode{serial.Exact, serial.Paper, serial.Truncate} {
		st, err := serial.GEMVFloat16(y, m, x, mode)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%-9v %.9f in %d cycles\n", mode, y[0], st.Cycles)
	}
	// Output:
	// exact     371.027939423 in 12 cycles
	// paper     371.025021942 in 12 cycles
	// truncate  371.025021942 in 12 cycles
}
