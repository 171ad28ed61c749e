package llm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/internal/safetensors"
)

// tinyConfig has grouped queries, heads with another total width than the model's, and
// odd sizes.
var tinyConfig = Config{
	Dim: 24, Hidden: 37, Layers: 2, Heads: 6, KVHeads: 3, HeadDim: 6, Vocab: 43, Context: 64,
	NormEps: 1e-5, Rope: Rope{Theta: 10000}, BOS: 1,
}

// llama2cConfig is tinyConfig within the limits of a llama2.c file.
var llama2cConfig = func() Config {
	c := tinyConfig
	c.Dim = c.Heads * c.HeadDim
	c.Rope.Interleaved = true
	c.EOS = []int{1, 2}
	return c
}()

// weights is a source of random tensors.
type weights struct {
	seed uint64
	tie  bool
}

func (s weights) tied() bool { return s.tie }

func (s weights) read(name tensorName, rows, cols int) ([]float32, error) {
	seed := s.seed
	for _, b := range []byte(name.String()) {
		seed = seed*131 + uint64(b)
	}
	r := rand.New(rand.NewPCG(seed, 2))
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(r.NormFloat64())
		if rows == 1 {
			w[i] = 1 + w[i]/5
		} else {
			w[i] /= float32(math.Sqrt(float64(cols)))
		}
	}
	return w, nil
}

