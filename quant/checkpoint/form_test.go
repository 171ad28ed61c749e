package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// blank makes a tensor of zeros.
func blank(name string, dtype safetensors.DType, shape ...int) weight {
	n := Tensor{Shape: shape}.Elements()
	return weight{name, dtype, shape, make([]byte, n*int64(dtype.Bits())/8)}
}

// openModel writes a model directory and opens it.
func openModel(t testing.TB, config string, ws ...weight) *Checkpoint {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "model.safetensors"), ws...)
	if config != "" {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return open(t, dir)
}

// storedForms has the tensors of one layer in each form, with the names that the writing
// programs use.
var storedForms = []struct {
	name    string
	tensors []weight // after the prefix "l."
	plain   int      // number of tensors that are not part of the form
}{
	{"GPTQ", []weight{blank("qweight", "I32", 8, 16), blank("qzeros", "I32", 2, 2), blank("scales", "F16", 2, 16), blank("g_idx", "I32", 64)}, 0},
	{"GPTQ", []weight{blank("qweight", "I32", 8, 16), blank("qzeros", "I32", 2, 2), blank("scales", "F16", 2, 16)}, 0},
	{"AWQ", []weight{blank("qweight", "I32", 64, 2), blank("qzeros", "I32", 2, 2), blank("scales", "F16", 2, 16), blank("bias", "F16", 16)}, 1},
	{"bitsandbytes of 4 bits", []weight{blank("weight", "U8", 512, 1), blank("weight.absmax", "U8", 16), blank("weight.quant_map", "F32", 16),
		blank("weight.nested_absmax", "F32", 1), blank("weight.nested_quant_map", "F32", 256), blank("weight.quant_state.bitsandbytes__nf4", "U8", 90)}, 0},
	{"bitsandbytes of 8 bits", []weight{blank("weight", "I8", 16, 64), blank("SCB", "F32", 16), blank("weight_format", "U8")}, 0},
	{"MLX", []weight{blank("weight", "U32", 16, 8), blank("scales", "F16", 16, 1), blank("biases", "F16", 16, 1)}, 0},
	{"MLX", []weight{blank("weight", "U32", 16, 8), blank("scales", "U8", 16, 2)}, 0},
	{"Metal of transformers", []weight{blank("weight", "U32", 16, 8), blank("scales", "F16", 16, 1), blank("qbiases", "F16", 16, 1)}, 0},
	{"pack-quantized of compressed-tensors", []weight{blank("weight_packed", "I32", 16, 8), blank("weight_scale", "BF16", 16, 2), blank("weight_shape", "I64", 2), blank("weight_zero_point", "I32", 2, 2)}, 0},
	{"NVFP4 of compressed-tensors", []weight{blank("weight_packed", "U8", 16, 32), blank("weight_scale", "F8_E4M3", 16, 4), blank("weight_global_scale", "F32", 1), blank("input_global_scale", "F32", 1)}, 0},
	{"NVFP4 of ModelOpt", []weight{blank("weight", "U8", 16, 32), blank("weight_scale", "F8_E4M3", 16, 4), blank("weight_scale_2", "F32"), blank("input_scale", "F32")}, 0},
	{"HQQ", []weight{blank("W_q", "U8", 32, 16), blank("scale", "F16", 16, 1), blank("zero", "F16", 16, 1), blank("nbits", "I64"), blank("group_size", "I64")}, 0},
	{"EETQ", []weight{blank("weight", "I8", 64, 16), blank("weight_scales", "F16", 16)}, 0},
	{"quanto", []weight{blank("weight._data", "I8", 16, 64), blank("weight._scale", "F32", 16, 1), blank("input_scale", "F32"), blank("output_scale", "F32")}, 0},
	{"AQLM", []weight{blank("codes", "I16", 2, 8, 1), blank("codebooks", "F16", 1, 16, 1, 8), blank("scales", "F16", 2, 1, 1, 1)}, 0},
	{"VPTQ", []weight{blank("indices", "I16", 1, 16, 4), blank("centroids.weight", "F16", 1, 64), blank("weight_scale", "F16", 64), blank("weight_bias", "F16", 64), blank("perm", "I16", 64)}, 0},
	{"SpQR", []weight{blank("dense_weights", "I64", 64), blank("row_offsets", "I32", 17), blank("col_vals", "I32", 4), blank("in_perm", "I16", 64)}, 0},
	{"HIGGS", []weight{blank("weight", "I16", 16, 16), blank("scales", "F16", 16, 1), blank("tables", "F16", 16), blank("tables2", "F32", 16, 16)}, 0},
	{"QuIP#", []weight{blank("Qidxs", "I64", 16, 4), blank("SU", "F16", 64), blank("SV", "F16", 16)}, 0},
	{"EXL2", []weight{blank("q_weight", "I32", 8, 16), blank("q_scale", "I32", 2, 2), blank("q_scale_max", "F16", 2), blank("q_groups", "I16", 4), blank("q_perm", "I16", 64)}, 0},
	{"EXL3", []weight{blank("trellis", "I16", 4, 1, 48), blank("suh", "F16", 64), blank("svh", "F16", 16)}, 0},
	{"FP-Quant", []weight{blank("qweight", "U8", 16, 32), blank("scales", "U8", 16, 2), blank("forward_hadamard_matrix", "BF16", 32, 32)}, 0},
	{"torchao", []weight{blank("_weight_qdata", "I8", 16, 64), blank("_weight_scale", "F32", 16, 1)}, 0},
	{"Marlin", []weight{blank("B", "I32", 4, 32), blank("s", "F16", 1, 16)}, 0},
	{"I8 with scales", []weight{blank("weight", "I8", 16, 64), blank("weight_scale", "BF16", 16, 1)}, 0}, // W8A8 of compressed-tensors
	{"U8 with scales", []weight{blank("weight", "U8", 4, 64), blank("weight_scale", "BF16", 1)}, 0},      // BitNet
	{"U8 with scales", []weight{blank("wi_packed", "U8", 4, 64), blank("wi_packed_scales", "F32", 4, 8)}, 0},
	{"F4 with scales", []weight{blank("weight", "F4", 4, 64), blank("weight_scale", "F8_E4M3", 4, 4)}, 0},
	{"F8_E4M3FNUZ with scales", []weight{blank("weight", "F8_E4M3FNUZ", 4, 64), blank("weight_scale", "F32", 1)}, 0},
}

