package llm

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/quant"
)

// rotateHalf reorders rows of queries and keys to the order of Hugging Face's weights,
// where the elements of a rotated pair are half a head apart.
type rotateHalf struct {
	weights
	headDim int
}

func (s rotateHalf) read(name tensorName, rows, cols int) ([]float32, error) {
	w, err := s.weights.read(name, rows, cols)
	if !strings.HasSuffix(name.part, "q_proj") && !strings.HasSuffix(name.part, "k_proj") {
		return w, err
	}
	p := make([]float32, 0, len(w))
	for h := 0; h < rows; h += s.headDim {
		for odd := range 2 {
			for i := odd; i < s.headDim; i += 2 {
				p = append(p, w[(h+i)*cols:][:cols]...)
			}
		}
	}
	return p, err
}

// A model loads the same from all kinds of files.
func TestLoad(t *testing.T) {
	for _, tied := range []bool{true, false} {
		c := llama2cConfig
		src := weights{5, tied}
		want := tiny(t, c, src)
		text := tokens(&c, 20, 2)
		wantLogits := logits(t, want, text, 20, 1, KV{})

		path := filepath.Join(t.TempDir(), "model.bin")
		write(t, path, llama2cBytes(c, src))
		got, err := Load(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if d := maxDiff(logits(t, got, text, 20, 1, KV{}), wantLogits); d != 0 || got.Tied() != tied {
			t.Errorf("llama2.c file, tied %v: logits differ by %g", tied, d)
		}
		if !slices.Equal(got.Config.EOS, c.EOS) || got.Config.Rope != c.Rope {
			t.Errorf("llama2.c file: config %+v", got.Config)
		}

		for _, files := range []int{1, 3} {
			got, err := Load(writeHF(t, c, rotateHalf{src, c.HeadDim}, files), Options{})
			if err != nil {
				t.Fatal(err)
			}
			// Rotated pairs are summed in another order.
			if d := maxDiff(logits(t, got, text, 20, 1, KV{}), wantLogits); d > 1e-5 || got.Tied() != tied {
				t.Errorf("Hugging Face directory of %d files, tied %v: logits differ by %g", files, tied, d)
			}
		}
	}
}

func TestLoadLlama2cErrors(t *testing.T) {
	good := llama2cBytes(llama2cConfig, weights{5, true})
	load := func(b []byte) error {
		path := filepath.Join(t.TempDir(), "model.bin")
		write(t, path, b)
		_, err := Load(path, Options{})
		if err != nil && !strings.HasPrefix(err.Error(), path) {
			t.Errorf("error does not begin with the path: %v", err)
		}
		return err
	}
	if err := load(good); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 27, 28, 1000, len(good) - 4, len(good) - 1} {
		if err := load(good[:n]); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("cut after %d bytes: error %v", n, err)
		}
	}
	if err := load(append(slices.Clone(good), 0)); !errors.Is(err, quant.ErrFormat) {
		t.Errorf("a byte too many: error %v", err)
	}
	for field := range 7 {
		for _, v := range []uint32{0, 1 << 31, 1<<31 - 1, 0xffffffff, 5, 1 << 20} {
			bad := slices.Clone(good)
			binary.LittleEndian.PutUint32(bad[4*field:], v)
			if err := load(bad); !errors.Is(err, quant.ErrFormat) {
				t.Errorf("field %d is %#x: error %v", field, v, err)
			}
		}
	}
	for _, v := range []uint32{0x7fc00000, 0xff800000} { // NaN, −Inf in the embedding
		bad := slices.Clone(good)
		binary.LittleEndian.PutUint32(bad[llama2cHeader+4*(3*llama2cConfig.Dim+5):], v)
		if err := load(bad); !errors.Is(err, quant.ErrNotFinite) || !strings.Contains(err.Error(), "embed_tokens, row 3, column 5 is ") {
			t.Errorf("weight %#x: error %v", v, err)
		}
	}
	for _, magic := range []string{"GGUF", "24ka"} {
		bad := slices.Clone(good)
		copy(bad, magic)
		if err := load(bad); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("%s: error %v", magic, err)
		}
	}
}

