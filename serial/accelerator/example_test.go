package accelerator_test

import (
	"fmt"

	"github.com/bitmod-go/bitmod/serial/accelerator"
)

// Simulate a model on a 4-bit BitMoD accelerator with twice the memory bandwidth.
func ExampleSimulate() {
	model, err := accelerator.FindModel("llama-3-8b")
	if err != nil {
		panic(err)
	}
	design, system := accelerator.BitMoDLossy(), accelerator.DefaultSystem()
	design.Decode.WeightBits = 4.08
	system.DRAMBits = 512
	r, err := accelerator.Simulate(design, model, accelerator.Task{Tokens: 1, Context: 4096, Decode: true}, system)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d cycles a token\n", r.Cycles)
	for _, l := range r.Layers[5:] {
		fmt.Println(l.Name, "is bound by", l.Bound())
	}
	// Output:
	// 60154172 cycles a token
	// mlp.up is bound by memory
	// mlp.down is bound by memory
	// lm_head is bound by memory
	// attn.scores is bound by compute
	// attn.values is bound by memory
}

// Compute the paper's headline figures.
func ExampleEvaluate() {
	e, err := accelerator.Evaluate(accelerator.Models(), accelerator.DefaultSystem())
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.3f× over ANT, %.3f× over OliVe\n", e.Speedup("ant").Overall, e.Speedup("olive").Overall)
	// Output:
	// 1.691× over ANT, 1.474× over OliVe
}
