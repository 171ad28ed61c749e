package checkpoint

import (
	"context"
	"crypto/sha256"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/internal/pack"
	"github.com/bitmod-go/bitmod/quant"
)

// BenchmarkRun compares a plan with quantizing the same weights in memory.
func BenchmarkRun(b *testing.B) {
	const rows, cols = 1024, 4096
	c := openSource(b, random(rand.New(rand.NewPCG(1, 1)), "up.weight", "BF16", rows, cols))
	b.Run("to=file", func(b *testing.B) {
		p := plan(b, c, Options{})
		dst := filepath.Join(b.TempDir(), "q.safetensors")
		b.SetBytes(2 * rows * cols)
		for b.Loop() {
			if _, err := p.Run(context.Background(), dst, RunOptions{Overwrite: true}); err != nil {
				b.Fatal(err)
			}
			p.id += "x" // so that the run does not find it finished
		}
	})
	b.Run("to=memory", func(b *testing.B) {
		w := floats(b, c, "up.weight")
		b.SetBytes(2 * rows * cols)
		for b.Loop() {
			if _, err := quant.Group(w, cols, quant.Config{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkStages measures the stages of a plan for bfloat16 on one goroutine, and
// copying the file, in bytes of the source. The stages are reading blocks of rows,
// reading rows that the file has as columns, quantizing to bitmod4 (and its parts:
// deciding codes and scales, and packing codes), hashing the result, and writing it.
func BenchmarkStages(b *testing.B) {
	const rows, cols = 1024, 4096
	c := openSource(b, random(rand.New(rand.NewPCG(1, 1)), "up.weight", "BF16", rows, cols))
	t, _ := c.Tensor("up.weight")
	d := c.dataOf(t)
	source, err := io.ReadAll(d.(raw).Bytes())
	if err != nil {
		b.Fatal(err)
	}
	step := blockRows(cols)
	weights := make([]quant.BFloat16, rows*cols)
	read := func() {
		for lo := 0; lo < rows; lo += step {
			if err := readRows(d, weights[:step*cols], rows, cols, lo, lo+step, false); err != nil {
				b.Fatal(err)
			}
		}
	}
	readTurned := func() { // as if the file had a row for each input
		const outs, cols = cols, rows
		step := 4 * blockRows(cols)
		for lo := 0; lo < outs; lo += step {
			hi := min(lo+step, outs)
			if err := readRows(d, weights[:(hi-lo)*cols], outs, cols, lo, hi, true); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := readRows(d, weights, rows, cols, 0, rows, false); err != nil {
		b.Fatal(err)
	}
	m, err := quant.Group(weights, cols, quant.Config{})
	if err != nil {
		b.Fatal(err)
	}
	st := m.Storage()
	result := append(append(append([]byte(nil), st.Codes...), st.Scales...), st.Selectors...)
	selector, err := group.NewSelector(datatype.BitMoD4)
	if err != nil {
		b.Fatal(err)
	}
	wide := make([]float32, rows*cols)
	for i, x := range weights {
		wide[i] = math.Float32frombits(uint32(x) << 16)
	}
	codes, packed := make([]uint8, rows*cols), make([]byte, rows*cols/2)
	choices := make([]group.Choice, cols/128)
	write := func(data []byte) {
		path := filepath.Join(b.TempDir(), "out")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			b.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			b.Fatal(err)
		}
	}
	for _, stage := range []struct {
		name string
		do   func()
	}{
		{"reading", read},
		{"reading [in, out]", readTurned},
		{"quantizing", func() {
			if _, err := quant.Group(weights, cols, quant.Config{Workers: 1}); err != nil {
				b.Fatal(err)
			}
		}},
		{"deciding", func() {
			for row := range rows {
				if err := selector.SelectFloat32(choices, codes[row*cols:], wide[row*cols:(row+1)*cols], 128, nil, 1); err != nil {
					b.Fatal(err)
				}
			}
		}},
		{"packing", func() {
			for row := range rows {
				pack.Row(packed[row*cols/2:(row+1)*cols/2], codes[row*cols:(row+1)*cols], 4)
			}
		}},
		{"hashing", func() { sha256.Sum256(result) }},
		{"writing", func() { write(result) }},
		{"copying", func() { read(); write(source) }},
	} {
		b.Run("stage="+stage.name, func(b *testing.B) {
			b.SetBytes(2 * rows * cols)
			for b.Loop() {
				stage.do()
			}
		})
	}
}
