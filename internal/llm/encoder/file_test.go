package encoder

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// model returns the files of a fixture in memory.
func model(t testing.TB, name string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, f := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join("testdata", name, f))
		if err != nil {
			t.Fatal(err)
		}
		files[f] = &fstest.MapFile{Data: data}
	}
	return files
}

// with returns files with the given keys of config.json changed. A nil value removes a
// key.
func with(t testing.TB, files fstest.MapFS, changes map[string]any) fstest.MapFS {
	t.Helper()
	var config map[string]any
	if err := json.Unmarshal(files["config.json"].Data, &config); err != nil {
		t.Fatal(err)
	}
	for k, v := range changes {
		config[k] = v
		if v == nil {
			delete(config, k)
		}
	}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	files = maps.Clone(files)
	files["config.json"] = &fstest.MapFile{Data: data}
	return files
}

// TestConfigErrors checks that a key that changes results is never ignored in silence.
func TestConfigErrors(t *testing.T) {
	for _, c := range []struct {
		model   string
		changes map[string]any
		want    string // "" for no error
	}{
		{"bert", nil, ""},
		{"bert", map[string]any{"torch_dtype": "float32", "gradient_checkpointing": false, "position_embedding_type": "absolute", "is_decoder": nil}, ""},
		{"roberta", map[string]any{"model_type": "camembert"}, ""},
		{"bert", map[string]any{"hidden_act": "gelu_python"}, ""},
		{"bert", map[string]any{"model_type": nil}, `model_type is "", want one of`},
		{"bert", map[string]any{"model_type": "llama"}, `model_type is "llama", want one of`},
		{"bert", map[string]any{"model_type": 3}, "model_type is 3"},
		{"bert", map[string]any{"hidden_size": nil}, "hidden_size is missing"},
		{"bert", map[string]any{"hidden_size": "x"}, `hidden_size is "x"`},
		{"bert", map[string]any{"hidden_size": 0}, "hidden_size is 0, want 1"},
		{"bert", map[string]any{"hidden_size": 32}, "embeddings.word_embeddings.weight\" has shape [50 16], but config.json makes it [50 32]"},
		{"bert", map[string]any{"num_hidden_layers": 1}, `tensor "encoder.layer.1.`},
		{"bert", map[string]any{"num_hidden_layers": 3}, `tensor "encoder.layer.2.attention.self.query.weight" is missing`},
		{"bert", map[string]any{"num_hidden_layers": 4000}, "config.json has 4000 layers, and the file"},
		{"bert", map[string]any{"num_attention_heads": 3}, "not a multiple of 3 heads"},
		{"bert", map[string]any{"hidden_act": "quick_gelu"}, `hidden_act is "quick_gelu", want one of`},
		{"bert", map[string]any{"layer_norm_eps": -1}, "layer_norm_eps is -1"},
		{"bert", map[string]any{"is_decoder": true}, "is_decoder is true, want false"},
		{"bert", map[string]any{"position_embedding_type": "relative_key"}, `position_embedding_type is "relative_key", want "absolute"`},
		{"bert", map[string]any{"auto_map": map[string]string{"AutoModel": "x"}}, "auto_map is {"},
		{"bert", map[string]any{"attention_window": 3}, `"attention_window" is not known`},
		{"bert", map[string]any{"model_type": "distilbert"}, `dim is missing`},
		{"roberta", map[string]any{"pad_token_id": 50}, "pad_token_id is 50"},
		{"roberta", map[string]any{"pad_token_id": 39}, "pad_token_id is 39"},
		{"mpnet", map[string]any{"relative_attention_num_buckets": 30}, "relative_attention_num_buckets is 30"},
		{"bert-tanh", map[string]any{"type_vocab_size": 1}, "token_type_embeddings"},
	} {
		f, err := OpenFS(with(t, model(t, c.model), c.changes), ".")
		if err == nil {
			f.Close()
		}
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s with %v: %v", c.model, c.changes, err)
		case c.want != "" && (!errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s with %v: error %v, want %q", c.model, c.changes, err, c.want)
		}
	}
}

