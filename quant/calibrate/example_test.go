package calibrate_test

import (
	"fmt"

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

// An engine adds the inputs of tensors to statistics, and a plan quantizes with them.
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