func tiny(t testing.TB, c Config, s source) *Model {
	t.Helper()
	m, err := build(c, s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tokens returns n tokens of a text, with the token that starts it.
func tokens(c *Config, n int, seed uint64) []int {
	r := rand.New(rand.NewPCG(seed, 3))
	ts := make([]int, n)
	for i := range ts {
		ts[i] = r.IntN(c.Vocab)
	}
	ts[0] = c.BOS
	return ts
}

// logits returns the logits after every token, with the text cut into chunks of
// the given length.
func logits(t testing.TB, m *Model, text []int, chunk, workers int, kv KV) []float32 {
	t.Helper()
	r := NewRunner(m, workers)
	defer r.Close()
	s, err := m.NewSequence(kv)
	if err != nil {
		t.Fatal(err)
	}
	v := m.Config.Vocab
	out := make([]float32, len(text)*v)
	for lo := 0; lo < len(text); lo += chunk {
		hi := min(lo+chunk, len(text))
		if err := r.Forward(Chunk{s, text[lo:hi]}); err != nil {
			t.Fatal(err)
		}
		if err := r.Logits(out[lo*v:hi*v], 0, hi-lo); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// maxDiff returns the largest difference between elements of two slices.
func maxDiff(a, b []float32) float64 {
	d := 0.0
	for i := range a {
		d = max(d, math.Abs(float64(a[i])-float64(b[i])))
	}
	return d
}

// outerName is the name of a tensor outside of the layers.
func outerName(part string) tensorName { return tensorName{layer: -1, expert: -1, part: part} }

// llama2cBytes returns a model as a llama2.c file.
func llama2cBytes(c Config, s source) []byte {
	var b bytes.Buffer
	vocab := c.Vocab
	if !s.tied() {
		vocab = -vocab
	}
	for _, v := range []int{c.Dim, c.Hidden, c.Layers, c.Heads, c.KVHeads, vocab, c.Context} {
		binary.Write(&b, binary.LittleEndian, int32(v))
	}
	put := func(name tensorName, rows, cols int) {
		w, _ := s.read(name, rows, cols)
		binary.Write(&b, binary.LittleEndian, w)
	}
	linear := func(k Kind) {
		for i := range c.Layers {
			p := Place{Layer: i, Kind: k}
			rows, cols := c.Size(p)
			put(p.tensor(), rows, cols)
		}
	}
	norms := func(name string) {
		for i := range c.Layers {
			put(tensorName{layer: i, expert: -1, part: name}, 1, c.Dim)
		}
	}
	put(outerName("embed_tokens"), c.Vocab, c.Dim)
	norms("input_layernorm")
	for _, k := range []Kind{Query, Key, Value, Output} {
		linear(k)
	}
	norms("post_attention_layernorm")
	for _, k := range []Kind{Gate, Down, Up} {
		linear(k)
	}
	put(outerName("norm"), 1, c.Dim)
	binary.Write(&b, binary.LittleEndian, make([]float32, c.Context*c.HeadDim)) // not read
	if !s.tied() {
		put(outerName("lm_head"), c.Vocab, c.Dim)
	}
	return b.Bytes()
}

// writeHF writes a model to a new Hugging Face directory, in the given number of files.
func writeHF(t *testing.T, c Config, s source, files int) string {
	t.Helper()
	dir := t.TempDir()
	config, err := json.Marshal(map[string]any{
		"model_type": "llama", "hidden_size": c.Dim, "intermediate_size": c.Hidden,
		"num_hidden_layers": c.Layers, "num_attention_heads": c.Heads, "num_key_value_heads": c.KVHeads,
		"head_dim": c.HeadDim, "vocab_size": c.Vocab, "max_position_embeddings": c.Context,
		"rms_norm_eps": c.NormEps, "rope_theta": c.Rope.Theta, "tie_word_embeddings": s.tied(),
		"bos_token_id": c.BOS,
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "config.json"), config)

	var list []safetensors.Tensor
	data := map[string][]byte{}
	add := func(n tensorName, rows, cols int) {
		w, err := s.read(n, rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		shape := []int{rows, cols}
		if rows == 1 {
			shape = []int{cols}
		}
		name := llamaLocation(n).name
		put := func(name string, dtype safetensors.DType, shape []int, values any) {
			list = append(list, safetensors.Tensor{Name: name, DType: dtype, Shape: shape})
			data[name], _ = binary.Append(nil, binary.LittleEndian, values)
		}
		if s, ok := s.(fp8Weights); ok && strings.Contains(name, "_proj") {
			put(name, safetensors.E4M3, shape, s.codes(rows*cols))
			put(name+"_scale_inv", safetensors.F32, []int{1, 1}, []float32{fp8Scale})
			return
		}
		put(name, safetensors.F32, shape, w)
	}
	linear := func(p Place) {
		rows, cols := c.Size(p)
		add(p.tensor(), rows, cols)
	}
	linear(Place{Layer: -1, Kind: Embedding})
	for i := range c.Layers {
		add(tensorName{layer: i, expert: -1, part: "input_layernorm"}, 1, c.Dim)
		add(tensorName{layer: i, expert: -1, part: "post_attention_layernorm"}, 1, c.Dim)
		for k := Query; k <= Down; k++ {
			linear(Place{Layer: i, Kind: k})
		}
	}
	add(outerName("norm"), 1, c.Dim)
	if !s.tied() {
		linear(Place{Layer: -1, Kind: Classifier})
	}

	fileOf := map[string]string{}
	for f := range files {
		name := "model.safetensors"
		if files > 1 {
			name = fmt.Sprintf("model-%05d-of-%05d.safetensors", f+1, files)
		}
		part := list[f*len(list)/files : (f+1)*len(list)/files]
		file, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		w, err := safetensors.NewWriter(file, part, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range part {
			fileOf[p.Name] = name
			if err := w.WriteAt(p.Name, data[p.Name], 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Finish(nil); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if files > 1 {
		index, err := safetensors.IndexJSON(fileOf, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "model"+safetensors.IndexSuffix), index)
	}
	return dir
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReplaceSome(t *testing.T) {
	m := tiny(t, tinyConfig, weights{1, true})
	q, err := m.ReplaceSome(func(p Place) bool { return p.Layer == 1 }, func(p Place, w []float32, cols int) (Linear, error) {
		return newDense(make([]float32, len(w)), cols), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	before := map[Place]Linear{}
	m.Each(func(p Place, l Linear) { before[p] = l })
	q.Each(func(p Place, l Linear) {
		if same := before[p] == l; same == (p.Layer == 1) {
			t.Errorf("%v is the same: %v", p, same)
		}
	})
}
