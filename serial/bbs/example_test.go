package bbs_test

import (
	"fmt"

	"github.com/bitmod-go/bitmod/serial/bbs"
)

// Compress a layer with the conservative setting.
func ExampleCompress() {
	const rows, cols = 320, 64
	weights, scales := make([]int8, rows*cols), make([]float32, rows)
	for i := range weights {
		weights[i] = int8(i * i % 61)
	}
	m, err := bbs.Compress(weights, cols, scales, bbs.Conservative())
	if err != nil {
		panic(err)
	}
	stats, err := m.GEMV(make([]int64, rows), make([]int8, cols))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d bytes instead of %d, %d cycles instead of %d\n", m.Bytes(), len(weights), stats.Cycles, stats.Booth)
	// Output:
	// 16488 bytes instead of 20480, 15872 cycles instead of 20480
}
