package checkpoint_test

import (
	"context"
	"embed"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// temporary makes a checkpoint with a linear layer and a norm.
func temporary() (dir string) {
	dir, err := os.MkdirTemp("", "checkpoint")
	if err != nil {
		log.Fatal(err)
	}
	w := make([]float32, 64*256)
	for i := range w {
		w[i] = float32(i*i%251-125) / 250
	}
	err = checkpoint.Save(context.Background(), dir, []checkpoint.Entry{
		{Name: "layers.0.up_proj.weight", Floats: w, Shape: []int{64, 256}},
		{Name: "layers.0.norm.weight", Floats: w[:256], Shape: []int{256}},
	}, checkpoint.SaveOptions{})
	if err != nil {
		log.Fatal(err)
	}
	return dir
}

// Quantize the checkpoint in a directory into another, and read a matrix of it.
func Example() {
	dir := temporary()
	defer os.RemoveAll(dir)

	// Make a quantized checkpoint …
	source, err := checkpoint.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	plan, err := checkpoint.NewPlan(source, checkpoint.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, it := range plan.Items() {
		if it.To.Quantized {
			fmt.Printf("%s: %s to %s\n", it.From.Name, it.From.DType, it.To.DType)
		} else {
			fmt.Printf("%s: kept, %s\n", it.From.Name, it.Reason)
		}
	}
	result := filepath.Join(dir, "quantized")
	if _, err := plan.Run(context.Background(), result, checkpoint.RunOptions{}); err != nil {
		log.Fatal(err)
	}

	// … and use it.
	c, err := checkpoint.Open(result)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	m, err := c.Matrix("layers.0.up_proj.weight")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)
	// Output:
	// layers.0.up_proj.weight: F32 to bitmod4
	// layers.0.norm.weight: kept, a norm
	// 64×256 bitmod4, group 128, 4.219 bits/weight
}

// Read a quantized checkpoint: packed matrices as they are, to multiply with package
// kernel, and the other tensors, or any rows of a matrix, as float32.
func ExampleOpen() {
	dir := temporary()
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "q.safetensors")
	packed, err := quant.Group(make([]float32, 8*512), 512, quant.Config{Type: datatype.BitMoD3})
	if err != nil {
		log.Fatal(err)
	}
	err = checkpoint.Save(context.Background(), path, []checkpoint.Entry{
		{Name: "mlp.down_proj.weight", Matrix: packed},
		{Name: "norm.weight", Floats: []float32{1, 2, 3, 4}, Shape: []int{4}},
	}, checkpoint.SaveOptions{})
	if err != nil {
		log.Fatal(err)
	}

	c, err := checkpoint.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for _, t := range c.Tensors() {
		if t.Quantized {
			m, err := c.Matrix(t.Name)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(t.Name, "is", m)
			continue
		}
		values := make([]float32, t.Elements())
		if err := c.ReadRows(values, t.Name, 0, t.Rows()); err != nil {
			log.Fatal(err)
		}
		fmt.Println(t.Name, "is", values)
	}
	// Output:
	// norm.weight is [1 2 3 4]
	// mlp.down_proj.weight is 8×512 bitmod3, group 128, 3.141 bits/weight
}

// Compare a quantized checkpoint with its original.
func ExampleVerify() {
	dir := temporary()
	defer os.RemoveAll(dir)
	source, err := checkpoint.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	plan, err := checkpoint.NewPlan(source, checkpoint.Options{Config: quant.Config{GroupSize: 64}})
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "q.safetensors")
	if _, err := plan.Run(context.Background(), path, checkpoint.RunOptions{}); err != nil {
		log.Fatal(err)
	}

	c, err := checkpoint.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	tensors, err := checkpoint.Verify(context.Background(), c, source, nil)
	if err != nil {
		log.Fatal(err) // lists every tensor that is wrong
	}
	for _, t := range tensors {
		if t.Quantized {
			fmt.Printf("%s: %.0f dB\n", t.Name, t.Stats.SQNR())
		}
	}
	// Output:
	// layers.0.up_proj.weight: 21 dB
}

//go:embed testdata/small.safetensors
var embedded embed.FS

// Open a checkpoint that is embedded in the program. An [archive/zip.Reader], or the
// file system of an object store, is opened in the same way.
func ExampleOpenFS() {
	c, err := checkpoint.OpenFS(embedded, "testdata")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	row := make([]float32, 8)
	if err := c.ReadRows(row, "layers.0.up_proj.weight", 1, 2); err != nil {
		log.Fatal(err)
	}
	fmt.Println(row)
	// Output:
	// [0.5 1.5 2.5 3.5 4.5 5.5 6.5 7.5]
}

