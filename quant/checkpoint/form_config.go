package checkpoint

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/jsonedit"
)

// A quantization is the description of the weights' form in the files beside them. The
// zero value means that there is no such description.
type quantization struct {
	where  string   // the file and its member
	method string   // as the file has it
	form   string   // its name for people, "" if it can be read
	block  [2]int   // rows and columns that share a scale, 0 if it doesn't say
	blocks [][2]int // other blocks that it allows
}

func (q quantization) refused() bool { return q.form != "" }

// scaled reports whether weights of 8 bits should have scales.
func (q quantization) scaled() bool { return q.method != "" && q.method != "bitmod" }

// inBlocks ends an error about the scales of a weight.
func (q quantization) inBlocks() string {
	if q.block == ([2]int{}) {
		return ""
	}
	return fmt.Sprintf(" in blocks of %v, as %s says", q.block, q.where)
}

// maxConfig is the largest size of a configuration, far above any that exists.
const maxConfig = 16 << 20

// readMethods are the methods that may go with readable forms. The tensors decide
// whether they can be read.
var readMethods = []string{"fp8", "fbgemm_fp8", "mxfp4", "mxfp8", "compressed-tensors", "compressed_tensors", "modelopt", "quark", "bitmod", "finegrained_fp8"}

// quantizationFiles are configurations that only describe how weights are quantized:
// those of ModelOpt, AutoGPTQ and AutoAWQ.
var quantizationFiles = []string{"hf_quant_config.json", "quantize_config.json", "quant_config.json"}

// readQuantization reads the configurations beside a checkpoint. It ignores one that is
// absent or not JSON: tensors are recognized without it.
func readQuantization(fsys fs.FS) quantization {
	for _, at := range []struct {
		file string
		keys [][]string // where it may be
	}{
		{"config.json", [][]string{{"quantization_config"}, {"text_config", "quantization_config"}, {"compression_config"}, {"quantization"}}},
		{quantizationFiles[0], [][]string{{"quantization"}}},
		{quantizationFiles[1], [][]string{{}}},
		{quantizationFiles[2], [][]string{{}}},
	} {
		m := readJSON(fsys, at.file)
		for _, keys := range at.keys {
			v, where := m, at.file
			for _, k := range keys {
				v, _ = v[k].(map[string]any)
				where += " (" + k + ")"
			}
			if len(v) > 0 {
				return parseQuantization(v, where, at.file)
			}
		}
	}
	return quantization{}
}

// readJSON returns the object in a JSON file, with Python's NaN and Infinity allowed,
// or nil if there is none.
func readJSON(fsys fs.FS, name string) map[string]any {
	b, err := badfile.ReadFile(fsys, name, maxConfig)
	if err != nil {
		return nil
	}
	var m map[string]any
	if json.Unmarshal(jsonedit.Strict(b), &m) != nil {
		return nil
	}
	return m
}

func parseQuantization(v map[string]any, where, file string) quantization {
	q := quantization{where: where}
	str := func(key string) string { s, _ := v[key].(string); return s }
	q.method = str("quant_method")
	algo := str("quant_algo") // of ModelOpt, beside or instead of quant_method
	switch {
	case q.method != "":
	case v["load_in_4bit"] == true || v["load_in_8bit"] == true:
		q.method = "bitsandbytes"
	case algo != "":
		q.method = "modelopt"
	case v["config_groups"] != nil:
		q.method = "compressed-tensors"
	case v["w_bit"] != nil || v["zero_point"] != nil:
		q.method = "awq"
	case file == quantizationFiles[1]:
		q.method = "gptq"
	case v["bits"] != nil && v["group_size"] != nil:
		q.method = "mlx"
	default:
		return quantization{}
	}
	q.block = pair(v["weight_block_size"])
	if groups, ok := v["config_groups"].(map[string]any); ok {
		for _, g := range groups {
			g, _ := g.(map[string]any)
			w, _ := g["weights"].(map[string]any)
			if b := pair(w["block_structure"]); b != ([2]int{}) {
				q.blocks = append(q.blocks, b)
			}
			if n, ok := w["group_size"].(float64); ok && n >= 1 && n <= 1<<30 {
				q.blocks = append(q.blocks, [2]int{1, int(n)})
			}
		}
	}
	for _, f := range refusedForms {
		if slices.Contains(f.methods, q.method) {
			q.form = f.name
			return q
		}
	}
	if !slices.Contains(readMethods, q.method) {
		q.form = fmt.Sprintf("quant_method %s, which this program does not know", badfile.Quote(q.method))
	}
	return q
}

// pair returns v as two positive numbers, or zeros if it is something else.
func pair(v any) [2]int {
	a, _ := v.([]any)
	if len(a) != 2 {
		return [2]int{}
	}
	var p [2]int
	for i := range p {
		n, ok := a[i].(float64)
		if !ok || n < 1 || n > 1<<30 || n != float64(int(n)) {
			return [2]int{}
		}
		p[i] = int(n)
	}
	return p
}
