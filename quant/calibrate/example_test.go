package calibrate_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/calibrate"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
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
	plain := quant.Config{Type: datatype.BitMoD3}
	var sums []float64
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
		sum := 0.0
		for _, e := range errs {
			sum += e
		}
		sums = append(sums, sum)
	}
	fmt.Println("outputs have smaller errors:", sums[1] < sums[0])
	// Output: outputs have smaller errors: true
}

// An engine shows what it multiplies tensors by, and a plan quantizes with that.
func ExampleStatistics() {
	s := calibrate.Statistics{Moments: true}
	err := s.Add("layer.weight", 0, []float32{
		1, 2,
		3, 2,
	}, 2)
	fmt.Println(s.Importance("layer.weight", 0), err)

	options := checkpoint.Options{
		Config:     quant.Config{Type: datatype.BitMoD3, Search: true},
		Calibrator: calibrate.NewStatic(&s, calibrate.Options{}),
	}
	fmt.Println(options.Calibrator.Order("layer.weight"))
	// Output:
	// [5 4] <nil>
	// 0
}