func TestLoadDirErrors(t *testing.T) {
	dir := writeHF(t, tinyConfig, weights{5, true}, 1)
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ old, new, want string }{
		{`"hidden_size":24`, `"hidden_size":32`, `tensor "model.embed_tokens.weight" has shape [43 24], but config.json makes it 43×32`},
		{`"num_hidden_layers":2`, `"num_hidden_layers":3`, `tensor "model.layers.2.self_attn.q_proj.weight" is missing (and 8 more)`},
		{`"num_key_value_heads":3`, `"num_key_value_heads":4`, "6 heads are not a multiple of 4 key-value heads"},
		{`"model_type":"llama"`, `"model_type":"bloom"`, `model_type is "bloom"`},
		{`"head_dim":6`, `"head_dim":5`, "head dim is 5, want an even number"},
		{`"head_dim":6`, `"head_dim":null,"attention_bias":true`, `tensor "model.layers.0.self_attn.q_proj.bias" is missing (and 7 more)`},
		{`"vocab_size":43`, `"vocab_size":1e99`, "config.json:"},
		{`{`, `{"hidden_act":"gelu",`, "hidden_act"},
		{`"num_hidden_layers":2`, `"num_hidden_layers":1`, `tensor "model.layers.1.input_layernorm.weight" is not a part of the model that config.json describes (and 8 more)`},
		{`{`, `{"rope_scaling":{"rope_type":"axial","factor":4},`, `rope scaling "axial" is not supported`},
		{`{`, `{"rope_scaling":{"rope_type":"linear"},`, "rope scaling factor is 0"},
		{`{`, ``, "config.json:"},
	} {
		write(t, filepath.Join(dir, "config.json"), []byte(strings.Replace(string(config), test.old, test.new, 1)))
		if _, err := Load(dir, Options{}); !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s for %s: error %v, want one about %q", test.new, test.old, err, test.want)
		}
	}
	write(t, filepath.Join(dir, "config.json"), config)
	weights := filepath.Join(dir, "model.safetensors")
	whole, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	write(t, weights, whole[:len(whole)-1])
	if _, err := Load(dir, Options{}); !errors.Is(err, quant.ErrFormat) {
		t.Errorf("cut safetensors: error %v", err)
	}
	for _, file := range []string{weights, filepath.Join(dir, "config.json")} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir, Options{}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("without %s: error %v", filepath.Base(file), err)
		}
	}
	if _, err := Load(filepath.Join(dir, "none"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: error %v", err)
	}
}

// llama32Config is Llama-3.2-1B's config.json, as published.
const llama32Config = `{
  "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
  "bos_token_id": 128000, "eos_token_id": [128001, 128008], "head_dim": 64, "hidden_act": "silu",
  "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192,
  "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama",
  "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1,
  "rms_norm_eps": 1e-05,
  "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192, "rope_type": "llama3"},
  "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
  "transformers_version": "4.45.0.dev0", "use_cache": true, "vocab_size": 128256
}`