func TestUnused(t *testing.T) {
	for dir, want := range map[string][]string{"bert": {"pooler.dense.bias", "pooler.dense.weight"}, "bert-tanh": nil, "distilbert": nil} {
		f, err := OpenFile("testdata/" + dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Unused(); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("%s: not used are %q, want %q", dir, got, want)
		}
		f.Close()
	}
}

// TestResult checks that a packed result gives the same as the weights quantized in
// memory, and that its matrices are used as they are.
func TestResult(t *testing.T) {
	for _, dir := range []string{"bert", "mpnet", "distilbert"} {
		source, err := checkpoint.Open("testdata/" + dir)
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		config, int8s := quant.Config{Type: datatype.BitMoD4, GroupSize: 8}, quant.Config{Type: datatype.Int8}
		plan, err := checkpoint.NewPlan(source, checkpoint.Options{Config: config, Rules: checkpoint.Rules{Types: []checkpoint.TypeRule{{Pattern: "embeddings", Type: datatype.Int8, GroupSize: 128}}}})
		if err != nil {
			t.Fatal(err)
		}
		result := t.TempDir()
		if _, err := plan.Run(t.Context(), result, checkpoint.RunOptions{}); err != nil {
			t.Fatal(err)
		}
		f, packed := load(t, result, Options{})
		_, inMemory := load(t, "testdata/"+dir, Options{Quantize: &config, Embeddings: &int8s})
		text := []int{2, 7, 9, 4, 3, 30, 31}
		if !slices.Equal(run(t, packed, 1, text)[0], run(t, inMemory, 1, text)[0]) {
			t.Errorf("%s: the result gives something else than weights quantized in memory", dir)
		}
		if packed.Bytes() != inMemory.Bytes() || len(f.Packed()) != 1 || f.Embedding() != "int8 in groups of 128" {
			t.Errorf("%s: %d and %d bytes, packed as %v, embedding %s", dir, packed.Bytes(), inMemory.Bytes(), f.Packed(), f.Embedding())
		}
	}
}

// TestGGUF checks that a GGUF file is a model like any other, and has a pooling.
func TestGGUF(t *testing.T) {
	f, m := load(t, "../../gguf/hf/testdata/bert.gguf", Options{})
	if h := run(t, m, 1, []int{2, 5, 3})[0]; len(h) != 3*m.Config.Dim {
		t.Errorf("%d numbers", len(h))
	}
	p, err := f.Pipeline()
	if err != nil || !slices.Equal(p.Poolings, []Pooling{Mean}) || !p.Normalize || p.Source != "bert.pooling_type" {
		t.Errorf("pipeline %+v, error %v", p, err)
	}
}

// TestNotFinite checks that an infinite weight is found and named in every tensor that is
// used.
func TestNotFinite(t *testing.T) {
	files := model(t, "bert")
	data := files["model.safetensors"].Data
	begin := 8 + int(binary.LittleEndian.Uint64(data))
	header := map[string]json.RawMessage{}
	if err := json.Unmarshal(data[8:begin], &header); err != nil {
		t.Fatal(err)
	}
	found, unused := 0, 0
	for name, raw := range header {
		if name == "__metadata__" {
			continue
		}
		var tensor struct {
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &tensor); err != nil {
			t.Fatal(err)
		}
		bad := slices.Clone(data)
		binary.LittleEndian.PutUint32(bad[begin+tensor.Offsets[1]-4:], 0x7f800000)
		files["model.safetensors"] = &fstest.MapFile{Data: bad}
		f, err := OpenFS(files, ".")
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Load(Options{})
		switch {
		case slices.Contains(f.Unused(), name):
			unused++
			if err != nil {
				t.Errorf("%s is not used, but: %v", name, err)
			}
		case !errors.Is(err, quant.ErrNotFinite) || !strings.Contains(err.Error(), name):
			t.Errorf("an infinite weight in %s: error %v", name, err)
		default:
			found++
		}
		f.Close()
	}
	if found < 20 || unused != 2 {
		t.Errorf("%d tensors are used, and %d are not", found, unused)
	}
}

