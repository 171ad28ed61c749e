package calibrate_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/calibrate"
)

func ExampleSample() {
	tokens := []int{10, 11, 12, 13, 14, 15, 16, 17, 18}
	const begin = 1
	texts, err := calibrate.Sample(tokens, []int{begin}, nil, 2, 4, 3)
	fmt.Println(texts, err)
	// Output: [[1 13 14 15] [1 16 17 18]] <nil>
}

func ExampleOptions_Config() {
	h, err := quant.NewHessian(16)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := rand.New(rand.NewPCG(1, 2))
	inputs := make([]float32, 32*16)
	for i := range inputs {
		inputs[i] = float32(r.NormFloat64() * float64(1+i%16)) // some columns see more
	}
	if err := h.Add(inputs); err != nil {
		fmt.Println(err)
		return
	}
	weights := make([]float32, 4*16)
	for i := range weights {
		weights[i] = float32(r.NormFloat64())
	}
	plain := quant.Config{Type: datatype.BitMoD3, Search: true}
	for _, c := range []quant.Config{plain, calibrate.GPTQ().Config(plain, h)} {
		m, err := quant.Group(weights, 16, c)
		if err != nil {
			fmt.Println(err)
			return
		}
		errs, err := quant.OutputErrors(weights, m, h)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("error of the first output: %.3g\n", errs[0])
	}
	// Output:
	// error of the first output: 13.2
	// error of the first output: 9.14
}
