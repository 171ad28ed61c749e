package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// embeddedDir is the directory of the embedded model.
const embeddedDir = "../tinylm"

// quantizeDir quantizes a model with a plan, and returns the directory of the result,
// with config.json.
func quantizeDir(t *testing.T, dir string, o checkpoint.Options) string {
	t.Helper()
	source, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	plan, err := checkpoint.NewPlan(source, o)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if _, err := plan.Run(t.Context(), out, checkpoint.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	config, err := fs.ReadFile(source.Companions(), "config.json")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(out, "config.json"), config)
	return out
}

// A result computes the same as the weights quantized in memory.
func TestResult(t *testing.T) {
	for _, test := range []struct {
		config     quant.Config
		embeddings datatype.Type // if embed is set
		embed      bool
		shardSize  int64
	}{
		{config: quant.Config{}},
		{config: quant.Config{Type: datatype.BitMoD4, GroupSize: 32}, embed: true, embeddings: datatype.Int8},
		{config: quant.Config{Type: datatype.BitMoD3, GroupSize: 64}, shardSize: 300e3},
		{config: quant.Config{Type: datatype.Int4Asym}, embed: true, embeddings: datatype.BitMoD4},
		{config: quant.Config{Type: datatype.MXFP4}},
		{config: quant.Config{Type: datatype.NVFP4}},
	} {
		name := test.config.Type.String()
		o := checkpoint.Options{Config: test.config, ShardSize: test.shardSize}
		maker := Quantizer{Config: test.config}.Make
		if test.embed {
			name += ", embeddings " + test.embeddings.String()
			o.Types = []checkpoint.TypeRule{{Pattern: "embed_tokens", Type: test.embeddings, GroupSize: 128}}
			layers := maker
			maker = func(p Place, w []float32, cols int) (Linear, error) {
				if p.Kind == Embedding {
					return Quantizer{Config: quant.Config{Type: test.embeddings}, All: true}.Make(p, w, cols)
				}
				return layers(p, w, cols)
			}
		}
		dir := quantizeDir(t, embeddedDir, o)
		f, err := OpenFile(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		want := Packing{test.config.Type, test.config.GroupSize}
		if want.GroupSize == 0 {
			want.GroupSize = want.Type.GroupSize()
		}
		if ps := f.Packed(); !slices.Equal(ps, []Packing{want}) {
			t.Errorf("%s: packed as %v, want %v", name, ps, want)
		}
		embedding := "BF16"
		if test.embed {
			embedding = test.embeddings.String() + " in groups of 128"
		}
		if e := f.Embedding(); e != embedding {
			t.Errorf("%s: embedding is %s, want %s", name, e, embedding)
		}
		forbidden := func(p Place, _ []float32, _ int) (Linear, error) {
			t.Errorf("%s: %v is made of floats", name, p)
			return nil, nil
		}
		got, err := f.Load(Options{Maker: func(p Place, w []float32, cols int) (Linear, error) {
			if p.Kind == Embedding && !test.embed {
				return Float(p, w, cols)
			}
			return forbidden(p, w, cols)
		}})
		if err != nil {
			t.Fatal(err)
		}
		inMemory, err := Load(embeddedDir, Options{Maker: maker})
		if err != nil {
			t.Fatal(err)
		}
		if g, w := got.Bytes(), inMemory.Bytes(); g != w {
			t.Errorf("%s: %d bytes of weights, %d in memory", name, g, w)
		}
		text := tokens(&got.Config, 40, 5)
		if !slices.Equal(logits(t, got, text, 40, 1, KV{}), logits(t, inMemory, text, 40, 1, KV{})) {
			t.Errorf("%s: logits differ from those of weights quantized in memory", name)
		}
		if !slices.Equal(logits(t, got, text, 1, 2, KV{}), logits(t, got, text, 40, 1, KV{})) {
			t.Errorf("%s: other logits token by token", name)
		}
		// The same with 8-bit activations, as in examples/llama.
		int8s, err := f.Load(Options{Packed: Quantizer{Activations: Int8}.Packed})
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(logits(t, int8s, text, 40, 1, KV{}), logits(t, got, text, 40, 1, KV{})) {
			t.Errorf("%s: 8-bit activations make no difference", name)
		}
	}
}

// A result with rows of several types computes the same as its matrices in memory.
func TestResultMixedRows(t *testing.T) {
	configs := mixedConfigs(quant.Config{GroupSize: 64})
	mix := func(w []float32, cols int) (*quant.Matrix, error) {
		of := make([]uint8, len(w)/cols)
		for i := range of {
			of[i] = uint8(i % 7 % 3)
		}
		return quant.GroupMixed(context.Background(), w, cols, of, configs)
	}
	source, err := checkpoint.Open(embeddedDir)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var entries []checkpoint.Entry
	for _, x := range source.Tensors() {
		w := make([]float32, x.Elements())
		if err := source.ReadRows(w, x.Name, 0, x.Rows()); err != nil {
			t.Fatal(err)
		}
		e := checkpoint.Entry{Name: x.Name, Floats: w, Shape: x.Shape}
		if strings.Contains(x.Name, "_proj") {
			m, err := mix(w, x.Cols())
			if err != nil {
				t.Fatal(err)
			}
			e = checkpoint.Entry{Name: x.Name, Matrix: m}
		}
		entries = append(entries, e)
	}
	dir := t.TempDir()
	if err := checkpoint.Save(context.Background(), dir, entries, checkpoint.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(embeddedDir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "config.json"), config)
	f, err := OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var types []datatype.Type
	for _, p := range f.Packed() {
		types = append(types, p.Type)
		if p.GroupSize != 64 {
			t.Errorf("packed as %v", p)
		}
	}
	slices.Sort(types)
	if want := slices.Sorted(slices.Values(mixedTypes)); !slices.Equal(types, want) {
		t.Errorf("packed as %v, want %v", types, want)
	}
	got, err := f.Load(Options{})
	if err != nil {
		t.Fatal(err)
	}
	inMemory, err := Load(embeddedDir, Options{Maker: func(p Place, w []float32, cols int) (Linear, error) {
		if p.Layer < 0 {
			return Float(p, w, cols)
		}
		m, err := mix(w, cols)
		return &Quantized{m, Float32}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	if g, w := got.Bytes(), inMemory.Bytes(); g != w {
		t.Errorf("%d bytes of weights, %d in memory", g, w)
	}
	text := tokens(&got.Config, 40, 5)
	if !slices.Equal(logits(t, got, text, 40, 2, KV{}), logits(t, inMemory, text, 1, 1, KV{})) {
		t.Error("logits differ from those of the same rows in memory")
	}
}

// fp8Weights are weights with 8-bit floats and scales in the layers.
type fp8Weights struct{ weights }

const fp8Scale = 0.25

func (s fp8Weights) codes(n int) []byte {
	r := rand.New(rand.NewPCG(s.seed, uint64(n)))
	codes := make([]byte, n)
	for i := range codes {
		codes[i] = byte(r.Uint32()) & 0xbf // values below 2
	}
	return codes
}

func (s fp8Weights) read(name tensorName, rows, cols int) ([]float32, error) {
	if !strings.Contains(name.part, "_proj") {
		return s.weights.read(name, rows, cols)
	}
	w := make([]float32, rows*cols)
	for i, c := range s.codes(len(w)) {
		exponent, mantissa := int(c>>3&15), float64(c&7)/8
		v := math.Ldexp(mantissa, -6)
		if exponent > 0 {
			v = math.Ldexp(1+mantissa, exponent-7)
		}
		if c&0x80 != 0 {
			v = -v
		}
		w[i] = float32(v * fp8Scale)
	}
	return w, nil
}

// Models in other programs' forms run if quant/checkpoint reads their weights as floats.
func TestFP8(t *testing.T) {
	src := fp8Weights{weights{5, true}}
	dir := writeHF(t, tinyConfig, src, 1)
	path := filepath.Join(dir, "config.json")
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, bytes.Replace(config, []byte("{"), []byte(`{"quantization_config":{"quant_method":"fp8","weight_block_size":[128,128]},`), 1))
	got, err := Load(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := tiny(t, tinyConfig, src)
	text := tokens(&tinyConfig, 20, 2)
	if a, b := logits(t, got, text, 20, 1, KV{}), logits(t, want, text, 20, 1, KV{}); !slices.Equal(a, b) {
		t.Errorf("logits differ by %g", maxDiff(a, b))
	}
}

// The configuration of a result names its quantization method, which package checkpoint
// checks.
func TestResultConfig(t *testing.T) {
	dir := quantizeDir(t, embeddedDir, checkpoint.Options{})
	path := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	config["quantization_config"] = map[string]any{"quant_method": "bitmod", "type": "bitmod4", "group_size": 128}
	if data, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	write(t, path, data)
	if _, err := Load(dir, Options{}); err != nil {
		t.Error(err)
	}
}

// An unused tensor of a checkpoint is an error, because it would change the outputs.
func TestUnusedTensors(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"model.layers.1.self_attn.q_proj.bias", `tensor "model.layers.1.self_attn.q_proj.bias" is not a part`},
		{"model.layers.0.self_attn.q_norm.weight", "q_norm.weight"},
		{"model.layers.2.mlp.up_proj.weight", "layers.2.mlp"},
		{"model.layers.0.mlp.up_proj.weight_scale_inv", "weight_scale_inv"},
		{"visual.\x1b[2J\u202e", `"visual.\x1b[2J\u202e"`},
		{"model.layers.0.self_attn.rotary_emb.inv_freq", ""},
		{"lm_head.weight", ""}, // of a tied model
	} {
		dir := writeHF(t, tinyConfig, weights{5, true}, 1)
		addTensor(t, filepath.Join(dir, "model.safetensors"), test.name)
		_, err := Load(dir, Options{})
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%q: %v", test.name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%q: error %v, want one about %s", test.name, err, test.want)
		}
	}
}

