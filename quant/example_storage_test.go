package quant_test

import (
	"fmt"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// The memory of a Matrix can go to a device or another format, and come back without a
// copy.
func ExampleNew() {
	m, err := quant.Group(exampleWeights(64, 512), 512, quant.Config{})
	if err != nil {
		panic(err)
	}
	s := m.Storage()
	fmt.Println(len(s.RowScales), "row scales,", len(s.Scales), "scales,", len(s.Selectors), "bytes of selectors,", len(s.Codes), "of codes")

	again, err := quant.New(m.Type(), m.GroupSize(), m.Rows(), m.Cols(), s)
	if err != nil {
		panic(err)
	}
	fmt.Println(again)
	s.Scales = s.Scales[1:]
	_, err = quant.New(m.Type(), m.GroupSize(), m.Rows(), m.Cols(), s)
	fmt.Println(err)
	// Output:
	// 64 row scales, 256 scales, 64 bytes of selectors, 16384 of codes
	// 64×512 bitmod4, group 128, 4.141 bits/weight
	// quant: len(Scales) is 255, want 256
}

// The errors of a layer's outputs depend on the correlations of its inputs. Errors of
// weights do not show this.
func ExampleOutputErrors() {
	const cols = 128
	weights := exampleWeights(2, cols)
	h, err := quant.NewHessian(cols)
	if err != nil {
		panic(err)
	}
	x := make([]float32, 10*cols)
	for i := range x {
		x[i] = 1 + float32(i*i%7)/10 // all inputs rise and fall together
	}
	if err := h.Add(x); err != nil {
		panic(err)
	}
	for _, c := range []quant.Config{
		{Type: datatype.BitMoD3},
		{Type: datatype.BitMoD3, Feedback: &quant.Feedback{Hessian: h}},
	} {
		m, err := quant.Group(weights, cols, c)
		if err != nil {
			panic(err)
		}
		rep, err := quant.Measure(weights, m, nil)
		if err != nil {
			panic(err)
		}
		outputs, err := quant.OutputErrors(weights, m, h)
		if err != nil {
			panic(err)
		}
		fmt.Printf("weights %.1e, outputs %.1e\n", rep.Rows, outputs)
	}
	// Output:
	// weights [1.3e-05 1.5e-05], outputs [1.3e-03 5.9e-05]
	// weights [1.4e-05 1.7e-05], outputs [1.4e-05 1.2e-05]
}
