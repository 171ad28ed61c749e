package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/serial"
)

// TestSerial compares integer mode with the model of the bit-serial hardware, which
// computes the sum of every block with terms, processing elements and dequantizers.
func TestSerial(t *testing.T) {
	forImplementations(t, func(t *testing.T, impl implementation) {
		r := rand.New(rand.NewPCG(6, 6))
		var mem guards
		for _, typ := range datatype.Types() {
			if typ.Scale() != datatype.RowStep || typ.Unit() == 0 {
				continue // package serial does not have these
			}
			for _, groupSize := range []int{32, 100, 128, 256} {
				const rows, cols = 3, 1100
				m := randomMatrix(&mem, r, typ, groupSize, rows, cols)
				var a Activation
				if err := a.load(activations(r, cols, groupSize == 128), impl); err != nil {
					t.Fatal(err)
				}
				const blocks = (cols + block - 1) / block
				sums := make([]int64, rows*blocks)
				if _, err := serial.GEMV(sums, m, a.q[:cols], block); err != nil {
					t.Fatal(err)
				}
				got := make([]float32, rows)
				p := newPlan(m)
				p.multiply(got, &a, 0, rows, impl)
				for row := range got {
					var acc [4]float32
					for b, sum := range sums[row*blocks : (row+1)*blocks] {
						acc[b%4] += float32(float32(sum) * a.d[b])
					}
					sum := float32(float32(acc[0]+acc[2]) + float32(acc[1]+acc[3]))
					if want := float32(sum * float32(m.RowScale(row)*typ.Unit())); !sameBits(got[row], want) {
						t.Errorf("%v, row %d: %v, want %v", m, row, got[row], want)
					}
				}
				mem.free()
			}
		}
	})
}
