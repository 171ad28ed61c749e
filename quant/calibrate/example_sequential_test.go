package calibrate_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/calibrate"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

const width = 32

// chain is a model of square matrices. Each multiplies the output of the one before.
type chain struct {
	names  []string
	layers [][]float32
	x      []float32 // vectors, side by side, in front of the next step
}

func (c *chain) Settings() string { return `"made up"` }

func (c *chain) Find(tensor string, _ int) calibrate.Place {
	for step, name := range c.names {
		if name == tensor {
			return calibrate.Place{Step: step, Input: name}
		}
	}
	return calibrate.Place{Step: -1}
}

func (c *chain) Observe(_ context.Context, step int, see func(calibrate.Inputs) error) error {
	return see(calibrate.Inputs{Name: c.names[step], N: len(c.x) / width, X: c.x})
}

func (c *chain) Replace(tensor string, _ int, m *quant.Matrix) error {
	return m.Dequantize(c.layers[c.Find(tensor, 0).Step])
}

func (c *chain) Advance(_ context.Context, step int) error {
	y := make([]float32, len(c.x))
	for v := 0; v < len(c.x); v += width {
		for row := range width {
			for col, x := range c.x[v : v+width] {
				y[v+row] += float32(c.layers[step][row*width+col] * x)
			}
		}
	}
	c.x = y
	return nil
}

// A plan quantizes a model layer after layer, each by the outputs of the quantized layers
// before it. The model is a Network.
func ExampleNewSequential() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	model := &chain{names: []string{"layers.0.up_proj.weight", "layers.1.up_proj.weight"}}
	var entries []checkpoint.Entry
	for i, name := range model.names {
		w := make([]float32, width*width)
		for j := range w {
			w[j] = float32((j+i)*(j+7)%251-125) / 1000
		}
		model.layers = append(model.layers, w)
		entries = append(entries, checkpoint.Entry{Name: name, Floats: w, Shape: []int{width, width}})
	}
	path := filepath.Join(dir, "model.safetensors")
	if err := checkpoint.Save(context.Background(), path, entries, checkpoint.SaveOptions{}); err != nil {
		log.Fatal(err)
	}
	for i := range 100 * width {
		model.x = append(model.x, float32(i*i%97)/97*float32(1+i%width))
	}

	source, err := checkpoint.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	options := calibrate.GPTQ()
	options.Report = func(g calibrate.Gain) {
		fmt.Printf("%s, %d vectors: %t\n", g.Tensor, g.Vectors, g.Calibrated < g.Plain)
	}
	plan, err := checkpoint.NewPlan(source, checkpoint.Options{
		Config:     quant.Config{Type: datatype.BitMoD3, Search: true},
		Calibrator: calibrate.NewSequential(model, options),
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := plan.Run(context.Background(), filepath.Join(dir, "q.safetensors"), checkpoint.RunOptions{}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// layers.0.up_proj.weight, 100 vectors: true
	// layers.1.up_proj.weight, 100 vectors: true
}
