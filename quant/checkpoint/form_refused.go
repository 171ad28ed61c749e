package checkpoint

import (
	"slices"
	"strings"
)

// A refusedForm is a form that cannot be read. It is recognized by the names and types
// of its tensors or by the quant_method of a configuration.
type refusedForm struct {
	name    string
	methods []string // of quantization_config
	needs   []leaf   // tensors that every weight of the form has
	also    []string // leaves of other tensors that belong to it
	check   func(needs []Tensor) bool
}

// A leaf is the name of a tensor in its module, and the types that it may have.
type leaf struct{ name, dtypes string }

// Types of leaves.
const (
	anyType    = ""
	ints       = "I8 U8 I16 U16 I32 U32 I64 U64"
	bytes8     = "U8 I8"
	words      = "U32 I32"
	floatTypes = "F64 F32 F16 BF16"
)

func (l leaf) fits(t Tensor) bool {
	return l.dtypes == anyType || slices.Contains(strings.Fields(l.dtypes), t.DType)
}

// refusedForms has forms with more tensors before forms that need fewer of the same.
var refusedForms = []refusedForm{
	// compressed-tensors (llm-compressor, vLLM) and ModelOpt
	{name: "NVFP4 of compressed-tensors", needs: []leaf{{"weight_packed", bytes8}, {"weight_scale", "F8_E4M3"}, {"weight_global_scale", anyType}},
		also: []string{"input_global_scale", "weight_shape"}},
	{name: "NVFP4 of ModelOpt", needs: []leaf{{"weight", bytes8}, {"weight_scale", "F8_E4M3"}, {"weight_scale_2", anyType}},
		also: []string{"input_scale", "pre_quant_scale"}},
	{name: "NVFP4 of transformers", methods: []string{"nvfp4", "fouroversix"}, needs: []leaf{{"weight", bytes8}, {"weight_global_scale", anyType}},
		also: []string{"weight_sf", "weight_sf_rowmajor", "weight_scale"}},
	{name: "pack-quantized of compressed-tensors", needs: []leaf{{"weight_packed", ints}},
		also: []string{"weight_shape", "weight_scale", "weight_zero_point", "weight_g_idx"}},
	{name: "sparse of compressed-tensors", needs: []leaf{{"bitmask", anyType}, {"compressed", anyType}},
		also: []string{"shape", "row_offsets"}},
	{name: "AWQ of ModelOpt", needs: []leaf{{"weight", bytes8}, {"weight_scale", anyType}, {"pre_quant_scale", anyType}},
		also: []string{"input_scale", "weight_scale_2"}},
	// integers with scales
	{name: "GPTQ", methods: []string{"gptq", "auto-round", "auto_round", "autoround", "gptq_marlin"}, needs: []leaf{{"qweight", ints}, {"g_idx", ints}},
		also: []string{"qzeros", "scales"}},
	{name: "AWQ", methods: []string{"awq", "awq_marlin"}, needs: []leaf{{"qweight", ints}, {"qzeros", ints}, {"scales", floatTypes}},
		check: func(n []Tensor) bool { return n[0].Cols() != n[2].Cols() }}, // GPTQ packs along the rows
	{name: "GPTQ", needs: []leaf{{"qweight", ints}, {"qzeros", ints}, {"scales", floatTypes}}},
	{name: "FP-Quant", methods: []string{"fp_quant"}, needs: []leaf{{"qweight", ints}, {"scales", anyType}},
		also: []string{"dqweight", "weight_global_scale", "act_global_scale", "forward_hadamard_matrix", "backward_hadamard_matrix"}},
	{name: "EXL2", methods: []string{"exl2"}, needs: []leaf{{"q_weight", ints}, {"q_scale", anyType}},
		also: []string{"q_scale_max", "q_groups", "q_group_map", "q_perm", "q_invperm"}},
	{name: "EXL3", methods: []string{"exl3"}, needs: []leaf{{"trellis", ints}}, also: []string{"suh", "svh", "su", "sv", "mcg", "mul1"}},
	{name: "bitsandbytes of 4 bits", needs: []leaf{{"weight", anyType}, {"weight.absmax", anyType}},
		also: []string{"weight.quant_map", "weight.nested_absmax", "weight.nested_quant_map", "weight.quant_state.bitsandbytes__nf4", "weight.quant_state.bitsandbytes__fp4"}},
	{name: "bitsandbytes of 4 bits", needs: []leaf{{"weight", anyType}, {"weight.quant_state.bitsandbytes__nf4", anyType}}, also: []string{"weight.quant_map", "weight.nested_absmax", "weight.nested_quant_map"}},
	{name: "bitsandbytes of 4 bits", needs: []leaf{{"weight", anyType}, {"weight.quant_state.bitsandbytes__fp4", anyType}}, also: []string{"weight.quant_map", "weight.nested_absmax", "weight.nested_quant_map"}},
	{name: "bitsandbytes of 8 bits", needs: []leaf{{"weight", bytes8}, {"SCB", anyType}}, also: []string{"weight_format"}},
	{name: "bitsandbytes", methods: []string{"bitsandbytes"}},
	{name: "Metal of transformers", methods: []string{"metal"}, needs: []leaf{{"weight", "U32"}, {"qbiases", anyType}}, also: []string{"scales"}},
	{name: "MLX", methods: []string{"mlx"}, needs: []leaf{{"weight", "U32"}, {"scales", anyType}}, also: []string{"biases"}},
	{name: "HQQ", methods: []string{"hqq"}, needs: []leaf{{"W_q", anyType}},
		also: []string{"scale", "zero", "meta", "nbits", "group_size", "shape", "axis", "packing", "channel_wise", "optimize", "round_zero", "view_as_float", "unpack_view_dtype", "compute_dtype", "quant_scale", "quant_zero", "offload_meta", "encoded_state_dict", "stores_quant_config", "scale_q", "zero_q", "meta_scale", "meta_zero"}},
	{name: "EETQ", methods: []string{"eetq"}, needs: []leaf{{"weight", "I8"}, {"weight_scales", anyType}}},
	{name: "EETQ", needs: []leaf{{"qweight", "I8"}, {"weight_scales", anyType}}},
	{name: "quanto", methods: []string{"quanto"}, needs: []leaf{{"weight._data", anyType}}, also: []string{"weight._scale", "weight._shift", "input_scale", "output_scale"}},
	{name: "quanto", needs: []leaf{{"weight._data._data", anyType}}, also: []string{"weight._scale", "weight._shift", "input_scale", "output_scale"}},
	{name: "AQLM", methods: []string{"aqlm"}, needs: []leaf{{"codes", ints}, {"codebooks", anyType}}, also: []string{"scales"}},
	{name: "VPTQ", methods: []string{"vptq"}, needs: []leaf{{"indices", anyType}, {"centroids.weight", anyType}},
		also: []string{"res_indices", "res_centroids.weight", "outlier_indices", "outlier_centroids.weight", "weight_scale", "weight_bias", "perm"}},
	{name: "SpQR", methods: []string{"spqr"}, needs: []leaf{{"dense_weights", anyType}}, also: []string{"row_offsets", "col_vals", "in_perm"}},
	{name: "HIGGS", methods: []string{"higgs"}, needs: []leaf{{"weight", ints}, {"scales", anyType}, {"tables", anyType}}, also: []string{"tables2"}},
	{name: "QuIP#", methods: []string{"quip"}, needs: []leaf{{"Qidxs", anyType}}, also: []string{"SU", "SV", "Wscale", "codebook_id"}},
	{name: "torchao", methods: []string{"torchao"}, needs: []leaf{{"_weight_qdata", anyType}},
		also: []string{"_weight_scale", "_weight_zero_point", "_weight_scale_and_zero", "_weight_per_tensor_scale", "_weight_act_pre_scale"}},
	{name: "Marlin", methods: []string{"marlin"}, needs: []leaf{{"B", "I32"}, {"s", floatTypes}}, also: []string{"workspace"}},
	{name: "BitNet", methods: []string{"bitnet"}},
	{name: "SINQ", methods: []string{"sinq"}},
	{name: "Gemma's integers", methods: []string{"gemma"}},
	{name: "GGUF within safetensors", methods: []string{"gguf"}},
}

