package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
)

// TestWidths compares single vectors with the definition at every multiple of 32 columns
// up to a step and a block, and at some other widths. For most of them, the columns
// after the last whole step have a path of their own.
func TestWidths(t *testing.T) {
	widths := []int{33, 100, 500, 517, 2880}
	for w := 32; w <= step+2*block; w += 32 {
		widths = append(widths, w)
	}
	forImplementations(t, func(t *testing.T, impl implementation) {
		r := rand.New(rand.NewPCG(1, 9))
		for _, of := range []struct {
			typ       datatype.Type
			groupSize int
		}{
			{datatype.BitMoD3, 128}, {datatype.BitMoD3, 32}, {datatype.BitMoD3, 64}, {datatype.BitMoD4, 32}, {datatype.BitMoD4, 128}, {datatype.BitMoD4, 64},
			{datatype.Int3, 256}, {datatype.Int4, 512}, {datatype.Int4, 16}, {datatype.Int4Asym, 128}, {datatype.Int4Asym, 16}, {datatype.Int4Asym, 32}, {datatype.Int3Asym, 64}, {datatype.Int3Asym, 32}, {datatype.NF3, 32}, {datatype.NF4, 128},
			{datatype.Int5, 128}, {datatype.FP6E2M3, 32}, {datatype.Int7, 1 << 20}, {datatype.Int7, 16}, {datatype.Int8, 128}, {datatype.Int8, 32},
			{datatype.MXFP4, 32}, {datatype.MXFP4RaZeR, 32}, {datatype.NVFP4, 16}, {datatype.NVFP4RaZeR, 16},
		} {
			for i, cols := range widths {
				const rows = 5
				var mem guards
				m := randomMatrix(&mem, r, of.typ, of.groupSize, rows, cols)
				var a Activation
				if err := a.load(activations(r, cols, i%3 == 0), impl); err != nil {
					t.Fatal(err)
				}
				p := newPlan(m)
				var got [rows]float32
				p.multiply(got[:], &a, 0, rows, impl)
				for row := range got {
					var acc [lanes]float32
					p.integerRow(&acc, &a, row, 0, portable)
					if want := p.finish(&acc, row); !sameBits(got[row], want) {
						t.Fatalf("%v, row %d: %v, want %v", m, row, got[row], want)
					}
				}
				mem.free()
			}
		}
	})
}
