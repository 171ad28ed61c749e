package checkpoint

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/internal/jsonedit"
)

// quantMethod is the quant_method in the quantization_config of a result's
// config.json.
const quantMethod = "bitmod"

// Members of config.json.
const (
	configQuantization = "quantization_config"
	configCompression  = "compression_config" // of old versions of compressed-tensors
	// For an unknown quant_method, transformers only warns, and continues with random
	// weights in place of missing ones. Naming a file of weights that does not exist is
	// an error that quotes the name.
	configWeights      = "transformers_weights"
	configWeightsValue = "bitmod: quantized weights, which transformers cannot read (quantize dequantize writes those that it can)"
)

// A quantizationConfig describes a result in config.json. Readers of this format ignore
// it and use the headers of the files, which describe each tensor.
type quantizationConfig struct {
	Method    string   `json:"quant_method"`
	Version   string   `json:"version"`
	Bits      int      `json:"bits"`
	Type      string   `json:"type"`
	GroupSize int      `json:"group_size"`
	Others    []string `json:"other_types,omitempty"`
	Kept      []string `json:"modules_to_not_convert"`
}

// newQuantizationConfig describes tensors by the most frequent type and group size of
// their weights. It returns nil if none is quantized.
func newQuantizationConfig(tensors []Tensor) *quantizationConfig {
	q := &quantizationConfig{Method: quantMethod, Version: version, Kept: []string{}}
	type kind struct {
		typ   string
		bits  int
		group int
	}
	weights := make(map[kind]int64)
	for _, t := range tensors {
		switch {
		case t.Quantized:
			for _, p := range t.types() {
				weights[kind{p.Type.String(), p.Type.Bits(), p.GroupSize}] += int64(p.Rows) * int64(t.Cols())
			}
		case len(t.Shape) > 1:
			q.Kept = append(q.Kept, strings.TrimSuffix(t.Name, ".weight"))
		}
	}
	if len(weights) == 0 {
		return nil
	}
	kinds := slices.SortedFunc(maps.Keys(weights), func(a, b kind) int {
		return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(a.typ, b.typ), cmp.Compare(a.group, b.group))
	})
	q.Type, q.Bits, q.GroupSize = kinds[0].typ, kinds[0].bits, kinds[0].group
	for _, k := range kinds[1:] {
		if k.typ != q.Type && !slices.Contains(q.Others, k.typ) {
			q.Others = append(q.Others, k.typ)
		}
	}
	return q
}

// configFor changes the text of a config.json to fit a result of the given tensors.
// changed describes the change.
func configFor(text []byte, tensors []Tensor) (out []byte, changed string, err error) {
	if q := newQuantizationConfig(tensors); q != nil {
		if out, err = withoutQuantization(text, "", true); err != nil {
			return nil, "", err
		}
		for _, m := range []struct {
			key   string
			value any
		}{{configQuantization, q}, {configWeights, configWeightsValue}} {
			if out, err = jsonedit.Set(out, m.key, []byte(jsonString(m.value))); err != nil {
				return nil, "", err
			}
		}
		return out, "quantization_config says " + quantMethod, nil
	}
	return dequantizedConfig(text, tensors)
}

// dequantizedConfig removes the members about quantization, and sets the dtype of the
// weights.
func dequantizedConfig(text []byte, tensors []Tensor) (out []byte, changed string, err error) {
	dtype := torchDType(tensors)
	out, err = withoutQuantization(text, dtype, true)
	if err != nil || string(out) == string(text) {
		return text, "", err
	}
	return out, "without quantization_config, torch_dtype is " + dtype, nil
}

// withoutQuantization removes the members about quantization from an object, and from
// objects of parts of the model in it, such as text_config. It sets the dtype in both,
// unless dtype is "".
func withoutQuantization(text []byte, dtype string, top bool) ([]byte, error) {
	out := text
	for _, key := range []string{configQuantization, configCompression, configWeights} {
		var err error
		if out, err = jsonedit.Delete(out, key); err != nil {
			return nil, err
		}
	}
	members, err := jsonedit.Members(out)
	if err != nil {
		return nil, err
	}
	said := false
	for _, m := range members {
		value := []byte(jsonString(dtype))
		switch {
		case dtype != "" && (m.Key == "torch_dtype" || m.Key == "dtype"):
			said = true
		case top && strings.HasSuffix(m.Key, "_config") && len(m.Value) > 0 && m.Value[0] == '{':
			if value, err = withoutQuantization(m.Value, dtype, false); err != nil {
				return nil, err
			}
			if string(value) == string(m.Value) {
				continue
			}
		default:
			continue
		}
		if out, err = jsonedit.Set(out, m.Key, value); err != nil {
			return nil, err
		}
	}
	if top && !said && dtype != "" {
		return jsonedit.Set(out, "torch_dtype", []byte(jsonString(dtype)))
	}
	return out, nil
}

// torchDType returns PyTorch's name of the most frequent float type among the elements
// of tensors, or "" if PyTorch does not have it.
func torchDType(tensors []Tensor) string {
	elements := make(map[string]int64)
	for _, t := range tensors {
		if name := map[string]string{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}[t.DType]; name != "" {
			elements[name] += t.Elements()
		}
	}
	best := ""
	for _, name := range slices.Sorted(maps.Keys(elements)) {
		if best == "" || elements[name] > elements[best] {
			best = name
		}
	}
	return best
}
