package quant_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/quant"
)

// BenchmarkGroup measures quantization of a float32 matrix of 1024 × 4096, on one
// and on all processors, beside the float64 definition, which quantizes its first
// rows without even packing them. Ratios between its lines are meaningful where
// absolute figures are not.
func BenchmarkGroup(b *testing.B) {
	const rows, cols, definitionRows = 1024, 4096, 4
	w := normals(rand.New(rand.NewPCG(1, 1)), rows*cols)
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3, datatype.Int4, datatype.Int4Asym, datatype.NVFP4, datatype.NF4} {
		b.Run(fmt.Sprintf("type=%v/impl=definition", typ), func(b *testing.B) {
			wide, codes := make([]float64, 128), make([]uint8, 128)
			for b.Loop() {
				for lo := 0; lo < definitionRows*cols; lo += len(wide) {
					for i := range wide {
						wide[i] = float64(w[lo+i])
					}
					if _, err := group.Reference(typ, codes, wide, nil, 1); err != nil {
						b.Fatal(err)
					}
				}
			}
			weightsPerSecond(b, definitionRows*cols)
		})
		for _, workers := range []int{1, 0} {
			name := fmt.Sprintf("type=%v/impl=quant.Group/workers=1", typ)
			if workers == 0 {
				name = fmt.Sprintf("type=%v/impl=quant.Group/workers=all", typ)
			}
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					if _, err := quant.Group(w, cols, quant.Config{Type: typ, Workers: workers}); err != nil {
						b.Fatal(err)
					}
				}
				weightsPerSecond(b, rows*cols)
			})
		}
	}
}

func BenchmarkDequantize(b *testing.B) {
	const rows, cols = 256, 4096
	w := normals(rand.New(rand.NewPCG(1, 1)), rows*cols)
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3, datatype.Int6, datatype.Int8} {
		b.Run(fmt.Sprintf("type=%v", typ), func(b *testing.B) {
			m, err := quant.Group(w, cols, quant.Config{Type: typ})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := m.Dequantize(w); err != nil {
					b.Fatal(err)
				}
			}
			weightsPerSecond(b, rows*cols)
		})
	}
}

func weightsPerSecond(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mweights/s")
}

// BenchmarkOptions measures what the options beyond the paper cost, on one processor
// and rows of 1024. Feedback includes the factor of the Hessian.
func BenchmarkOptions(b *testing.B) {
	const rows, cols = 256, 1024
	r := rand.New(rand.NewPCG(1, 1))
	w := normals(r, rows*cols)
	h := hessian(b, inputs(r, cols, 64), cols)
	for _, typ := range []datatype.Type{datatype.BitMoD3, datatype.BitMoD4, datatype.Int3Asym, datatype.Int4Asym} {
		for _, o := range []struct {
			name string
			c    quant.Config
		}{
			{"paper", quant.Config{}},
			{"importance", quant.Config{Importance: h.Importance()}},
			{"search", quant.Config{Search: true}},
			{"search+importance", quant.Config{Search: true, Importance: h.Importance()}},
			{"feedback", quant.Config{Feedback: &quant.Feedback{Hessian: h}}},
			{"search+feedback", quant.Config{Search: true, Feedback: &quant.Feedback{Hessian: h}}},
		} {
			b.Run(fmt.Sprintf("type=%v/options=%s", typ, o.name), func(b *testing.B) {
				c := o.c
				c.Type, c.Workers = typ, 1
				for b.Loop() {
					if _, err := quant.Group(w, cols, c); err != nil {
						b.Fatal(err)
					}
				}
				weightsPerSecond(b, rows*cols)
			})
		}
	}
}