// sentence returns the files of sentence-transformers.
func sentence(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

const modules = `[{"path": "", "type": "sentence_transformers.models.Transformer"}, {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]`

func TestPipeline(t *testing.T) {
	pooling := func(s string) map[string]string {
		return map[string]string{"modules.json": modules, "1_Pooling/config.json": s}
	}
	and := func(files map[string]string, name, text string) map[string]string {
		files[name] = text
		return files
	}
	for _, c := range []struct {
		files map[string]string
		want  string // String, or part of an error
		ok    bool
	}{
		{nil, "mean of up to 40 tokens (there is no modules.json)", true},
		{pooling(`{"word_embedding_dimension": 16, "pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false}`), "mean of up to 40 tokens (modules.json)", true},
		{pooling(`{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true, "include_prompt": true}`), "cls and mean of up to 40 tokens (modules.json)", true},
		{pooling(`{"pooling_mode": "max", "embedding_dimension": 16}`), "max of up to 40 tokens (modules.json)", true},
		{and(pooling(`{"pooling_mode_max_tokens": true}`), "sentence_bert_config.json", `{"max_seq_length": 12}`), "max of up to 12 tokens (modules.json)", true},
		{and(pooling(`{"pooling_mode_max_tokens": true}`), "sentence_bert_config.json", `{"max_seq_length": 512}`), "max of up to 40 tokens (modules.json)", true},
		{and(pooling(`{"pooling_mode_cls_token": true}`), "modules.json", strings.TrimSuffix(modules, "]")+`, {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]`), "cls of up to 40 tokens, normalized (modules.json)", true},

		{pooling(`{}`), "no pooling mode is true", false},
		{pooling(`{"pooling_mode_cls_token": 1}`), "pooling_mode_cls_token is 1", false},
		{pooling(`{"pooling_mode": "median"}`), `pooling is "median"`, false},
		{pooling(`{"pooling_mode_cls_token": true, "word_embedding_dimension": 8}`), "word_embedding_dimension is 8", false},
		{pooling(`{"pooling_mode_cls_token": true, "pooling_mode_magic": true}`), `"pooling_mode_magic" is not known`, false},
		{map[string]string{"modules.json": modules}, `names "1_Pooling/config.json", which is missing`, false},
		{map[string]string{"modules.json": `[]`}, "0 modules", false},
		{map[string]string{"modules.json": `{}`}, "modules.json", false},
		{and(pooling(`{"pooling_mode_cls_token": true}`), "modules.json", strings.TrimSuffix(modules, "]")+`, {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}]`), `module 2 is "sentence_transformers.models.Dense"`, false},
		{and(pooling(`{"pooling_mode_cls_token": true}`), "sentence_bert_config.json", `{"max_seq_length": 0}`), "max_seq_length is 0", false},
		{and(pooling(`{"pooling_mode_cls_token": true}`), "config_sentence_transformers.json", `{"default_prompt_name": "x"}`), `no prompt "x"`, false},
		{and(pooling(`{"pooling_mode_cls_token": true}`), "config_sentence_transformers.json", `{"default_prompt_name": "x", "prompts": {"x": "query: "}}`), "cls of", true},
	} {
		files := model(t, "bert")
		maps.Copy(files, sentence(c.files))
		f, err := OpenFS(files, ".")
		if err != nil {
			t.Fatal(err)
		}
		p, err := f.Pipeline()
		f.Close()
		switch {
		case c.ok && (err != nil || !strings.HasPrefix(p.String(), c.want)):
			t.Errorf("%q: %v, error %v, want %q", c.files, p, err, c.want)
		case !c.ok && (!errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: error %v, want %q", c.files, err, c.want)
		}
	}
}

func TestPool(t *testing.T) {
	hidden := []float32{3, 4, 1, -2, 2, 10}
	for pooling, want := range map[Pooling][]float32{
		CLS: {3, 4}, Max: {3, 10}, Mean: {2, 4}, LastTokenOnly: {2, 10},
		MeanSqrt:     {float32(6 / 1.7320508075688772), float32(12 / 1.7320508075688772)},
		WeightedMean: {11. / 6, 30. / 6},
	} {
		got := make([]float32, 2)
		p := Pipeline{Poolings: []Pooling{pooling}}
		if err := p.Pool(got, hidden); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, error %v, want %v", pooling, got, err, want)
		}
	}
	got := make([]float32, 4)
	p := Pipeline{Poolings: []Pooling{CLS, LastTokenOnly}, Normalize: true}
	if err := p.Pool(got, []float32{2, 0, 0, 0}); err != nil || !slices.Equal(got, []float32{1, 0, 0, 0}) {
		t.Errorf("normalized: %v, error %v", got, err)
	}
	for _, n := range []int{0, 3} {
		if err := p.Pool(got, make([]float32, n)); err == nil {
			t.Errorf("%d numbers are no error", n)
		}
	}
}

// TestCut checks that a file that is cut anywhere gives an error, and nothing worse.
func TestCut(t *testing.T) {
	files := model(t, "mpnet")
	maps.Copy(files, sentence(map[string]string{
		"modules.json": modules, "1_Pooling/config.json": `{"pooling_mode_cls_token": true}`, "sentence_bert_config.json": `{"max_seq_length": 9}`,
	}))
	for name, file := range files {
		if name == "model.safetensors" {
			continue // is for quant/checkpoint
		}
		for n := range file.Data {
			if strings.TrimSpace(string(file.Data[n:])) == "" {
				continue
			}
			cut := maps.Clone(files)
			cut[name] = &fstest.MapFile{Data: file.Data[:n]}
			f, err := OpenFS(cut, ".")
			if err == nil {
				_, err = f.Pipeline()
				f.Close()
			}
			if !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), name) {
				t.Fatalf("%s, cut after %d bytes: error %v", name, n, err)
			}
		}
	}
}

