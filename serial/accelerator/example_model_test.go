package accelerator_test

import (
	"fmt"

	"github.com/bitmod-go/bitmod/serial/accelerator"
)

// Any model of a known family is read from its config.json.
func ExampleParseModel() {
	m, err := accelerator.ParseModel([]byte(`{"model_type": "llama", "num_hidden_layers": 30, "hidden_size": 576,
		"intermediate_size": 1536, "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152}`))
	if err != nil {
		panic(err)
	}
	for _, d := range accelerator.Designs(m.Name) {
		r, err := accelerator.Simulate(d, m, accelerator.Generative(), accelerator.DefaultSystem())
		if err != nil {
			panic(err)
		}
		fmt.Printf("%-16s %d cycles a token\n", d.Name, r.Cycles)
	}
	// Output:
	// fp16             8452140 cycles a token
	// bitmod_lossless  3228540 cycles a token
	// bitmod_lossy     1647204 cycles a token
	// ant              2673708 cycles a token
	// olive            2020668 cycles a token
}