// addTensor adds a float32 tensor of one element to a safetensors file.
func addTensor(t *testing.T, path, name string) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 8 + int(file[0]) + int(file[1])<<8 + int(file[2])<<16
	var header map[string]any
	if err := json.Unmarshal(file[8:n], &header); err != nil {
		t.Fatal(err)
	}
	end := len(file) - n
	header[name] = map[string]any{"dtype": "F32", "shape": []int{1}, "data_offsets": []int{end, end + 4}}
	b, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, bytes.Repeat([]byte(" "), -len(b)&7)...)
	head := []byte{byte(len(b)), byte(len(b) >> 8), byte(len(b) >> 16), 0, 0, 0, 0, 0}
	write(t, path, slices.Concat(head, b, file[n:], make([]byte, 4)))
}

// A truncated file is an error, at any length.
func TestCut(t *testing.T) {
	for n := range len(llama32Config) {
		if _, _, err := parseHF([]byte(llama32Config[:n])); !errors.Is(err, quant.ErrFormat) {
			t.Fatalf("config.json cut after %d bytes: error %v", n, err)
		}
	}
}

// Companions are untrusted.
func TestCompanions(t *testing.T) {
	dir := writeHF(t, tinyConfig, weights{5, true}, 1)
	for name, limit := range map[string]int64{"config.json": maxConfig, "tokenizer.json": maxTokenizer} {
		path := filepath.Join(dir, name)
		whole, _ := os.ReadFile(path)
		write(t, path, nil)
		if err := os.Truncate(path, limit+1); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(dir, "", Options{}); err == nil || !strings.Contains(err.Error(), name+" has more than") {
			t.Errorf("%s of %d bytes: error %v", name, limit+1, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(dir, "", Options{}); err == nil || !strings.Contains(err.Error(), name+" is not a regular file") {
			t.Errorf("%s is a directory: error %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if whole != nil {
			write(t, path, whole)
		}
		// Deep nesting ends at the limit of encoding/json.
		write(t, path, bytes.Repeat([]byte(`{"pre_tokenizer":[`), 20000))
		if _, _, err := Open(dir, "", Options{}); err == nil || !strings.Contains(err.Error(), "max depth") && !strings.Contains(err.Error(), name) {
			t.Errorf("deep %s: error %v", name, err)
		}
		if whole != nil {
			write(t, path, whole)
		}
	}
}
