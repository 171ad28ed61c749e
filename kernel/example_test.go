package kernel_test

import (
	"context"
	"fmt"
	"log"
	"sync"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/kernel"
	"github.com/bitmod-go/bitmod/quant"
)

// quantized returns a small matrix for the examples, as quant.Group makes it.
func quantized(rows, cols, seed int) *quant.Matrix {
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32((i*7+seed)%13-6) / 8
	}
	m, err := quant.Group(w, cols, quant.Config{})
	if err != nil {
		log.Fatal(err)
	}
	return m
}

// activations returns a vector for the examples.
func activations(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i%5) - 2
	}
	return x
}

// Quantize a matrix, and multiply it by a vector. The second number is the product with
// float32 weights.
func Example() {
	const rows, cols = 2, 256
	w := make([]float32, rows*cols) // row-major, a row is an output channel
	for i := range w {
		w[i] = float32(i*i%251-125) / 250
	}
	m, err := quant.Group(w, cols, quant.Config{}) // bitmod4, groups of 128
	if err != nil {
		log.Fatal(err)
	}
	x := activations(cols)
	var a kernel.Activation
	if err := a.Load(x); err != nil {
		log.Fatal(err)
	}
	y := make([]float32, rows)
	if err := kernel.GEMV(y, m, &a); err != nil {
		log.Fatal(err)
	}
	for row := range y {
		var want float32
		for col, v := range x {
			want += w[row*cols+col] * v
		}
		fmt.Printf("%.2f %.2f\n", y[row], want)
	}
	// Output:
	// -3.12 -3.05
	// -3.42 -3.25
}

// Queries, keys and values of an attention layer are products of three matrices and one
// vector, which is loaded once.
func ExampleGEMV() {
	wq, wk, wv := quantized(4, 256, 1), quantized(2, 256, 2), quantized(2, 256, 3)
	q, k, v := make([]float32, 4), make([]float32, 2), make([]float32, 2)

	var a kernel.Activation
	if err := a.Load(activations(256)); err != nil {
		log.Fatal(err)
	}
	for _, p := range []struct {
		dst []float32
		m   *quant.Matrix
	}{{q, wq}, {k, wk}, {v, wv}} {
		if err := kernel.GEMV(p.dst, p.m, &a); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("%.2f %.2f %.2f\n", q, k, v)
	// Output: [1.26 0.25 0.62 1.37] [-0.50 -0.25] [-1.00 1.26]
}

// Vectors with few large elements lose much precision in 8 bits, and next to none in 16.
func ExampleActivation_Load16() {
	m := quantized(1, 256, 1)
	x := activations(256)
	x[7] = 1000
	var a kernel.Activation
	y := make([]float32, 1)
	for _, load := range []func([]float32) error{a.Load, a.Load16, a.LoadFloat} {
		if err := load(x); err != nil {
			log.Fatal(err)
		}
		if err := kernel.GEMV(y, m, &a); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.3f\n", y)
	}
	// Output:
	// [625.756]
	// [626.256]
	// [626.250]
}

// An engine that has threads of its own gives each of them a part of the rows.
func ExampleGEMVRows() {
	m := quantized(6, 256, 4)
	var a kernel.Activation
	if err := a.Load(activations(256)); err != nil {
		log.Fatal(err)
	}
	y := make([]float32, m.Rows())
	var wg sync.WaitGroup
	for lo := 0; lo < m.Rows(); lo += 2 {
		wg.Go(func() {
			if err := kernel.GEMVRows(y, m, &a, lo, lo+2); err != nil {
				log.Fatal(err)
			}
		})
	}
	wg.Wait()
	fmt.Printf("%.2f\n", y)
	// Output: [-1.13 -0.50 -0.25 0.37 0.87 1.37]
}

// A pool is made once, for all matrices of a model.
func ExamplePool() {
	pool, err := kernel.NewPool(0)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	m := quantized(6, 256, 4)
	var a kernel.Activation
	if err := a.Load(activations(256)); err != nil {
		log.Fatal(err)
	}
	y := make([]float32, m.Rows())
	if err := pool.GEMV(y, m, &a); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f\n", y)
	// Output: [-1.13 -0.50 -0.25 0.37 0.87 1.37]
}

// Between products, the goroutines of a pool run an engine's own loops.
func ExamplePool_Run() {
	pool, err := kernel.NewPool(0)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	x := []float32{-2, -1, 0, 1, 2, 3, 4}
	err = pool.Run(len(x), 3, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			x[i] = max(x[i], 0)
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(x)
	// Output: [0 0 0 1 2 3 4]
}

// An engine with goroutines of its own gives each some rows of a batch.
func ExampleGEMMRows() {
	m := quantized(128, 256, 4)
	batch := make([]kernel.Activation, 3)
	if err := kernel.LoadBatch(batch, activations(3*256), (*kernel.Activation).Load); err != nil {
		log.Fatal(err)
	}
	y := make([]float32, len(batch)*m.Rows())
	var wg sync.WaitGroup
	for lo := 0; lo < m.Rows(); lo += 64 {
		wg.Go(func() {
			if err := kernel.GEMMRows(y, m, batch, lo, lo+64); err != nil {
				log.Fatal(err)
			}
		})
	}
	wg.Wait()
	for t := range batch {
		fmt.Printf("%.2f\n", y[t*m.Rows():][:2])
	}
	// Output:
	// [-1.13 -0.50]
	// [1.37 1.87]
	// [-0.49 -0.74]
}

// A prompt's tokens are loaded and multiplied together.
func ExampleGEMM() {
	m := quantized(2, 256, 4)
	batch := make([]kernel.Activation, 3)
	x := activations(3 * 256) // one token after the other
	if err := kernel.LoadBatch(batch, x, (*kernel.Activation).Load); err != nil {
		log.Fatal(err)
	}
	y := make([]float32, len(batch)*m.Rows())
	if err := kernel.GEMM(y, m, batch); err != nil {
		log.Fatal(err)
	}
	for t := range batch {
		fmt.Printf("%.2f\n", y[t*m.Rows():(t+1)*m.Rows()])
	}
	// Output:
	// [-1.13 -0.50]
	// [1.37 1.87]
	// [-0.49 -0.74]
}

// The rows that matter most have more bits. The code that multiplies need not know.
func ExampleGEMV_rowsOfSeveralTypes() {
	w := make([]float32, 6*256)
	for i := range w {
		w[i] = float32((i*7+4)%13-6) / 8
	}
	rows := []uint8{0, 0, 1, 0, 0, 0} // which of the configurations
	m, err := quant.GroupMixed(context.Background(), w, 256, rows, []quant.Config{{Type: datatype.BitMoD3}, {Type: datatype.Int8}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)
	pool, err := kernel.NewPool(0)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	var a kernel.Activation
	if err := a.Load(activations(256)); err != nil {
		log.Fatal(err)
	}
	y := make([]float32, m.Rows())
	for _, gemv := range []func([]float32, *quant.Matrix, *kernel.Activation) error{kernel.GEMV, pool.GEMV} {
		if err := gemv(y, m, &a); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.2f\n", y)
	}
	// Output:
	// 6×256 mixed, group 128, 4.078 bits/weight; 5 rows bitmod3; 1 row int8
	// [-0.75 -0.38 -0.12 0.38 0.75 1.31]
	// [-0.75 -0.38 -0.12 0.38 0.75 1.31]
}