// FuzzOpen opens whatever the files say, within the time and memory that the files are
// worth.
func FuzzOpen(f *testing.F) {
	// The weights are always the same, and opened once. The other files vary.
	weights, err := checkpoint.OpenFS(model(f, "bert"), ".")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { weights.Close() })
	f.Add(model(f, "bert")["config.json"].Data, []byte(modules), []byte(`{"pooling_mode_cls_token": true}`))
	f.Add(model(f, "mpnet")["config.json"].Data, []byte(modules), []byte(`{"pooling_mode": "mean"}`))
	f.Add([]byte(`{"model_type": "bert"}`), []byte(`[{}]`), []byte(`{"pooling_mode": 1}`))
	f.Fuzz(func(t *testing.T, config, modules, pooling []byte) {
		file := func(data []byte) *fstest.MapFile { return &fstest.MapFile{Data: data, Mode: fs.FileMode(0o644)} }
		e, err := newFile("x", weights, fstest.MapFS{
			"config.json": file(config), "modules.json": file(modules), "1_Pooling/config.json": file(pooling),
		})
		if err != nil {
			if !errors.Is(err, quant.ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if p, err := e.Pipeline(); err == nil && (p.MaxTokens < 1 || len(p.Poolings) == 0) {
			t.Fatalf("pipeline %+v", p)
		}
		m, err := e.Load(Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := NewRunner(m, 1)
		defer r.Close()
		if err := r.Forward([]int{0, 1, 2}); err != nil && m.Config.MaxTokens() >= 3 {
			t.Fatal(err)
		}
	})
}
