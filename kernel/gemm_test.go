package kernel

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// TestBatch compares GEMM with Reference, for batches in each mode and in both.
func TestBatch(t *testing.T) {
	shapes := []struct{ rows, cols, batch int }{
		{1, 40, 2}, {3, 128, 3}, {5, 300, 1}, {2, 512, 5}, {7, 896, 4}, {33, 640, 17}, {4, 1152, 9}, {9, 2100, 40},
	}
	forImplementations(t, func(t *testing.T, impl implementation) {
		// The last has rows of several.
		types := datatype.Types()
		for typ := range datatype.Type(len(types) + 1) {
			several := int(typ) == len(types)
			t.Run(fmt.Sprint(typ), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(2, uint64(typ)))
				var mem guards
				for i, groupSize := range []int{16, 20, 32, 64, 100, 128, 256} {
					for j, s := range shapes {
						if testing.Short() && (int(typ)+i*3-j)%len(shapes) != 0 {
							continue // one shape for each type and group size
						}
						var m *quant.Matrix
						if several {
							m = randomMixed(t, &mem, r, groupSize, s.rows, s.cols)
						} else {
							m = randomMatrix(&mem, r, typ, groupSize, s.rows, s.cols)
						}
						for _, mode := range []string{"integer", "float", "mixed"} {
							as := make([]Activation, s.batch)
							for i := range as {
								x := activations(r, s.cols, i%3 == 1)
								load := func(x []float32) error { return as[i].load(x, impl) }
								if mode == "float" || mode == "mixed" && i == 1 {
									load = func(x []float32) error { return as[i].loadFloat(x, impl) }
								}
								if err := load(x); err != nil {
									t.Fatal(err)
								}
							}
							const canary = 123.5
							buf := make([]float32, s.rows*s.batch+2)
							buf[0], buf[len(buf)-1] = canary, canary
							dst := buf[1 : len(buf)-1]
							multiplyBatch(dst, m, as, 0, s.rows, impl)
							if buf[0] != canary || buf[len(buf)-1] != canary {
								t.Fatalf("%v, batch of %d: wrote beyond dst", m, s.batch)
							}
							want := make([]float32, s.rows)
							for i := range as {
								if i > 1 && i < s.batch-1 {
									multiply(want, m, &as[i], 0, s.rows, impl) // checked by TestConformance
								} else if err := Reference(want, m, &as[i]); err != nil {
									t.Fatal(err)
								}
								for row := range want {
									if got := dst[i*s.rows+row]; !sameBits(got, want[row]) {
										t.Fatalf("%v, %s, activation %d of %d, row %d: %v, want %v", m, mode, i, s.batch, row, got, want[row])
									}
								}
							}
						}
						mem.free()
					}
				}
			})
		}
	})
}

// TestBatchRows divides the rows of a batch among several calls.
func TestBatchRows(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var mem guards
	defer mem.free()
	const batch = 7
	for _, m := range []*quant.Matrix{
		randomMatrix(&mem, r, datatype.BitMoD4, 128, 200, 576),
		randomMatrix(&mem, r, datatype.BitMoD3, 32, 130, 300),
		randomMatrix(&mem, r, datatype.NF4, 64, 70, 512),
		randomMixed(t, &mem, r, 128, 150, 384),
	} {
		as := make([]Activation, batch)
		for i := range as {
			if err := as[i].Load(activations(r, m.Cols(), false)); err != nil {
				t.Fatal(err)
			}
		}
		want, got := make([]float32, batch*m.Rows()), make([]float32, batch*m.Rows())
		if err := GEMM(want, m, as); err != nil {
			t.Fatal(err)
		}
		for lo, n := 0, 1; lo < m.Rows(); lo, n = lo+n, 2*n+1 {
			hi := min(lo+n, m.Rows())
			if err := GEMMRows(got, m, as, lo, hi); err != nil {
				t.Fatal(err)
			}
			for i := range as {
				for row := range m.Rows() {
					v := got[i*m.Rows()+row]
					if row < hi && !sameBits(v, want[i*m.Rows()+row]) || row >= hi && v != 0 {
						t.Fatalf("%v, rows %d to %d: row %d of activation %d is %v, want %v", m, lo, hi-1, row, i, v, want[i*m.Rows()+row])
					}
				}
			}
		}
		for _, c := range []struct{ n, lo, hi int }{
			{len(got) - 1, 0, 1}, {len(got), -1, 1}, {len(got), 2, 1}, {len(got), 0, m.Rows() + 1},
		} {
			if err := GEMMRows(got[:c.n], m, as, c.lo, c.hi); !errors.Is(err, ErrShape) {
				t.Errorf("%d floats, rows %d to %d: %v", c.n, c.lo, c.hi, err)
			}
		}
	}
}
