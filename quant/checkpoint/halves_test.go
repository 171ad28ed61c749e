package checkpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// TestEveryFloat checks that weights of every type of floats, transposed or not, give the
// same matrix as quant.Group of the same numbers in float64, in one block and in several.
func TestEveryFloat(t *testing.T) {
	shapes := [][2]int{{70, 200}, {33, 31 * 64}}
	if !testing.Short() {
		shapes = append(shapes, [2]int{1000, 1100})
	}
	for _, shape := range shapes {
		rows, cols := shape[0], shape[1]
		for _, dtype := range []safetensors.DType{"BF16", "F16", "F32", "F64"} {
			for _, transposed := range []bool{false, true} {
				w := random(rand.New(rand.NewPCG(7, 8)), "layers.0.up_proj.weight", dtype, rows, cols)
				o := Options{}
				if transposed {
					w.shape = []int{cols, rows}
					o.Rules.Transposed = []string{"up_proj"}
				}
				c := openSource(t, w)
				stored := make([]float64, rows*cols)
				if err := c.dataOf(c.Tensors()[0]).Read64(stored, 0); err != nil {
					t.Fatal(err)
				}
				wide := stored
				if transposed {
					wide = make([]float64, len(stored))
					for i := range rows {
						for j := range cols {
							wide[i*cols+j] = stored[j*rows+i]
						}
					}
				}
				for _, o.Type = range []datatype.Type{datatype.BitMoD4, datatype.NVFP4} {
					name := fmt.Sprintf("%v of %d × %d %s, transposed %v", o.Type, rows, cols, dtype, transposed)
					dst := filepath.Join(t.TempDir(), "out.safetensors")
					run(t, plan(t, c, o), dst, RunOptions{Measure: true})
					got, err1 := open(t, dst).Matrix(w.name)
					want, err2 := quant.Group(wide, cols, o.Config)
					if err := errors.Join(err1, err2); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					a, err1 := got.AppendBinary(nil)
					b, err2 := want.AppendBinary(nil)
					if err := errors.Join(err1, err2); err != nil || !bytes.Equal(a, b) {
						t.Errorf("%s: another matrix than quant.Group makes, %v", name, err)
					}
				}
			}
		}
	}
}

// TestNotFiniteHalves checks that errors name the place of a weight that is not finite.
func TestNotFiniteHalves(t *testing.T) {
	for _, dtype := range []safetensors.DType{"BF16", "F16"} {
		for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.NVFP4} {
			w := random(rand.New(rand.NewPCG(9, 10)), "layers.0.up_proj.weight", dtype, 64, 128)
			nan := uint16(0x7e00)
			if dtype == "BF16" {
				nan = uint16(math.Float32bits(float32(math.NaN())) >> 16)
			}
			binary.LittleEndian.PutUint16(w.bytes[2*(17*128+5):], nan)
			_, err := plan(t, openSource(t, w), Options{Config: quant.Config{Type: typ}}).Run(context.Background(), filepath.Join(t.TempDir(), "out.safetensors"), RunOptions{})
			var bad *quant.WeightError
			if !errors.As(err, &bad) || bad.Row != 17 || bad.Col != 5 {
				t.Errorf("%v of %s: %v", typ, dtype, err)
			}
		}
	}
}
