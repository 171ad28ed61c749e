package group_test

import (
	"fmt"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
)

// One group by hand: its largest weight fixes the scale, and the special value
// −5 fits a weight that FP4 would move by a whole scale.
func ExampleSelector_Select() {
	s, err := group.NewSelector(datatype.BitMoD4)
	if err != nil {
		panic(err)
	}
	w := []float64{0.6, -0.5, 0.3, 0.11, 0, -0.2}
	codes := make([]uint8, len(w))
	c, err := s.Select(codes, w, nil, 1)
	if err != nil {
		panic(err)
	}
	cb := datatype.BitMoD4.Codebooks()[c.Codebook]
	fmt.Printf("%s, scale %.2f\n", cb.Name(), c.Delta)
	for i, code := range codes {
		fmt.Printf("%5.2f is code %2d: %5.2f\n", w[i], code, float64(cb.Value(code))*c.Delta)
	}
	// Output:
	// bitmod4-5, scale 0.10
	//  0.60 is code  7:  0.60
	// -0.50 is code  8: -0.50
	//  0.30 is code  5:  0.30
	//  0.11 is code  2:  0.10
	//  0.00 is code  0:  0.00
	// -0.20 is code 12: -0.20
}
