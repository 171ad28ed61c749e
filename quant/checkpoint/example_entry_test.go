package checkpoint_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// Change a tensor on its way from one checkpoint to another, a piece at a time.
func ExampleEntry() {
	dir := temporary()
	defer os.RemoveAll(dir)
	from, to := filepath.Join(dir, "from.safetensors"), filepath.Join(dir, "to.safetensors")
	norm := checkpoint.Entry{Name: "norm.weight", Floats: []float32{1, 2, 3, 4}, Shape: []int{4}}
	table := checkpoint.Entry{Name: "table", Floats: []float32{5, 6, 7, 8}, Shape: []int{4, 1}, DType: "BF16"}
	if err := checkpoint.Save(context.Background(), from, []checkpoint.Entry{norm, table}, checkpoint.SaveOptions{}); err != nil {
		log.Fatal(err)
	}
	source, err := checkpoint.Open(from)
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	halves := func(dst []float32, first int64) error {
		// Rows of this tensor have one element.
		if err := source.ReadRows(dst, "table", int(first), int(first)+len(dst)); err != nil {
			return err
		}
		for i := range dst {
			dst[i] /= 2
		}
		return nil
	}
	err = checkpoint.Save(context.Background(), to, []checkpoint.Entry{
		{Name: "norm.weight", From: source},
		{Name: "table", Read: halves, Shape: []int{4, 1}, DType: "BF16"},
	}, checkpoint.SaveOptions{})
	if err != nil {
		log.Fatal(err)
	}
	result, err := checkpoint.Open(to)
	if err != nil {
		log.Fatal(err)
	}
	defer result.Close()
	w := make([]float32, 4)
	if err := result.ReadRows(w, "table", 0, 4); err != nil {
		log.Fatal(err)
	}
	fmt.Println(w)
	// Output: [2.5 3 3.5 4]
}