// under puts a layer's tensors into a module.
func under(module string, ws []weight) []weight {
	var out []weight
	for _, w := range ws {
		w.name = child(module, w.name)
		out = append(out, w)
	}
	return out
}

// TestRefusedForms plans for forms that can't be read. The error names the form and
// counts its tensors, nothing is written, and the checkpoint can still be inspected.
func TestRefusedForms(t *testing.T) {
	for _, f := range storedForms {
		for _, module := range []string{"", "model.layers.0.self_attn.q_proj"} {
			ws := append(under(module, f.tensors), under("model.layers.1.self_attn.q_proj", f.tensors)...)
			ws = append(ws, blank("model.norm.weight", "F32", 64))
			c := openModel(t, "", ws...)
			if len(c.Tensors()) != len(ws) {
				t.Errorf("%s: %d tensors of %d", f.name, len(c.Tensors()), len(ws))
			}
			_, err := NewPlan(c, Options{Rules: Rules{Include: []string{"*"}}})
			if !errors.Is(err, ErrUnsupported) {
				t.Fatalf("%s: %v", f.name, err)
			}
			msg := err.Error()
			n := 2 * (len(f.tensors) - f.plain)
			if want := fmt.Sprintf("weights in the form %s are not supported (2 of %d tensors, the first %q)", f.name, n, child(module, f.tensors[0].name)); !strings.Contains(msg, want) || strings.Contains(msg, "\n") || !strings.Contains(msg, useOriginal) {
				t.Errorf("%q is not %q", msg, want)
			}
		}
	}
}