// Write a quantized checkpoint as plain floats, for programs that do not know its format.
func ExampleDequantize() {
	dir := temporary()
	defer os.RemoveAll(dir)
	source, err := checkpoint.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	plan, err := checkpoint.NewPlan(source, checkpoint.Options{})
	if err != nil {
		log.Fatal(err)
	}
	result := filepath.Join(dir, "quantized")
	if _, err := plan.Run(context.Background(), result, checkpoint.RunOptions{}); err != nil {
		log.Fatal(err)
	}

	c, err := checkpoint.Open(result)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	r, err := checkpoint.Dequantize(context.Background(), c, filepath.Join(dir, "plain"), checkpoint.DequantizeOptions{DType: "BF16"})
	if err != nil {
		log.Fatal(err)
	}
	for _, it := range r.Items {
		fmt.Printf("%s: %s to %s\n", it.To.Name, it.From.DType, it.To.DType)
	}
	// Output:
	// layers.0.norm.weight: F32 to F32
	// layers.0.up_proj.weight: bitmod4 to BF16
}

// Keep a matrix in a file, and open it again. A name without ".safetensors" would name a
// directory.
func ExampleSave() {
	dir, err := os.MkdirTemp("", "save")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	m, err := quant.Group([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 8, quant.Config{Type: datatype.Int8})
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "mlp.safetensors")
	entries := []checkpoint.Entry{{Name: "up", Matrix: m}}
	if err := checkpoint.Save(context.Background(), path, entries, checkpoint.SaveOptions{}); err != nil {
		log.Fatal(err)
	}

	c, err := checkpoint.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	m, err = c.Matrix("up")
	if err != nil {
		log.Fatal(err)
	}
	c.Close() // m stays
	fmt.Println(m)
	// Output: 1×8 int8, group 128, 13.000 bits/weight
}

// Change a model: quantize one tensor in memory, store a second in half the bytes, add a
// tensor of integers, and copy the others as they are.
func ExampleSave_changedModel() {
	dir := temporary()
	defer os.RemoveAll(dir)
	c, err := checkpoint.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	entries := []checkpoint.Entry{{Name: "step", Data: []byte{7, 0, 0, 0, 0, 0, 0, 0}, DType: "I64"}}
	for _, t := range c.Tensors() {
		e := checkpoint.Entry{Name: t.Name, From: c}
		switch t.Name {
		case "layers.0.up_proj.weight":
			w := make([]float32, t.Elements())
			if err := c.ReadRows(w, t.Name, 0, t.Rows()); err != nil {
				log.Fatal(err)
			}
			m, err := quant.Group(w, t.Cols(), quant.Config{Type: datatype.BitMoD3})
			if err != nil {
				log.Fatal(err)
			}
			e = checkpoint.Entry{Name: t.Name, Matrix: m}
		case "layers.0.norm.weight":
			e.DType = "BF16"
		}
		entries = append(entries, e)
	}
	result := filepath.Join(dir, "changed")
	err = checkpoint.Save(context.Background(), result, entries, checkpoint.SaveOptions{Metadata: c.Metadata()})
	if err != nil {
		log.Fatal(err)
	}

	changed, err := checkpoint.Open(result)
	if err != nil {
		log.Fatal(err)
	}
	defer changed.Close()
	for _, t := range changed.Tensors() {
		fmt.Println(t.Name, t.DType, t.Shape)
	}
	// Output:
	// step I64 []
	// layers.0.norm.weight BF16 [256]
	// layers.0.up_proj.weight bitmod3 [64 256]
}

// Map a quantized model, and multiply by a matrix in the mapped file. This takes no
// memory of its own and no time to load, but the file must not change, and the first
// product waits for the disk.
func ExampleOpenMapped() {
	dir := temporary()
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "q.safetensors")
	packed, err := quant.Group([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 8, quant.Config{Type: datatype.Int8})
	if err != nil {
		log.Fatal(err)
	}
	err = checkpoint.Save(context.Background(), path, []checkpoint.Entry{{Name: "up.weight", Matrix: packed}}, checkpoint.SaveOptions{})
	if err != nil {
		log.Fatal(err)
	}

	c, err := checkpoint.OpenMapped(path)
	if err != nil {
		log.Fatal(err)
	}
	m, err := c.Matrix("up.weight")
	if err != nil {
		log.Fatal(err)
	}
	c.Close() // m keeps the mapping
	row := make([]float32, 8)
	if err := m.DequantizeRow(row, 0); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.1f\n", row)
	// Output:
	// [1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0]
}

// Find the bytes of a quantized tensor, to map them, or to send them to a device.
func ExampleCheckpoint_Sections() {
	dir := temporary()
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "q.safetensors")
	packed, err := quant.Group(make([]float32, 4*512), 512, quant.Config{})
	if err != nil {
		log.Fatal(err)
	}
	err = checkpoint.Save(context.Background(), path, []checkpoint.Entry{{Name: "up.weight", Matrix: packed}}, checkpoint.SaveOptions{})
	if err != nil {
		log.Fatal(err)
	}

	c, err := checkpoint.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	sections, err := c.Sections("up.weight")
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range sections {
		fmt.Println(s.Name, s.DType, s.Shape, "is", s.Length, "bytes of", filepath.Base(s.File))
	}
	// Output:
	// up.weight.codes U8 [4 256] is 1024 bytes of q.safetensors
	// up.weight.scales U8 [4 4] is 16 bytes of q.safetensors
	// up.weight.row_scales F32 [4] is 16 bytes of q.safetensors
	// up.weight.special U8 [4 1] is 4 bytes of q.safetensors
}
