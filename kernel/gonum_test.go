package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// BenchmarkGonum multiplies by turns with gonum's float32, assembly where gonum has
// some, and from packed weights, both from memory and with the loading of
// activations. It reports the ratio of times in the same turn, its median and
// extremes, and the median rate; time per operation is that of both together.
func BenchmarkGonum(b *testing.B) {
	rows, cols := 4096, 4096
	if testing.Short() {
		rows = 64
	}
	r := rand.New(rand.NewPCG(1, 6))
	dense := make([][]float32, memory()/(4*rows*cols))
	for i := range dense {
		dense[i] = make([]float32, rows*cols)
		for j := range dense[i] {
			dense[i][j] = float32(j%255) - 127
		}
	}
	for _, c := range []struct {
		typ       datatype.Type
		groupSize int
	}{
		{datatype.BitMoD4, 128}, {datatype.BitMoD3, 128}, {datatype.Int4, 128}, {datatype.Int4Asym, 128},
		{datatype.Int3, 128}, {datatype.Int3Asym, 128}, {datatype.BitMoD4, 64}, {datatype.BitMoD4, 32},
		{datatype.BitMoD4, 16}, {datatype.BitMoD3, 32},
	} {
		b.Run(fmt.Sprintf("type=%v/group=%d", c.typ, c.groupSize), func(b *testing.B) {
			var mem guards
			defer mem.free()
			ms := []*quant.Matrix{randomMatrix(&mem, r, c.typ, c.groupSize, rows, cols)}
			for len(ms)*ms[0].Bytes() < memory() {
				ms = append(ms, clone(ms[0]))
			}
			x := activations(r, cols, false)
			for _, mode := range []string{"int8", "float32"} {
				for _, impl := range implementations() {
					b.Run(fmt.Sprintf("x=%s/impl=%v", mode, impl), func(b *testing.B) {
						benchmarkGonum(b, dense, ms, x, mode, impl)
					})
				}
			}
		})
	}
}

func benchmarkGonum(b *testing.B, dense [][]float32, ms []*quant.Matrix, x []float32, mode string, impl implementation) {
	rows, cols := ms[0].Rows(), ms[0].Cols()
	dst := make([]float32, rows)
	var a Activation
	load := func() error { return a.load(x, impl) }
	if mode == "float32" {
		load = func() error { return a.LoadFloat(x) }
	}
	var ratios, seconds []float64
	turn := func(i int) {
		start := time.Now()
		g := blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: dense[i%len(dense)]}
		blas32.Gemv(blas.NoTrans, 1, g, blas32.Vector{N: cols, Inc: 1, Data: x}, 0, blas32.Vector{N: rows, Inc: 1, Data: dst})
		between := time.Now()
		if err := load(); err != nil {
			b.Fatal(err)
		}
		p := newPlan(ms[i%len(ms)])
		p.multiply(dst, &a, 0, rows, impl)
		end := time.Since(between).Seconds()
		ratios = append(ratios, between.Sub(start).Seconds()/end)
		seconds = append(seconds, end)
	}
	turn(0) // warms up
	ratios, seconds = ratios[:0], seconds[:0]
	for i := 1; b.Loop(); i++ {
		turn(i)
	}
	slices.Sort(ratios)
	slices.Sort(seconds)
	b.ReportMetric(ratios[0], "×gonum-min")
	b.ReportMetric(ratios[len(ratios)/2], "×gonum-median")
	b.ReportMetric(ratios[len(ratios)-1], "×gonum-max")
	b.ReportMetric(float64(rows)*float64(cols)/seconds[len(seconds)/2], "weights/s")
}