func TestParseHF(t *testing.T) {
	c, h, err := parseHF([]byte(llama32Config))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Rope.Scaling
	if c.Dim != 2048 || c.KVHeads != 8 || c.HeadDim != 64 || c.BOS != 128000 || !slices.Equal(c.EOS, []int{128001, 128008}) ||
		c.Rope.Theta != 500000 || s == nil || !reflect.DeepEqual(*s, RopeScaling{Kind: ScaleLlama3, Factor: 32, LowFreqFactor: 1, HighFreqFactor: 4, OriginalContext: 8192}) || !h.Tied {
		t.Errorf("Llama-3.2-1B: %+v, %+v", c, s)
	}
	// Defaults, and the place of rotations in transformers 5.
	c, _, err = parseHF([]byte(`{"model_type":"llama","hidden_size":64,"intermediate_size":5,"num_hidden_layers":1,
		"num_attention_heads":4,"vocab_size":10,"eos_token_id":2,"rope_parameters":{"rope_theta":1e6,"rope_type":"default"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.KVHeads != 4 || c.HeadDim != 16 || c.Context != 2048 || c.NormEps != 1e-6 || c.Rope.Theta != 1e6 ||
		c.Rope.Scaling != nil || c.BOS != 1 || !slices.Equal(c.EOS, []int{2}) {
		t.Errorf("defaults: %+v", c)
	}
}

// Published configurations have only keys that are read or known to have no effect.
func TestParseHFPublished(t *testing.T) {
	for name, test := range map[string]struct {
		config string
		check  func(c Config) bool
	}{
		"Phi-4-mini": {`{"architectures":["Phi3ForCausalLM"],"attention_bias":false,"attention_dropout":0.0,"auto_map":{"AutoConfig":"configuration_phi3.Phi3Config"},
			"bos_token_id":199999,"embd_pdrop":0.0,"eos_token_id":199999,"full_attn_mod":1,"hidden_act":"silu","hidden_size":3072,"initializer_range":0.02,
			"intermediate_size":8192,"interpolate_factor":1,"lm_head_bias":false,"max_position_embeddings":131072,"mlp_bias":false,"model_type":"phi3",
			"num_attention_heads":24,"num_hidden_layers":32,"num_key_value_heads":8,"original_max_position_embeddings":4096,"pad_token_id":199999,
			"partial_rotary_factor":0.5,"resid_pdrop":0.0,"rms_norm_eps":1e-05,"rope_scaling":null,"rope_theta":10000.0,"sliding_window":262144,
			"tie_word_embeddings":true,"torch_dtype":"bfloat16","transformers_version":"4.45.0","use_cache":true,"vocab_size":200064}`,
			func(c Config) bool { return c.Rope.Dim == 64 && c.PerLayer == nil && c.HeadDim == 128 }},
		"gpt-oss-20b": {`{"architectures":["GptOssForCausalLM"],"attention_bias":true,"attention_dropout":0.0,"eos_token_id":200002,"experts_per_token":4,"head_dim":64,
			"hidden_act":"silu","hidden_size":2880,"initial_context_length":4096,"initializer_range":0.02,"intermediate_size":2880,"max_position_embeddings":131072,
			"model_type":"gpt_oss","num_attention_heads":64,"num_experts_per_tok":4,"num_hidden_layers":2,"num_key_value_heads":8,"num_local_experts":32,
			"layer_types":["sliding_attention","full_attention"],"output_router_logits":false,"pad_token_id":199999,
			"quantization_config":{"modules_to_not_convert":["lm_head"],"quant_method":"mxfp4"},"rms_norm_eps":1e-05,
			"rope_scaling":{"beta_fast":32.0,"beta_slow":1.0,"factor":32.0,"original_max_position_embeddings":4096,"rope_type":"yarn","truncate":false},
			"rope_theta":150000,"router_aux_loss_coef":0.9,"sliding_window":128,"swiglu_limit":7.0,"tie_word_embeddings":false,"transformers_version":"4.55.0.dev0",
			"use_cache":true,"vocab_size":201088}`,
			func(c Config) bool {
				return c.layer(0).Window == 128 && c.layer(1).Window == 0 && c.TopK == 4 && c.Rope.Scaling.Kind == ScaleYaRN
			}},
		"Qwen2.5, stretched": {`{"architectures":["Qwen2ForCausalLM"],"attention_dropout":0.0,"bos_token_id":151643,"eos_token_id":151645,"hidden_act":"silu","hidden_size":896,
			"initializer_range":0.02,"intermediate_size":4864,"max_position_embeddings":32768,"max_window_layers":21,"model_type":"qwen2","num_attention_heads":14,
			"num_hidden_layers":24,"num_key_value_heads":2,"rms_norm_eps":1e-06,"rope_theta":1000000.0,"sliding_window":32768,"tie_word_embeddings":true,
			"torch_dtype":"bfloat16","transformers_version":"4.43.1","use_cache":true,"use_mrope":false,"use_sliding_window":false,"vocab_size":151936,
			"rope_scaling":{"factor":4.0,"original_max_position_embeddings":32768,"type":"yarn"}}`,
			func(c Config) bool {
				return c.Context == 131072 && c.PerLayer == nil && c.Bias[Value] && !c.Bias[Output]
			}},
	} {
		c, _, err := parseHF([]byte(test.config))
		if err != nil || !test.check(c) {
			t.Errorf("%s: %+v, error %v", name, c, err)
		}
	}
}

func FuzzParseHF(f *testing.F) {
	f.Add([]byte(llama32Config))
	f.Add([]byte(`{"model_type":"mistral","hidden_size":64,"intermediate_size":5,"num_hidden_layers":1,"num_attention_heads":4,` +
		`"vocab_size":10,"eos_token_id":[2],"sliding_window":7,"rope_parameters":{"rope_theta":1e6,"rope_type":"linear","factor":2}}`))
	for _, dir := range familyModels(f) {
		data, err := os.ReadFile(filepath.Join(dir, "config.json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, _, err := parseHF(data)
		if err != nil {
			if !errors.Is(err, quant.ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if err := c.check(); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		for _, s := range outline(c, true).rotations(c.Context).turns {
			for _, f := range append(s.frequencies, s.magnitude) {
				if f-f != 0 {
					t.Fatalf("%+v: a frequency of %v", c, f)
				}
			}
		}
	})
}
