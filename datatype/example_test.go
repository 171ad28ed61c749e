package datatype_test

import (
	"fmt"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
)

// The candidates from which each group of bitmod3 picks: the special value is where
// negative zero would be.
func ExampleParse() {
	t, err := datatype.Parse("bitmod3")
	if err != nil {
		panic(err)
	}
	fmt.Println(t.Bits(), "bits")
	for _, cb := range t.Codebooks() {
		fmt.Println(cb)
	}
	_, err = datatype.Parse("bitmod5")
	message, _, _ := strings.Cut(err.Error(), "; have")
	fmt.Println(message)
	// Output:
	// 3 bits
	// bitmod3+3{0 1 2 4 3 -1 -2 -4}
	// bitmod3-3{0 1 2 4 -3 -1 -2 -4}
	// bitmod3+6{0 1 2 4 6 -1 -2 -4}
	// bitmod3-6{0 1 2 4 -6 -1 -2 -4}
	// datatype: unknown data type "bitmod5"; did you mean "bitmod4"?
}

// Round numbers to FP4.
func ExampleCodebook_Encode() {
	cb := datatype.FP4.Codebooks()[0]
	for _, x := range []float64{0.7, 2.5, -2.5, 100} { // ties go to the smaller value
		code := cb.Encode(x)
		fmt.Println(x, "is code", code, "which is", cb.Value(code))
	}
	// Output:
	// 0.7 is code 1 which is 0.5
	// 2.5 is code 4 which is 2
	// -2.5 is code 13 which is -3
	// 100 is code 7 which is 6
}