// refuse looks for weights in a form and marks their tensors as taken.
func (r *recognizer) refuse(f refusedForm) {
	if len(f.needs) == 0 {
		return
	}
	for _, l := range f.needs { // most files have no tensor of most of these names
		if _, last := splitLeaf(l.name); len(r.byLeaf[last]) == 0 {
			return
		}
	}
	_, last := splitLeaf(f.needs[0].name)
	for _, i := range r.byLeaf[last] {
		t := r.c.tensors[i]
		if r.taken[i] || !f.needs[0].fits(t) {
			continue
		}
		module, ok := cutLeaf(t.Name, f.needs[0].name)
		if !ok {
			continue
		}
		var needs []Tensor
		for _, l := range f.needs {
			j, ok := r.find(child(module, l.name))
			if !ok || !l.fits(r.c.tensors[j]) {
				break
			}
			needs = append(needs, r.c.tensors[j])
		}
		if len(needs) < len(f.needs) || f.check != nil && !f.check(needs) {
			continue
		}
		u := unreadable{form: f.name, first: t.Name}
		for _, l := range f.needs {
			r.take(&u, child(module, l.name))
		}
		for _, name := range f.also {
			r.take(&u, child(module, name))
		}
		r.found = append(r.found, u)
	}
}

// take makes a tensor, if there is one, a member of u.
func (r *recognizer) take(u *unreadable, name string) {
	if i, ok := r.find(name); ok {
		r.taken[i] = true
		u.members = append(u.members, name)
	}
}

