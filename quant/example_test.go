package quant_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// exampleWeights are normal with a few outliers, like trained weights.
func exampleWeights(rows, cols int) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(0.02 * r.NormFloat64())
		if r.IntN(200) == 0 {
			w[i] *= 4
		}
	}
	return w
}

// Quantize a slice, and look at the result.
func ExampleGroup() {
	weights := exampleWeights(256, 1024)
	m, err := quant.Group(weights, 1024, quant.Config{}) // bitmod4, groups of 128
	if err != nil {
		panic(err)
	}
	fmt.Println(m)

	row := make([]float32, m.Cols())
	if err := m.DequantizeRow(row, 17); err != nil {
		panic(err)
	}
	fmt.Printf("%.4f became %.4f\n", weights[17*1024+3], row[3])
	// Output:
	// 256×1024 bitmod4, group 128, 4.109 bits/weight
	// 0.0285 became 0.0260
}

// Compare types on your own weights.
func ExampleMeasure() {
	weights := exampleWeights(256, 1024)
	for _, typ := range []datatype.Type{datatype.BitMoD3, datatype.Int3Asym, datatype.BitMoD4, datatype.Int4Asym} {
		m, err := quant.Group(weights, 1024, quant.Config{Type: typ})
		if err != nil {
			panic(err)
		}
		e, err := quant.Measure(weights, m, nil)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%-9v %.2f bits, SQNR %.1f dB, largest error %.4f\n", typ, m.BitsPerWeight(), e.SQNR(), e.MaxError)
	}
	// Output:
	// bitmod3   3.11 bits, SQNR 13.3 dB, largest error 0.0439
	// int3_asym 3.12 bits, SQNR 12.2 dB, largest error 0.0242
	// bitmod4   4.11 bits, SQNR 19.8 dB, largest error 0.0226
	// int4_asym 4.12 bits, SQNR 18.8 dB, largest error 0.0113
}

// Save a matrix and load it.
func ExampleMatrix_AppendBinary() {
	m, err := quant.Group(exampleWeights(4, 128), 128, quant.Config{Type: datatype.BitMoD3})
	if err != nil {
		panic(err)
	}
	data, err := m.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	var back quant.Matrix
	if err := back.UnmarshalBinary(data); err != nil {
		panic(err)
	}
	fmt.Println(len(data), "bytes:", &back)

	data[100] ^= 1
	err = back.UnmarshalBinary(data)
	fmt.Println(errors.Is(err, quant.ErrFormat), err)
	// Output:
	// 268 bytes: 4×128 bitmod3, group 128, 3.375 bits/weight
	// true quant: byte 264: checksum is 1906b5b5, but the data's is 2b01014b
}

// Errors name the place.
func ExampleWeightError() {
	w := exampleWeights(8, 128)
	w[3*128+17] = float32(math.NaN())
	_, err := quant.Group(w, 128, quant.Config{})
	var bad *quant.WeightError
	if errors.As(err, &bad) {
		fmt.Println(bad.Row, bad.Col)
	}
	fmt.Println(err)
	// Output:
	// 3 17
	// quant: weight at row 3, column 17 is NaN
}

// Scale columns, so that those with large inputs have smaller rounding errors. The
// operation before the layer is divided by the scales.
func ExampleChannelScales() {
	weights := exampleWeights(64, 128)
	inputs := make([]float32, 100*128) // of a hundred tokens
	r := rand.New(rand.NewPCG(3, 4))
	for i := range inputs {
		inputs[i] = float32(r.NormFloat64())
		if i%128 < 4 {
			inputs[i] *= 30
		}
	}
	h, err := quant.NewHessian(128)
	if err != nil {
		panic(err)
	}
	if err := h.Add(inputs); err != nil {
		panic(err)
	}
	c := quant.Config{Type: datatype.BitMoD3}
	found, err := quant.ChannelScales(weights, 128, c, h, nil)
	if err != nil {
		panic(err)
	}
	for i := range weights {
		weights[i] *= found.Scales[i%128]
	}
	m, err := quant.Group(weights, 128, c) // for inputs divided by the scales
	if err != nil {
		panic(err)
	}
	fmt.Printf("%v: output error %.2f times what it was\n", m, found.Error/found.Unscaled)
	// Output:
	// 64×128 bitmod3, group 128, 3.375 bits/weight: output error 0.45 times what it was
}

// Give the rows of a matrix 3, 4 or 8 bits by the cost of their errors, with a mean of
// 3.5 bits a weight.
func ExampleAllot() {
	const rows, cols = 256, 1024
	weights := exampleWeights(rows, cols)
	for i := range weights[:20*cols] {
		weights[i] *= 5 // rows that matter more
	}
	configs := []quant.Config{{Type: datatype.BitMoD3}, {Type: datatype.BitMoD4}, {Type: datatype.Int8}}
	choices := make([][]quant.Cost, rows)
	for _, c := range configs {
		m, err := quant.Group(weights, cols, c)
		if err != nil {
			panic(err)
		}
		rep, err := quant.Measure(weights, m, nil)
		if err != nil {
			panic(err)
		}
		for row := range choices {
			// A byte says which type a row is.
			choices[row] = append(choices[row], quant.Cost{Bytes: m.Bytes()/rows + 1, Loss: rep.Rows[row]})
		}
	}
	of, err := quant.Allot(choices, rows*cols*35/80)
	if err != nil {
		panic(err)
	}
	m, err := quant.GroupMixed(context.Background(), weights, cols, of, configs)
	if err != nil {
		panic(err)
	}
	fmt.Println(m)
	// Output:
	// 256×1024 mixed, group 128, 3.499 bits/weight; 23 rows bitmod4; 15 rows int8; 218 rows bitmod3
}

// One important row in 8 bits, and the others in 3.
func ExampleGroupMixed() {
	const cols = 256
	of := []uint8{0, 0, 1, 0} // row 2 has the second configuration
	configs := []quant.Config{{Type: datatype.BitMoD3}, {Type: datatype.Int8, GroupSize: 64}}
	m, err := quant.GroupMixed(context.Background(), exampleWeights(4, cols), cols, of, configs)
	if err != nil {
		panic(err)
	}
	fmt.Println(m)
	for row := range m.Rows() {
		part, at := m.RowPart(row)
		fmt.Printf("row %d is row %d of the %v part\n", row, at, m.Part(part).Type())
	}
	// Output:
	// 4×256 mixed, 4.508 bits/weight; 3 rows bitmod3 in groups of 128; 1 row int8 in groups of 64
	// row 0 is row 0 of the bitmod3 part
	// row 1 is row 1 of the bitmod3 part
	// row 2 is row 0 of the int8 part
	// row 3 is row 2 of the bitmod3 part
}