// TestRefusedConfigurations has forms that can't be read and that only the configuration
// names.
func TestRefusedConfigurations(t *testing.T) {
	plain := blank("l.weight", "F32", 64, 64)
	for _, x := range []struct{ config, form string }{
		{`{"quantization_config": {"quant_method": "gptq", "bits": 4}}`, "GPTQ"},
		{`{"beta": [NaN, -Infinity], "quantization_config": {"quant_method": "gptq", "bits": 4}}`, "GPTQ"}, // as Python writes it
		{`{"quantization_config": {"quant_method": "awq", "bits": 4}}`, "AWQ"},
		{`{"text_config": {"quantization_config": {"quant_method": "aqlm"}}}`, "AQLM"},
		{`{"quantization_config": {"load_in_4bit": true}}`, "bitsandbytes"},
		{`{"quantization": {"group_size": 64, "bits": 4}}`, "MLX"},
		{`{"quantization_config": {"quant_method": "bitnet"}}`, "BitNet"},
		{`{"quantization_config": {"quant_method": "tomorrow\u001b[2J"}}`, `quant_method "tomorrow\x1b[2J", which this program does not know`},
	} {
		c := openModel(t, x.config, plain)
		_, err := NewPlan(c, Options{})
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "the form "+x.form) || !strings.Contains(err.Error(), "config.json") {
			t.Errorf("%s: %v", x.config, err)
		}
	}
	// The configuration overrides the guess by tensors.
	c := openModel(t, `{"quantization_config": {"quant_method": "sinq"}}`, plain, blank("q.weight", "U8", 4, 64), blank("q.weight_scale", "F32", 4, 1))
	if _, err := NewPlan(c, Options{}); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "in the form SINQ, as config.json (quantization_config) says, are not supported (1 of 2 tensors") {
		t.Error(err)
	}
	// Configurations without a form, and integers that are not weights.
	for _, config := range []string{
		"", "{", "[]", "null", `{"quantization_config": null}`, `{"quantization_config": []}`, `{"quantization_config": {"quant_method": 3}}`,
		`{"quantization_config": {"quant_method": "bitmod"}}`, `{"quantization_config": {"quant_method": "compressed-tensors", "config_groups": [1]}}`,
	} {
		c := openModel(t, config, plain, blank("attn.relative_position_index", "I64", 16, 16), blank("attn.logit_scale", "F32", 4, 1, 1), blank("ids", "I32", 1, 9))
		if _, err := NewPlan(c, Options{}); err != nil {
			t.Errorf("%s: %v", config, err)
		}
	}
}

// TestNameCollisions plans for tensors with the names of stored parts of other tensors.
func TestNameCollisions(t *testing.T) {
	for _, suffix := range []string{suffixCodes, suffixScales, suffixRowScales, suffixSpecial} {
		for _, shape := range [][]int{{8}, {64, 64}} {
			c := openModel(t, "", blank("proj", "F32", 64, 64), blank("proj"+suffix, "F32", shape...))
			_, err := NewPlan(c, Options{Rules: Rules{Include: []string{"*"}}})
			if !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), `"proj"`) || !strings.Contains(err.Error(), `"proj`+suffix+`"`) {
				t.Errorf("%s: %v", suffix, err)
			}
			// Without quantization of the matrix there is no collision.
			p := plan(t, c, Options{Rules: Rules{Exclude: []string{"*"}}})
			run(t, p, t.TempDir(), RunOptions{})
		}
	}
}

// TestRefusedByReference has tensors that reference programs wrote, through
// testdata/refused.py.
func TestRefusedByReference(t *testing.T) {
	b, err := os.ReadFile("testdata/refused.json")
	if err != nil {
		t.Fatal(err)
	}
	var layers []struct {
		Form, By string
		Plain    []string
		Tensors  []struct {
			Name  string
			DType safetensors.DType
			Shape []int
		}
	}
	if err := json.Unmarshal(b, &layers); err != nil || len(layers) < 15 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	for _, l := range layers {
		ws := []weight{blank("model.norm.weight", "F32", 64)}
		for _, x := range l.Tensors {
			ws = append(ws, blank("model.layers.0.self_attn.q_proj."+x.Name, x.DType, x.Shape...))
		}
		_, err := NewPlan(openModel(t, "", ws...), Options{})
		want := fmt.Sprintf("weights in the form %s are not supported (1 of %d tensors, ", l.Form, len(l.Tensors)-len(l.Plain))
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", l.By, err, want)
		}
	}
}
