package quant_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/readsum"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/x448/float16"
)

// BenchmarkGroupInputs measures every type of weights on one goroutine, and
// BenchmarkGroupTypes every type of codes on one and two, with 256 × 4096 weights. With
// -tags purego they measure the portable code.
func BenchmarkGroupInputs(b *testing.B) {
	w := normals(rand.New(rand.NewPCG(1, 1)), benchRows*benchCols)
	wide, half, brain := make([]float64, len(w)), make([]float16.Float16, len(w)), make([]quant.BFloat16, len(w))
	for i, x := range w {
		wide[i] = float64(x)
		half[i] = float16.Fromfloat32(x)
		brain[i] = quant.BFloat16(math.Float32bits(x) >> 16)
	}
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.MXFP4} {
		benchGroup(b, fmt.Sprintf("type=%v/weights=float32", typ), w, typ, 1)
		benchGroup(b, fmt.Sprintf("type=%v/weights=float64", typ), wide, typ, 1)
		benchGroup(b, fmt.Sprintf("type=%v/weights=float16", typ), half, typ, 1)
		benchGroup(b, fmt.Sprintf("type=%v/weights=bfloat16", typ), brain, typ, 1)
	}
}

// BenchmarkReading measures how fast one thread reads float32, which limits the speed of
// quantization.
func BenchmarkReading(b *testing.B) {
	w := make([]byte, 4*benchRows*benchCols)
	weightsPerSecond(b, len(w)/4, func() error {
		readsum.Sum(w)
		return nil
	})
}

func BenchmarkGroupTypes(b *testing.B) {
	w := normals(rand.New(rand.NewPCG(1, 1)), benchRows*benchCols)
	for _, typ := range datatype.Types() {
		for _, workers := range []int{1, 2} {
			benchGroup(b, fmt.Sprintf("type=%v/workers=%d", typ, workers), w, typ, workers)
		}
	}
}

// BenchmarkChannelScales measures the search for scales of columns, on one processor and
// rows of 1024.
func BenchmarkChannelScales(b *testing.B) {
	const rows, cols = 256, 1024
	r := rand.New(rand.NewPCG(1, 1))
	w := normals(r, rows*cols)
	h := hessian(b, inputs(r, cols, 64), cols)
	for _, typ := range []datatype.Type{datatype.BitMoD3, datatype.BitMoD4} {
		b.Run(fmt.Sprintf("type=%v", typ), func(b *testing.B) {
			weightsPerSecond(b, rows*cols, func() error {
				_, err := quant.ChannelScales(w, cols, quant.Config{Type: typ, Workers: 1}, h, nil)
				return err
			})
		})
	}
}

const benchRows, benchCols = 256, 4096

func benchGroup[T quant.Weight](b *testing.B, name string, w []T, typ datatype.Type, workers int) {
	b.Run(name, func(b *testing.B) {
		weightsPerSecond(b, len(w), func() error {
			_, err := quant.Group(w, benchCols, quant.Config{Type: typ, Workers: workers})
			return err
		})
	})
}
