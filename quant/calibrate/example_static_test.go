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

// Quantize a checkpoint by inputs of its layers that an engine has gathered.
func ExampleNewStatic() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	const name = "layers.0.up_proj.weight"
	weights := make([]float32, 32*64)
	for i := range weights {
		weights[i] = float32(i*i%251-125) / 250
	}
	path, result := filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "q.safetensors")
	entries := []checkpoint.Entry{{Name: name, Floats: weights, Shape: []int{32, 64}}}
	if err := checkpoint.Save(context.Background(), path, entries, checkpoint.SaveOptions{}); err != nil {
		log.Fatal(err)
	}

	var s calibrate.Statistics
	x := make([]float32, 100*64) // 100 tokens
	for i := range x {
		x[i] = float32(i*i%97) / 97 * float32(1+i%64)
	}
	if err := s.Add(name, 0, x, 64); err != nil {
		log.Fatal(err)
	}

	source, err := checkpoint.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	for _, c := range []checkpoint.Calibrator{nil, calibrate.NewStatic(&s, calibrate.GPTQ())} {
		plan, err := checkpoint.NewPlan(source, checkpoint.Options{Config: quant.Config{Type: datatype.BitMoD3}, Calibrator: c})
		if err != nil {
			log.Fatal(err)
		}
		if _, err := plan.Run(context.Background(), result, checkpoint.RunOptions{Overwrite: true}); err != nil {
			log.Fatal(err)
		}
		q, err := checkpoint.Open(result)
		if err != nil {
			log.Fatal(err)
		}
		m, err := q.Matrix(name)
		if err != nil {
			log.Fatal(err)
		}
		errors, err := quant.OutputErrors(weights, m, s.Hessian(name, 0))
		if err != nil {
			log.Fatal(err)
		}
		sum := 0.0
		for _, e := range errors {
			sum += e
		}
		fmt.Printf("squared errors of outputs %.3g\n", sum)
		q.Close()
	}
	// Output:
	// squared errors of outputs 2.6e+03
	// squared errors of outputs 377
}
