package checkpoint_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// Patterns assign types to tensors.
func ExampleRules() {
	dir := temporary()
	defer os.RemoveAll(dir)
	source, err := checkpoint.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	for _, rules := range []checkpoint.Rules{
		{Types: []checkpoint.TypeRule{{Pattern: "up_proj", Type: datatype.Int8}}},
		{Exclude: []string{"layers.0"}},
		{Include: []string{"re:("}},
	} {
		plan, err := checkpoint.NewPlan(source, checkpoint.Options{Rules: rules})
		if err != nil {
			fmt.Println(err)
			continue
		}
		it := plan.Items()[0]
		fmt.Println(it.From.Name, "becomes", it.To.DType)
	}
	// Output:
	// layers.0.up_proj.weight becomes int8
	// layers.0.up_proj.weight becomes F32
	// checkpoint: invalid format: the pattern "re:(": error parsing regexp: missing closing ): `(`
}

// Several machines share the work: each runs a part of the same plan, and one of them
// puts the files together.
func ExampleMerge() {
	dir := temporary()
	defer os.RemoveAll(dir)
	result := filepath.Join(dir, "quantized")
	for part := range 2 { // each on a machine of its own
		source, err := checkpoint.Open(dir)
		if err != nil {
			log.Fatal(err)
		}
		plan, err := checkpoint.NewPlan(source, checkpoint.Options{Parts: 2})
		if err != nil {
			log.Fatal(err)
		}
		if _, err := plan.Run(context.Background(), result, checkpoint.RunOptions{Part: part}); err != nil {
			log.Fatal(err)
		}
		source.Close()
	}
	index, err := checkpoint.Merge(context.Background(), result, nil)
	fmt.Println(filepath.Base(index), err)
	// Output:
	// model.safetensors.index.json <nil>
}

// Without a Plan, save the matrices and copy the files beside the weights.
func ExampleCopyCompanions() {
	dir := temporary()
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"model_type": "llama"}`), 0o666); err != nil {
		log.Fatal(err)
	}
	source, err := checkpoint.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	result := filepath.Join(dir, "copy")
	entries := []checkpoint.Entry{{Name: "layers.0.norm.weight", From: source}}
	if err := checkpoint.Save(context.Background(), result, entries, checkpoint.SaveOptions{}); err != nil {
		log.Fatal(err)
	}
	copied, err := checkpoint.CopyCompanions(context.Background(), source, result, nil, false)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range copied {
		fmt.Println(c.Name, c.LeftOut)
	}
	// Output:
	// config.json
}