// integers takes weights of integers, or of floats shorter than this package reads,
// that have a scale beside them: these are unknown forms. Integers without a scale,
// such as positions, are ordinary tensors.
func (r *recognizer) integers() {
	const types = "I8 U8 I16 U16 I32 U32 F4 F6_E2M3 F6_E3M2 F8_E4M3 F8_E5M2 F8_E4M3FNUZ F8_E5M2FNUZ"
	short := leaf{"", types}
	for i, t := range r.c.tensors {
		module, name := splitLeaf(t.Name)
		if r.taken[i] || len(t.Shape) < 2 || isScale(name) || !short.fits(t) {
			continue
		}
		u := unreadable{form: t.DType + " with scales", first: t.Name}
		for _, s := range r.scalesOf(module, name) {
			if m := child(module, s); !r.taken[r.c.byName[m]] {
				u.members = append(u.members, m)
			}
		}
		if len(u.members) > 0 {
			r.taken[i] = true
			for _, m := range u.members {
				r.taken[r.c.byName[m]] = true
			}
			u.members = append(u.members, t.Name)
			r.found = append(r.found, u)
		}
	}
}

// scalesOf returns the leaves of a module that have names of scales and may belong to
// one of its weights. It takes time in proportion to their number, as a file may have
// very many weights and scales.
func (r *recognizer) scalesOf(module, leaf string) []string {
	if r.scaleLeaves == nil {
		r.scaleLeaves = make(map[string][]string)
		for _, t := range r.c.tensors {
			if module, leaf := splitLeaf(t.Name); isScale(leaf) {
				r.scaleLeaves[module] = append(r.scaleLeaves[module], leaf)
			}
		}
		for _, leaves := range r.scaleLeaves {
			slices.Sort(leaves)
		}
	}
	leaves := r.scaleLeaves[module]
	if leaf == "weight" {
		return leaves
	}
	prefix := strings.TrimSuffix(leaf, "_blocks") + "_"
	from, _ := slices.BinarySearch(leaves, prefix)
	to := from
	for to < len(leaves) && strings.HasPrefix(leaves[to], prefix) {
		to++
	}
	return leaves[from:to]
}

// isScale reports whether a leaf has the name of a scale or zero point.
func isScale(leaf string) bool {
	for _, s := range []string{"scale", "absmax", "zero_point", "qzeros"} {
		if strings.Contains(leaf, s) {
			return true
		}
	}
	return false
}
