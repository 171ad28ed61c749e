package bbs_test

import (
	"fmt"

	"github.com/bitmod-go/bitmod/serial/bbs"
)

// Small negative weights have many one bits, which a column skips as easily as zeros.
func ExampleMeasure() {
	s, err := bbs.Measure([]int8{-1, -2, -1, 3, -1, -4, -1, -1}, 8)
	fmt.Printf("%d bits, %d of them zero; %d can be skipped; %v\n", s.Bits, s.Zeros, s.Skippable, err)
	// Output:
	// 64 bits, 9 of them zero; 55 can be skipped; <nil>
}
