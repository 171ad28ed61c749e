package llm

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
)

// llama2cEps is the epsilon of RMSNorm that llama2.c has in its source.
const llama2cEps = 1e-5

// A llama2cFile is a version 0 file of github.com/karpathy/llama2.c: seven int32
// (dim, hidden dim, layers, heads, key-value heads, vocabulary, context; the
// vocabulary negative if there is a classifier), then float32 tensors, all
// little-endian. Tensors of one name are together for all layers.
type llama2cFile struct {
	r      io.ReaderAt
	config Config
	own    bool             // has a classifier
	offset map[string]int64 // of the tensors, by name without the layer
}

const llama2cHeader = 7 * 4

func openLlama2c(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	s, err := newLlama2cFile(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &File{Config: s.config, name: path, source: s, close: f.Close}, nil
}

func newLlama2cFile(r io.ReaderAt, size int64) (*llama2cFile, error) {
	var header [llama2cHeader]byte
	if size < llama2cHeader {
		return nil, formatErrorf("has %d bytes, which is less than the header of a llama2.c file, %d", size, llama2cHeader)
	}
	if _, err := r.ReadAt(header[:], 0); err != nil {
		return nil, err
	}
	if string(header[:4]) == "GGUF" {
		return nil, formatErrorf("is a GGUF file, but its name does not end in .gguf")
	}
	if string(header[:4]) == "24ka" { // 0x616b3432
		return nil, formatErrorf("is a llama2.c file of version 1 or later, want version 0")
	}
	field := func(i int) int { return int(int32(binary.LittleEndian.Uint32(header[4*i:]))) }
	c := Config{
		Dim: field(0), Hidden: field(1), Layers: field(2), Heads: field(3), KVHeads: field(4),
		Vocab: field(5), Context: field(6),
		NormEps: llama2cEps,
		Rope:    Rope{Theta: 10000, Interleaved: true},
		BOS:     1, EOS: []int{1, 2}, // llama2.c stops at either
	}
	f := &llama2cFile{r: r, own: c.Vocab < 0}
	if f.own {
		c.Vocab = -c.Vocab
	}
	if c.Heads > 0 {
		c.HeadDim = c.Dim / c.Heads
		if c.Dim%c.Heads != 0 {
			return nil, formatErrorf("dim %d is not a multiple of %d heads", c.Dim, c.Heads)
		}
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("not a llama2.c file: %w", err)
	}
	f.config = c
	if want := f.layout(); size != want {
		return nil, formatErrorf("has %d bytes, but its header describes a llama2.c file of %d", size, want)
	}
	return f, nil
}

// layout sets the offset of every tensor and returns the length of the file.
func (f *llama2cFile) layout() int64 {
	c := &f.config
	f.offset = map[string]int64{}
	at := int64(llama2cHeader)
	add := func(name string, count, rows, cols int) {
		f.offset[name] = at
		at += 4 * int64(count) * int64(rows) * int64(cols)
	}
	linear := func(k Kind) {
		rows, cols := c.Size(Place{Kind: k})
		if k < Embedding {
			add(kindNames[k], c.Layers, rows, cols)
		} else {
			add(kindNames[k], 1, rows, cols)
		}
	}
	linear(Embedding)
	add("input_layernorm", c.Layers, 1, c.Dim)
	linear(Query)
	linear(Key)
	linear(Value)
	linear(Output)
	add("post_attention_layernorm", c.Layers, 1, c.Dim)
	linear(Gate)
	linear(Down)
	linear(Up)
	add("norm", 1, 1, c.Dim)
	add("rotary tables", 2, c.Context, c.HeadDim/2) // the engine computes them itself
	if f.own {
		linear(Classifier)
	}
	return at
}

func (f *llama2cFile) tied() bool { return !f.own }

func (f *llama2cFile) read(name tensorName, rows, cols int) ([]float32, error) {
	at, ok := f.offset[name.part]
	if !ok || name.bias {
		return nil, fmt.Errorf("llama2.c files have no tensor %v", name)
	}
	n := rows * cols
	return readFloats(f.r, at+4*int64(max(name.layer, 0))*int64(n), n)
}

// readFloats reads n little-endian float32 at an offset.
func readFloats(r io.ReaderAt, offset int64, n int) ([]float32, error) {
	x := make([]float32, n)
	var buf [1 << 16]byte
	for i := 0; i < n; {
		b := buf[:min(4*(n-i), len(buf))]
		if _, err := r.ReadAt(b, offset+4*int64(i)); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("byte %d: %w", offset+4*int64(i), err)
		}
		for ; len(b) > 0; b = b[4:] {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b))
			i++
		}
	}
	return x, nil
}
