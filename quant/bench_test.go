package quant_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/quant"
)

// BenchmarkGroup measures quantization of a float32 matrix of 1024 × 4096, on one and on
// all processors, beside the float64 definition, which quantizes the first rows without
// packing them. Compare its lines as ratios; absolute figures vary with load.
func BenchmarkGroup(b *testing.B) {
	const rows, cols, definitionRows = 1024, 4096, 4
	w := normals(rand.New(rand.NewPCG(1, 1)), rows*cols)
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3, datatype.Int4, datatype.Int4Asym, datatype.NVFP4, datatype.NF4} {
		b.Run(fmt.Sprintf("type=%v/impl=definition", typ), func(b *testing.B) {
			wide, codes := make([]float64, 128), make([]uint8, 128)
			weightsPerSecond(b, definitionRows*cols, func() error {
				for lo := 0; lo < definitionRows*cols; lo += len(wide) {
					for i := range wide {
						wide[i] = float64(w[lo+i])
					}
					if _, err := group.Reference(typ, codes, wide, nil, 1); err != nil {
						return err
					}
				}
				return nil
			})
		})
		for _, workers := range []int{1, 0} {
			name := fmt.Sprintf("type=%v/impl=quant.Group/workers=1", typ)
			if workers == 0 {
				name = fmt.Sprintf("type=%v/impl=quant.Group/workers=all", typ)
			}
			b.Run(name, func(b *testing.B) {
				weightsPerSecond(b, rows*cols, func() error {
					_, err := quant.Group(w, cols, quant.Config{Type: typ, Workers: workers})
					return err
				})
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
			weightsPerSecond(b, rows*cols, func() error { return m.Dequantize(w) })
		})
	}
}

// weightsPerSecond reports the rate of an operation on n weights, by the clock and, where
// it is known, by processor time, which other programs disturb less.
func weightsPerSecond(b *testing.B, n int, do func() error) {
	start := processorTime()
	for b.Loop() {
		if err := do(); err != nil {
			b.Fatal(err)
		}
	}
	weights := float64(n) * float64(b.N) / 1e6
	if used := processorTime() - start; used > 0 {
		b.ReportMetric(weights/used.Seconds(), "Mweights/cpu-s")
	}
	b.ReportMetric(weights/b.Elapsed().Seconds(), "Mweights/s")
}

// BenchmarkFeedback measures feedback with the factor of the Hessian, by columns.
func BenchmarkFeedback(b *testing.B) {
	const rows = 256
	for _, cols := range []int{1024, 2048} {
		r := rand.New(rand.NewPCG(1, 1))
		w, h := normals(r, rows*cols), hessian(b, inputs(r, cols, 64), cols)
		b.Run(fmt.Sprintf("cols=%d", cols), func(b *testing.B) {
			weightsPerSecond(b, rows*cols, func() error {
				_, err := quant.Group(w, cols, quant.Config{Workers: 1, Feedback: &quant.Feedback{Hessian: h}})
				return err
			})
		})
	}
}

// BenchmarkOptions measures the cost of the options beyond the paper, on one processor
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
				weightsPerSecond(b, rows*cols, func() error {
					_, err := quant.Group(w, cols, c)
					return err
				})
			})
		}
	}
}
