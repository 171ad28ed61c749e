package kernel

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// TestBatch compares GEMM with Reference, for batches in each mode and in several.
func TestBatch(t *testing.T) {
	shapes := []struct{ rows, cols, batch int }{
		{1, 40, 2}, {3, 128, 3}, {5, 300, 1}, {2, 512, 5}, {7, 896, 4}, {33, 640, 17}, {4, 1152, 9}, {9, 2100, 40},
	}
	modes := []string{"integer", "float", "mixed", "16-bit", "all"}
	taken := newLoopsTaken(2)
	t.Run("types", func(t *testing.T) {
		// The last matrix has rows of several types.
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
						for k, mode := range modes {
							if everyShape || (int(typ)+i+j)%len(modes) == k {
								compareBatch(t, m, randomBatch(t, r, s.cols, s.batch, mode), taken)
							}
						}
						mem.free()
					}
				}
			})
		}
	})
	r := rand.New(rand.NewPCG(2, 99))
	taken.rest(t, func(typ datatype.Type, groupSize, cols, n int, float bool) {
		mode := "integer"
		if float {
			mode = "float"
		}
		var mem guards
		defer mem.free()
		compareBatch(t, randomMatrix(&mem, r, typ, groupSize, 5, cols), randomBatch(t, r, cols, n, mode), taken)
	})
}

// randomBatch returns activations that are loaded by the method of mode. In a "mixed"
// batch one of several is in float mode, and in "all" there is one in each mode.
func randomBatch(t *testing.T, r *rand.Rand, cols, batch int, mode string) []Activation {
	t.Helper()
	as := make([]Activation, batch)
	for i := range as {
		load := as[i].Load
		switch {
		case mode == "float" || (mode == "mixed" || mode == "all") && i == 1:
			load = as[i].LoadFloat
		case mode == "16-bit" || mode == "all" && i%3 == 2:
			load = as[i].Load16
		}
		if err := load(activations(r, cols, i%3 == 1)); err != nil {
			t.Fatal(err)
		}
	}
	return as
}

// compareBatch multiplies m by as with all implementations. It compares the first two
// products and the last with Reference, and the others with GEMV.
func compareBatch(t *testing.T, m *quant.Matrix, as []Activation, taken *loopsTaken) {
	t.Helper()
	rows := m.Rows()
	want := make([]float32, rows*len(as))
	var count [floatMode + 1]int
	for i := range as {
		y := want[i*rows : (i+1)*rows]
		product := Reference
		if i > 1 && i < len(as)-1 {
			product = GEMV
		}
		if err := product(y, m, &as[i]); err != nil {
			t.Fatal(err)
		}
		count[as[i].mode]++
	}
	for _, impl := range implementations() {
		taken.add(m, count[int8Mode], false, impl)
		taken.add(m, count[floatMode], true, impl)
		const canary = 123.5
		buf := make([]float32, len(want)+2)
		buf[0], buf[len(buf)-1] = canary, canary
		dst := buf[1 : len(buf)-1]
		multiplyBatch(dst, m, as, 0, rows, impl)
		if buf[0] != canary || buf[len(buf)-1] != canary {
			t.Fatalf("%v, %v, batch of %d: wrote beyond dst", m, impl, len(as))
		}
		for i := range want {
			if !sameBits(dst[i], want[i]) {
				t.Fatalf("%v, %v, activation %d of %d, by mode %d, row %d: %v, want %v",
					m, impl, i/rows, len(as), count, i%rows, dst[i], want[i])
			}
		}
	}
}

// TestBatchLarge compares batches with single activations, for more activations, rows or
// columns than are multiplied at a time.
func TestBatchLarge(t *testing.T) {
	const rows, cols = 34, 2052
	forImplementations(t, func(t *testing.T, impl implementation) {
		if impl == portable {
			t.Skip("it has one way for batches of all sizes")
		}
		r := rand.New(rand.NewPCG(2, 98))
		var mem guards
		defer mem.free()
		p := newPlan(randomMatrix(&mem, r, datatype.BitMoD4, 64, rows, cols))
		// One more than panelTile, int16Tile and floatTile.
		for mode, batch := range map[string]int{"integer": 193, "16-bit": 97, "float": 97} {
			as := randomBatch(t, r, cols, batch, mode)
			got, want := make([]float32, batch*rows), make([]float32, rows)
			p.multiplyBatch(got, as, 0, rows, impl)
			for i := 0; i < batch; i += 8 { // the last is one of them
				p.multiply(want, &as[i], 0, rows, impl)
				for row, v := range got[i*rows : (i+1)*rows] {
					if !sameBits(v, want[row]) {
						t.Fatalf("%s mode: row %d of activation %d is %v, want %v", mode, row, i, v, want[row])
					}
				}
			}
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
