package serial_test

import (
	"fmt"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/serial"
	"github.com/x448/float16"
)

// The terms of bitmod4's special value 5, and of an 8-bit integer.
func ExampleTerms() {
	cb := datatype.BitMoD4.Codebooks()[0]
	terms, err := serial.Terms(cb, cb.Encode(5))
	fmt.Println(terms, err)

	cb = datatype.Int8.Codebooks()[0]
	terms, err = serial.Terms(cb, cb.Encode(-77))
	fmt.Println(terms, err)

	_, err = serial.Terms(datatype.NF4.Codebooks()[0], 3)
	fmt.Println(err)
	// Output:
	// [+2^2 +2^0] <nil>
	// [-2^0 +2^2 -2^4 -2^6] <nil>
	// serial: type is nf4, want a bit-serial one: its values are not multiples of a unit
}

// Two cycles: four bitmod4 weights, term by term, against four activations.
func ExamplePE_Step() {
	cb := datatype.BitMoD4.Codebooks()[0]
	table, err := serial.NewTable(cb)
	if err != nil {
		panic(err)
	}
	var x [serial.Lanes]float16.Float16
	for i, v := range []float32{1, 0.25, -2, 3} {
		x[i] = float16.Fromfloat32(v)
	}
	weights := [serial.Lanes]float64{5, -1.5, 0.5, 3}

	pe := serial.PE{Mode: serial.Paper, LowBSig: table.LowBSig()}
	for step := range table.Terms(0) {
		var w [serial.Lanes]serial.Term
		for lane, v := range weights {
			w[lane] = table.Terms(cb.Encode(v))[step]
		}
		if err := pe.Step(&w, &x); err != nil {
			panic(err)
		}
		fmt.Println(w, pe.Sum())
	}
	// Output:
	// [+2^2 -2^0 0 +2^1] 9.75
	// [+2^0 -2^-1 +2^-1 +2^0] 12.625
}

// Multiply a group at once and its sum by a scale, and see how both overlap over a row of
// 32 groups.
func ExamplePE_GroupInt8() {
	typ := datatype.BitMoD4
	table, err := serial.NewTable(typ.Codebooks()[0])
	if err != nil {
		panic(err)
	}
	codes, x := make([]uint8, 128), make([]int8, 128)
	for i := range codes {
		codes[i], x[i] = uint8(i%16), int8(i)
	}
	var pe serial.PE
	var pipe serial.Pipeline
	for range 32 {
		sum, cycles, err := pe.GroupInt8(table, codes, x)
		if err != nil {
			panic(err)
		}
		product, more := serial.Dequantize(sum, 200)
		if stall := pipe.Group(cycles); pipe.Cycles() == int64(cycles+more) {
			fmt.Println(sum, "·", typ.Unit(), "in", cycles, "cycles; times 200", product, "in", more, "stalled", stall)
		}
	}
	fmt.Println(pipe.Cycles(), "cycles,", pipe.Stalls(), "stalls")
	// Output:
	// 2816 · 0.5 in 64 cycles; times 200 563200 in 8 stalled 0
	// 2056 cycles, 0 stalls
}

// Multiply a matrix by INT8 activations. The results are integers, which the row's scale,
// the type's unit and the activations' scale turn into numbers.
func ExampleGEMV() {
	weights := make([]float32, 2*256)
	for i := range weights {
		weights[i] = float32(i%23) - 11
	}
	m, err := quant.Group(weights, 256, quant.Config{})
	if err != nil {
		panic(err)
	}
	x := make([]int8, 256)
	for i := range x {
		x[i] = int8(i % 50)
	}
	const block = 128 // columns that share an activation scale
	sums := make([]int64, 2*2)
	stats, err := serial.GEMV(sums, m, x, block)
	if err != nil {
		panic(err)
	}
	fmt.Println(sums)
	fmt.Printf("%+v\n", stats)
	unit := float64(m.RowScale(0)) * float64(m.Type().Unit())
	exact := 0.
	for i, v := range x {
		exact += float64(v) * float64(weights[i])
	}
	fmt.Printf("row 0: %.0f, of unquantized weights %.0f\n", unit*float64(sums[0]+sums[1]), exact)
	// Output:
	// [-271575 -128265 -506940 500820]
	// {Cycles:264 Element:256 Stalls:0 Sums:4}
	// row 0: -1437, of unquantized weights -1486
}
