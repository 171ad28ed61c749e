package checkpoint

import (
	"regexp"
	"strings"
)

// The experts of a layer may be one tensor, [experts, out, in] or [experts, in, out].
// Files do not say which, but sizes do: a layer reads and writes vectors of the model's
// hidden size, and the fused gate_up_proj has twice the width of down_proj. If both
// sizes are the same, the family decides.

// inOutFamilies are the values of model_type of models that are published with
// experts [in, out].
var inOutFamilies = []string{
	"gpt_oss", "llama4", "llama4_text", "qwen3_vl_moe", "qwen3_vl_moe_text", "openai_privacy_filter", "aria", "aria_text",
}

var (
	readsHidden  = regexp.MustCompile(`^(gate_up_projs?|gate_and_up_projs|gate_projs?|up_projs?|w1|w3|v1|w13(_weight)?|input_linear|fc1|wi(_[01])?)$`)
	writesHidden = regexp.MustCompile(`^(down_projs?|w2(_weight)?|output_linear|fc2|wo)$`)
)

// An expertOrder is the order of the last two dimensions of a tensor of experts.
type expertOrder struct {
	inOut   bool
	assumed bool // without evidence
}

// note returns a remark about an assumed order.
func (o expertOrder) note() string {
	if !o.assumed {
		return ""
	}
	return "taken for [experts, out, in], because its shape and config.json do not tell; if it is [experts, in, out], use -transposed"
}

// part returns the name of an experts' weight within the experts.
func (n tensorName) part() string {
	if n.leaf == "weight" || n.leaf == "weights" || isExperts(n.leaf) {
		return n.module
	}
	return n.leaf
}

// group returns the part of the name that the weights of the same experts share in all
// layers.
func (n tensorName) group() string {
	return strings.TrimSuffix(strings.TrimSuffix(n.numberless(), "."+n.leaf), "."+n.part())
}

// noteExperts records the shapes of fused experts, which tell their order.
func (e *evidence) noteExperts(n tensorName, t Tensor) {
	if len(t.Shape) != 3 {
		return
	}
	f := e.fused[n.group()]
	switch p := strings.TrimSuffix(n.part(), "s"); p {
	case "gate_up_proj", "gate_and_up_proj":
		f.up = t.Shape
	case "down_proj":
		f.down = t.Shape
	default:
		return
	}
	e.fused[n.group()] = f
}

// A fusedExperts has the shapes of gate_up_proj and down_proj.
type fusedExperts struct{ up, down []int }

// order reports whether the sizes fit [in, out], and whether they decide the order.
func (f fusedExperts) order() (inOut, ok bool) {
	if f.up == nil || f.down == nil {
		return false, false
	}
	a, b, c, d := f.up[1], f.up[2], f.down[1], f.down[2]
	in, out := a == d && b == 2*c, b == c && a == 2*d
	return in, in != out
}

// order returns the order of a tensor of experts, from the surest evidence.
func (e evidence) order(n tensorName, t Tensor) expertOrder {
	if e.gguf {
		return expertOrder{}
	}
	rows, cols := e.hidden[t.Shape[1]], e.hidden[t.Shape[2]]
	if rows != cols {
		switch part := n.part(); {
		case readsHidden.MatchString(part):
			return expertOrder{inOut: rows}
		case writesHidden.MatchString(part):
			return expertOrder{inOut: cols}
		}
	}
	if inOut, ok := e.fused[n.group()].order(); ok {
		return expertOrder{inOut: inOut}
	}
	for _, f := range inOutFamilies {
		if e.types[f] {
			return expertOrder{inOut: true}
		}
	}
	return expertOrder{assumed: true} // the order of all other families in transformers
}

// dbrx returns the kind of the experts of DBRX, which are stored one below the other:
// w1 and v1 [experts·out, in], w2 [experts·in, out]. Transposed, w2 is [out,
// experts·in], so that its groups run along the inputs if they are no wider than an
// expert.
func (e evidence) dbrx(n tensorName, t Tensor) (kind, bool) {
	if !e.types["dbrx"] || len(t.Shape) != 2 || n.module != "mlp" || n.owner() != "experts" {
		return kind{}, false
	}
	switch n.leaf {
	case "w1", "v1":
		return kind{role: RoleLinear}, true
	case "w2":
		return kind{role: RoleLinear, inOut: true}, true
	}
	return kind{}, false
}

// hiddenSizes records the widths of the model in config.json, except for vision and
// audio parts, which have no experts.
func (e *evidence) hiddenSizes(config map[string]any, depth int) {
	for key, v := range config {
		switch x := v.(type) {
		case float64:
			switch key {
			case "hidden_size", "d_model", "n_embd", "dim", "model_dim", "moe_latent_size":
				if x >= 1 && x <= 1<<30 {
					e.hidden[int(x)] = true
				}
			}
		case map[string]any:
			if depth < 2 && !strings.Contains(key, "vision") && !strings.Contains(key, "audio") {
				e.hiddenSizes(x, depth+1)
			}
		}
	}
}
