// Imatrix writes an importance matrix for llama.cpp: the mean squares of what a model
// multiplies its matrices by while it reads a text. The texts are those that examples/quantize
// takes from the file with as many -nsamples.
//
//	go run ./internal/peers/imatrix MODEL TEXT TEXTS OUT.gguf
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"

	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant/calibrate"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/peers/imatrix MODEL TEXT TEXTS OUT.gguf")
		os.Exit(2)
	}
	count, err := strconv.Atoi(os.Args[3])
	if err == nil {
		err = run(os.Args[1], os.Args[2], count, os.Args[4])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "imatrix:", err)
		os.Exit(1)
	}
}

const length = 512 // of a text, as in examples/quantize

func run(model, text string, count int, out string) error {
	f, err := llm.OpenFile(model)
	if err != nil {
		return err
	}
	defer f.Close()
	t, err := f.Tokenizer("")
	if err != nil {
		return err
	}
	data, err := os.ReadFile(text)
	if err != nil {
		return err
	}
	tokens, err := t.Encode(string(data))
	if err != nil {
		return err
	}
	before, after := t.Around()
	texts, err := calibrate.Sample(tokens, before, after, count, min(length, f.Config.Context), 1)
	if err != nil {
		return err
	}
	m, err := f.Load(llm.Options{})
	if err != nil {
		return err
	}
	entries, err := gather(m, texts)
	if err != nil {
		return err
	}
	return os.WriteFile(out, encode(entries, text, texts), 0o644)
}

// An entry has the sums of squares of the inputs of a tensor, by column.
type entry struct {
	tensor  string // its name in llama.cpp
	vectors int
	squares []float32
}

var kinds = map[llm.Kind]string{
	llm.Query: "attn_q", llm.Key: "attn_k", llm.Value: "attn_v", llm.Output: "attn_output",
	llm.Gate: "ffn_gate", llm.Up: "ffn_up", llm.Down: "ffn_down",
}

// gather reads the texts.
func gather(m *llm.Model, texts [][]int) ([]entry, error) {
	means, err := llm.Moments(m, texts)
	if err != nil {
		return nil, err
	}
	vectors := 0
	for _, t := range texts {
		vectors += len(t)
	}
	var entries []entry
	m.Each(func(p llm.Place, _ llm.Linear) {
		name := "output.weight"
		switch {
		case p.Kind == llm.Embedding:
			if !m.Tied() {
				return // an embedding is not multiplied
			}
			name, p.Kind = "token_embd.weight", llm.Classifier
		case p.Kind != llm.Classifier && kinds[p.Kind] == "":
			err = fmt.Errorf("%v: models with such a matrix are not supported", p)
			return
		case p.Layer >= 0:
			name = fmt.Sprintf("blk.%d.%s.weight", p.Layer, kinds[p.Kind])
		}
		e := entry{tensor: name, vectors: vectors, squares: make([]float32, len(means[p]))}
		for i, x := range means[p] {
			e.squares[i] = float32(x * float64(vectors))
		}
		entries = append(entries, e)
	})
	return entries, err
}

// Numbers of the GGUF format.
const (
	version     = 3
	alignment   = 32
	typeFloat32 = uint32(0) // of tensors
	typeUint32  = uint32(4) // of values
	typeString  = uint32(8)
	typeArray   = uint32(9)
)

// encode returns the file. Each tensor NAME has two there, NAME.in_sum2 with the sums and
// NAME.counts with the number of vectors.
func encode(entries []entry, text string, texts [][]int) []byte {
	var head, data bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			if s, ok := v.(string); ok {
				binary.Write(&head, binary.LittleEndian, uint64(len(s)))
				head.WriteString(s)
				continue
			}
			binary.Write(&head, binary.LittleEndian, v)
		}
	}
	tensor := func(name string, values []float32) {
		put(name, uint32(2), uint64(len(values)), uint64(1), typeFloat32, uint64(data.Len()))
		binary.Write(&data, binary.LittleEndian, values)
		pad(&data)
	}
	head.WriteString("GGUF")
	put(uint32(version), uint64(2*len(entries)), uint64(4))
	put("general.type", typeString, "imatrix")
	put("imatrix.datasets", typeArray, typeString, uint64(1), text)
	put("imatrix.chunk_count", typeUint32, uint32(len(texts)))
	put("imatrix.chunk_size", typeUint32, uint32(len(texts[0])))
	for _, e := range entries {
		tensor(e.tensor+".in_sum2", e.squares)
		tensor(e.tensor+".counts", []float32{float32(e.vectors)})
	}
	pad(&head)
	return append(head.Bytes(), data.Bytes()...)
}

func pad(b *bytes.Buffer) {
	for b.Len()%alignment != 0 {
		b.WriteByte(0)
	}
}
