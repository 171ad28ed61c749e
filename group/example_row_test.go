package group_test

import (
	"fmt"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
)

// The scales of a row's groups are rounded to 8 bits against one step.
func ExampleRowScales() {
	scales := make([]uint8, 3)
	step := group.RowScales(scales, []float64{0.51, 0.1, 0.0001})
	fmt.Println(scales, "times", step)
	// Output:
	// [255 50 0] times 0.002
}

// Reference is the definition, for comparison with other implementations.
func ExampleReference() {
	w := []float64{0.1, -0.6, 0.3}
	codes := make([]uint8, len(w))
	c, err := group.Reference(datatype.FP3EA, codes, w, nil, 1)
	fmt.Printf("%d codes %v, scale %.2f, %v\n", c.Codebook, codes, c.Delta, err)
	// Output:
	// 1 codes [1 4 2], scale 0.10, <nil>
}
