package llm

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/quant"
)

// readConfig returns config.json of a model of testdata/families.
func readConfig(tb testing.TB, dir string) map[string]any {
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	var c map[string]any
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// withConfig loads the weights of a model with another config.json.
func withConfig(t *testing.T, dir string, config map[string]any) (*Model, error) {
	t.Helper()
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	write(t, filepath.Join(to, "config.json"), data)
	weights, err := filepath.Abs(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(weights, filepath.Join(to, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	return Load(to, Options{})
}

// others returns other possible values of a key.
func others(v any) []any {
	switch v := v.(type) {
	case bool:
		return []any{!v}
	case float64:
		if v == float64(int(v)) && v != 0 {
			return []any{v + 1, v / 2, 2 * v}
		}
		return []any{v*1.5 + 0.01, 8*v + 1}
	case string:
		return []any{"gelu_new", "silu", "linear", "llama3"}
	case []any:
		if len(v) == 0 {
			return []any{[]any{0.0}}
		}
		c := slices.Clone(v)
		if slices.Contains(v, any("full_attention")) || slices.Contains(v, any("sliding_attention")) {
			for i := range c {
				c[i] = map[any]any{"full_attention": "sliding_attention", "sliding_attention": "full_attention"}[c[i]]
			}
			return []any{c}
		}
		c[0] = others(v[0])[0]
		return []any{c}
	}
	return nil
}

// TestFamiliesReadKeys gives every key of config.json other values. Each changes the
// logits or is an error, unless it is known to have no effect.
func TestFamiliesReadKeys(t *testing.T) {
	// Keys that are read but need not change the logits of these models.
	idle := map[string]string{
		"bos_token_id": "", "eos_token_id": "", // which tokens start and end a text
		"max_position_embeddings":          "", // how long a text may be
		"model_type":                       "",
		"sliding_window":                   "qwen3 smollm3 qwen3_moe qwen3_moe-plain", // off
		"max_window_layers":                "qwen3",                                   // off
		"use_sliding_window":               "qwen3 smollm3 qwen3_moe qwen3_moe-plain", // there is no window, or layer_types has none
		"layer_types":                      "qwen3",                                   // use_sliding_window is off
		"intermediate_size":                "qwen3_moe-plain",                         // all layers have experts
		"partial_rotary_factor":            "phi3",                                    // rope_parameters says it, too
		"original_max_position_embeddings": "phi3",                                    // no scaling
	}
	for _, dir := range familyModels(t) {
		name := filepath.Base(dir)
		t.Run(name, func(t *testing.T) {
			js := readJudged(t, dir)
			same := func(config map[string]any) (bool, error) {
				m, err := withConfig(t, dir, config)
				if err != nil {
					return false, err
				}
				for _, j := range js {
					if m.Config.Context < len(j.IDs) || j.worst(logits(t, m, j.IDs, len(j.IDs), 1, KV{Length: len(j.IDs)})) > 1e-4 {
						return false, nil
					}
				}
				return true, nil
			}
			config := readConfig(t, dir)
			var walk func(path string, object map[string]any)
			walk = func(path string, object map[string]any) {
				for key, v := range maps.Clone(object) {
					if inner, ok := v.(map[string]any); ok {
						if key != "quantization_config" { // quant/checkpoint checks it
							walk(path+key+".", inner)
						}
						continue
					}
					if _, ok := idle[path+key]; ok && (idle[path+key] == "" || slices.Contains(strings.Fields(idle[path+key]), name)) {
						continue
					}
					f, _ := familyOf(config["model_type"].(string))
					if slices.Contains(harmless, key) || slices.Contains(f.harmless, key) {
						continue
					}
					tried, changed := 0, 0
					for _, other := range others(v) {
						if fmt.Sprint(other) == fmt.Sprint(v) {
							continue
						}
						object[key] = other
						switch same, err := same(config); {
						case err != nil && !errors.Is(err, quant.ErrFormat):
							t.Errorf("%s%s is %v: error %v does not match ErrFormat", path, key, other, err)
						case err != nil || !same:
							changed++
						}
						tried++
						if changed > 0 {
							break
						}
					}
					if tried > 0 && changed == 0 {
						t.Errorf("%s%s is %v, and with others nothing changes", path, key, v)
					}
					object[key] = v
				}
			}
			walk("", config)
			if ok, err := same(config); !ok || err != nil {
				t.Errorf("unchanged: error %v", err)
			}
		})
	}
}

// TestFamiliesUnknownKeys adds the keys of other families to every family.
func TestFamiliesUnknownKeys(t *testing.T) {
	for _, dir := range familyModels(t) {
		config := readConfig(t, dir)
		for key, v := range map[string]any{
			"logit_scale": 0.0625, "logits_scaling": 8.0, "residual_multiplier": 0.22, "embedding_multiplier": 12.0, "attention_multiplier": 0.5,
			"scale_depth": 1.4, "scale_emb": 12, "dim_model_base": 256, "qk_layernorm": true, "use_qk_norm": true, "clip_qkv": 8.0,
			"parallel_residual": true, "n_shared_experts": 1, "use_parallel_residual": true, "alibi": true, "kv_lora_rank": 512,
			"residual_dropout": 0.1, "\x1b[2J": 1, "rope_interleaved": true, "is_encoder_decoder": true, "pruned_heads": map[string]any{"0": []int{1}},
		} {
			if _, ok := config[key]; ok {
				continue
			}
			config[key] = v
			_, err := withConfig(t, dir, config)
			if !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), strings.ReplaceAll(key, "\x1b", `\x1b`)) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%s: %q is %v: error %v", filepath.Base(dir), key, v, err)
			}
			delete(config, key)
		}
		for _, key := range []string{"qk_layernorm", "logit_scale"} { // off
			config[key] = nil
			if _, err := withConfig(t, dir, config); err != nil {
				t.Errorf("%s: %q is null: error %v", filepath.Base(dir), key, err)
			}
			delete(config, key)
		}
		for _, object := range []string{"rope_parameters", "rope_scaling"} {
			if o, ok := config[object].(map[string]any); ok {
				o["mrope_section"] = []int{1, 1}
				if _, err := withConfig(t, dir, config); err == nil || !strings.Contains(err.Error(), object) || !strings.Contains(err.Error(), "mrope_section") {
					t.Errorf("%s: %s.mrope_section: error %v", filepath.Base(dir), object, err)
				}
				delete(o, "mrope_section")
			}
		}
	}
}

// TestFamiliesTensors removes every tensor of a model in turn, and adds some.
func TestFamiliesTensors(t *testing.T) {
	for _, dir := range familyModels(t) {
		if name := filepath.Base(dir); testing.Short() && strings.Contains(name, "-") {
			continue // a variant
		}
		config := readConfig(t, dir)
		file := filepath.Join(dir, "model.safetensors")
		header, data := readSafetensors(t, file)
		load := func(h map[string]any) error {
			to := t.TempDir()
			writeSafetensors(t, filepath.Join(to, "model.safetensors"), h, data)
			c, err := json.Marshal(config)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(to, "config.json"), c)
			_, err = Load(to, Options{})
			return err
		}
		for name, v := range maps.Clone(header) {
			if name == "__metadata__" {
				continue
			}
			delete(header, name)
			if err := load(header); err == nil || !strings.Contains(err.Error(), strings.NewReplacer("_blocks", "", "_scales", "").Replace(name)) {
				t.Errorf("%s: without %s: error %v", filepath.Base(dir), name, err)
			}
			header[name+"_extra"] = v
			header[name] = v
			if err := load(header); !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: with %s_extra: error %v", filepath.Base(dir), name, err)
			}
			delete(header, name+"_extra")
		}
	}
}

func readSafetensors(t *testing.T, path string) (header map[string]any, data []byte) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 8 + int(file[0]) + int(file[1])<<8 + int(file[2])<<16
	if err := json.Unmarshal(file[8:n], &header); err != nil {
		t.Fatal(err)
	}
	return header, file[n:]
}

// writeSafetensors writes tensors that may overlap in source, each with bytes of its own.
func writeSafetensors(t *testing.T, path string, header map[string]any, source []byte) {
	t.Helper()
	h := map[string]any{}
	var data []byte
	for _, name := range slices.Sorted(maps.Keys(header)) {
		x, ok := header[name].(map[string]any)
		if name == "__metadata__" || !ok {
			continue
		}
		at := x["data_offsets"].([]any)
		x = maps.Clone(x)
		begin := len(data)
		data = append(data, source[int(at[0].(float64)):int(at[1].(float64))]...)
		x["data_offsets"] = []int{begin, len(data)}
		h[name] = x
	}
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, strings.Repeat(" ", -len(b)&7)...)
	write(t, path, slices.Concat([]byte{byte(len(b)), byte(len(b) >> 8), byte(len(b) >> 16), 0, 0, 0, 0, 0}, b, data))
}
