package checkpoint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A kind is the role of a tensor and how it is stored.
type kind struct {
	role  Role
	why   string // the reason that it is no weight of a linear layer, or "" if it is one
	inOut bool   // the matrix is stored [in, out], as GPT-2's Conv1D has it
	note  string // what was assumed
}

// setRoles sets the roles of all tensors.
func (c *Checkpoint) setRoles() {
	e := c.gather()
	c.kinds = make([]kind, len(c.tensors))
	// Tensors whose names differ only in the numbers of layers and experts are of one
	// kind. Large models have 10⁵ of them.
	known := make(map[string]kind)
	for i := range c.tensors {
		t := &c.tensors[i]
		n := parseName(t.Name)
		key := fmt.Sprint(n.numberless(), t.Shape, t.DType, e.experts[n.parent()])
		k, ok := known[key]
		if !ok {
			k = e.kind(*t)
			if k.role == RoleLinear {
				k.inOut = k.inOut || e.conv1D && conv1DName.MatchString(n.module)
				if len(t.Shape) == 3 {
					o := e.order(n, *t)
					k.inOut, k.note = o.inOut, o.note()
				}
			}
			known[key] = k
		}
		c.kinds[i] = k
		t.Role = k.role
	}
	c.tied = e.tiedTable(c.tensors)
}

// A tensorName is a name in parts: for model.layers.3.mlp.up_proj.weight, leaf is
// weight, module up_proj, owners model, layers, 3 and mlp, and layered is true. The
// module decides the role of a tensor; the owners say where in the model it is.
type tensorName struct {
	owners  []string
	module  string // the last that is no number; "" if the leaf has none
	leaf    string
	layered bool // a number is among the owners
}

func parseName(name string) tensorName {
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '/' })
	if len(parts) == 0 {
		return tensorName{}
	}
	n := tensorName{leaf: parts[len(parts)-1]}
	parts = parts[:len(parts)-1]
	for len(parts) > 0 {
		last := parts[len(parts)-1]
		parts = parts[:len(parts)-1]
		if !isNumber(last) && last != "base_layer" { // PEFT puts base_layer in front of its adapters
			n.module = last
			break
		}
	}
	n.owners = parts
	for _, p := range parts {
		n.layered = n.layered || isNumber(p)
	}
	return n
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// parent returns the name of the module's owner.
func (n tensorName) parent() string { return strings.Join(n.owners, ".") }

// numberless returns the name with # for every component that is a number, and for
// numbers of three digits and more within a word. No rule depends on them.
func (n tensorName) numberless() string {
	var b strings.Builder
	for _, o := range n.owners {
		if isNumber(o) {
			o = "#"
		}
		b.WriteString(o)
		b.WriteByte('.')
	}
	b.WriteString(n.module + "." + n.leaf)
	return longNumber.ReplaceAllString(b.String(), "###")
}

var longNumber = regexp.MustCompile(`\d{3,}`)

// owner returns the last owner that is not a number.
func (n tensorName) owner() string {
	for i := len(n.owners) - 1; i >= 0; i-- {
		if !isNumber(n.owners[i]) {
			return n.owners[i]
		}
	}
	return ""
}

// A place is the part of a name that a roleRule looks at.
type place uint8

const (
	atLeaf   place = 1 << iota
	atModule       // or at the leaf, if that is no weight or bias
	atOwner        // at any
	atBare         // at the leaf, if that is no weight or bias
)

// A roleRule gives a role to tensors if a part of their names matches.
type roleRule struct {
	at      place
	pattern *regexp.Regexp
	role    Role
	why     string
}

func re(expr string) *regexp.Regexp { return regexp.MustCompile(`(?i)` + expr) }

// roleRules has the names of tensors that are not linear layers in models of Hugging
// Face and llama.cpp. The first rule that matches counts. Tensors that llama.cpp does
// not quantize are here, too.
var roleRules = []roleRule{
	{atLeaf, re(`^(q?weight_(scale|zero_point|packed|shape|format)\w*|\w*_scale_inv|(input|output|act|[kvq])_scale|q(weight|zeros|scales)|scales|g_idx|absmax|quant_map|quant_state\w*|nested_\w+|scb|\w+_(blocks|scales))$`), RoleOther, "part of a quantized weight"},
	{atLeaf | atModule | atOwner, re(`^lora(_|$)|_lora$|^(ia3|hada|lokr|loha)_`), RoleOther, "an adapter"},
	{atLeaf | atModule | atOwner, re(`rotary|inv_freq|^rope(_|$)|_rope$|^freqs?(_|$)|^(sin|cos)(_cached)?$`), RoleOther, "rotary frequencies"},
	{atModule | atOwner, re(`^altup|laurel|^per_layer_model_proj`), RoleOther, "of the kind that llama.cpp keeps, too"},
	{atModule, re(`^time_(mix_(first|decay\w*|[wavg]\d|[kr]_[ka]|lerp\w*)|decay\w*|faaaa|maa\w*|first)$`), RoleOther, "a state-space parameter"},
	{atModule, re(`^(a|a_logs?|d|dt|dt_bias|ssm_[ad]|ssm_dt_b|x_[rwkvag])$`), RoleOther, "a state-space parameter"},
	{atModule, re(`rel_b$|rel(ative)?_(pos|att|bias|emb|position)\w*$|^wpe$|pos(ition(al|s)?)?_?(emb|enc|table|bias)\w*$|(embed|emb|embd)_pos\w*$|positions?_embed\w*$|token_types?(_emb\w*)?$|(segment|type|distance)_(embd|embed\w*)$|^pos_[hw]$|^pos$|^pe(_[kv])?$`), RoleTable, "a table of positions or types"},
	{atLeaf, re(`^running_(mean|var)$|^num_batches_tracked$`), RoleNorm, "a norm"},
	{atLeaf, re(`(^|_)bias(es)?$|^bias_|^exp_probs_b$`), RoleBias, "a bias"},
	{atModule, re(`norm(\d+|alization)?(_\w*)?$|norms$|^ln(_|\d|$)|_ln\d?$|^bn\d*$`), RoleNorm, "a norm"},
	{atModule, re(`^conv|conv\d?d?(_[a-z])?$`), RoleOther, "a convolution"},
	{atModule | atOwner, re(`patch_(embd|embed(ding|dings|der)?|merger)s?$|^patch_conv$`), RoleOther, "an embedding of patches"},
	{atLeaf, re(`^weight_[ihg][hr]?(_l\d+\w*)?$|^weight_v$`), RoleOther, "recurrent or normalized"},
	{atModule, re(`^(ffn_gate_inp\w*|ffn_gate_tid2eid|shared_experts?_gate|expert_gate|gate_inp)$|router`), RoleRouter, "a router"},
	{atModule, re(`^(lm_heads?|\w*_lm_head|embed_out|unembed|to_logits|logits_proj|vocab_projector|shared_head_head|seq_relationship|qa_outputs)$`), RoleHead, "an output head"},
	{atModule, re(`codebooks?$|codevectors|rvq|code_embd`), RoleOther, "a codebook"},
	{atModule, re(`^quer(y|ies)_(feat|embed|pos)\w*$|(cls|mask|iou|score|hq|presence|register|eos)_tokens?$`), RoleOther, "learned vectors"},
	{atBare, re(`^time_mix`), RoleOther, "a state-space parameter"},
	{atBare, re(`_(tokens?|queries|latents)$|^(latents|query|gamma|beta|sinks?)$|scale(_shift_table)?$|lambda|^ls\d$|(class|mask)_embed(ding)?$`), RoleOther, "learned vectors"},
}

// The patterns of rules, and of names that look like embeddings and are not.
var (
	embedName  = re(`emb(ed|edd?ings?|d|s)?\d*(_in|_tokens?\w*|_per_layer)?$|^embed(_|dings?)?\w*$|^tok_?emb\w*$|^wte$|^shared$|_embed(ding)?s?_\w*$|embd|embedder(_\d+)?$`)
	notEmbed   = re(`proj|mapping|linear|dense|fc|_conv|lin$|transform|norm`)
	headName   = re(`^(output|output_layer|head|heads|score|classifier|classification_head|cls|decoder|generator|output_projection|proj_out|prediction(s|_head)?|logits?|mlm_head|fc_out|out_head)$`)
	headLike   = re(`head|out|pred|logit`)
	headPart   = re(`^(decoder|out_proj|fc|linear|out|seq_relationship|head|output)$`)
	headOwner  = re(`^(lm_head|head|heads|cls|predictions|classification_head|mlm_head|generator_lm_head|shared_head|score|classifier)$`)
	conv1DName = re(`^(c_attn|c_fc|c_proj|q_attn)$`)
	linearName = re(`(^|_)(proj|projs|projection|fc|lin|linear|dense|attn|ffn|mlp)_?\d*$|^(\w+_)?(q|k|v|o|kv|qkv|query|key|value|key_value|query_key_value|receptance)\d*(_(lin|a|b|mqa))?$|^(w|wi_|wo_|ff_?|fc|lin)?\d+$|^w(q|k|v|o|i|qkv|kqv|i_\d|ih|hh)$|^c_(attn|fc|proj)$|^dense_\w+$|^(attn|cross_attn|ffn|ssm|time_mix|channel_mix|vis)_\w+$|^(up|down|gate|gate_up|fc_in|fc_out|out|wi|wo)$`)
	bareLinear = re(`^(in_proj|[qkv]_proj)_weight$`)
	moeName    = re(`moe`)
)

// kind returns the kind of a tensor.
func (e evidence) kind(t Tensor) kind {
	n := parseName(t.Name)
	rank := len(t.Shape)
	if t.DType == "I64" || t.DType == "BOOL" || t.DType == "U64" || t.DType == "I16" {
		return kind{role: RoleOther, why: "integers"}
	}
	param := n.leaf == "weight" || n.leaf == "bias" || n.leaf == "weights"
	if k, ok := byRule(n, param); ok {
		return k
	}
	if k, ok := e.dbrx(n, t); ok {
		return k
	}
	if e.router(n, t) {
		return kind{role: RoleRouter, why: "a router"}
	}
	if k, ok := e.vocabulary(n, t, param); ok {
		return k
	}
	exps := strings.HasSuffix(n.module, "exps") || n.ofExperts()
	switch {
	case rank < 2:
		return kind{why: dimensions(rank)}
	case rank == 3 && (exps || param && e.moe && linearName.MatchString(n.module)):
		return kind{role: RoleLinear}
	case rank > 2 && slices.Max(t.Shape) == int(t.Elements()):
		return kind{role: RoleOther, why: "a vector"}
	case rank > 2:
		return kind{why: dimensions(rank)}
	case !param && bareLinear.MatchString(n.leaf):
		return kind{role: RoleLinear}
	case !param:
		return kind{why: "a parameter of its own, whose order is unknown"}
	case linearName.MatchString(n.module) && t.Shape[0] > 1:
		return kind{role: RoleLinear}
	case t.Shape[0] < minRows || t.Shape[1] < minCols:
		return kind{why: "small, and its name says nothing"}
	}
	return kind{role: RoleLinear}
}

// From this size on, a weight of two dimensions with an unknown name counts as the weight
// of a linear layer. Quantizing smaller weights saves next to nothing, and they are more
// often gates, classifiers or factors of low rank, which lose more.
const (
	minRows = 16
	minCols = 32
)

func byRule(n tensorName, param bool) (kind, bool) {
	module := n.module
	if !param || module == "" {
		module = n.leaf
	}
	for _, r := range roleRules {
		if r.at&atLeaf != 0 && r.pattern.MatchString(n.leaf) || r.at&atModule != 0 && r.pattern.MatchString(module) || r.at&atBare != 0 && !param && r.pattern.MatchString(n.leaf) || r.at&atOwner != 0 && n.within(r.pattern) {
			return kind{role: r.role, why: r.why}, true
		}
	}
	return kind{}, false
}

// isExperts reports whether a part of a name stands for all experts of a layer.
func isExperts(part string) bool {
	return part == "experts" || strings.HasSuffix(part, "_experts") && !strings.HasPrefix(part, "shared")
}

func (n tensorName) ofExperts() bool {
	return isExperts(n.module) || slices.ContainsFunc(n.owners, isExperts)
}

// within reports whether the pattern matches an owner or the module.
func (n tensorName) within(p *regexp.Regexp) bool {
	for _, o := range n.owners {
		if p.MatchString(o) {
			return true
		}
	}
	return p.MatchString(n.module)
}

// router reports whether a tensor chooses experts. It looks at the tensors around it,
// because linear layers are called gate, too.
func (e evidence) router(n tensorName, t Tensor) bool {
	if len(t.Shape) != 2 {
		return false
	}
	if n := e.experts[n.parent()]; n > 0 && n == t.Shape[0] { // beside experts, and as many rows
		return true
	}
	for _, o := range append(n.owners[max(0, len(n.owners)-2):len(n.owners):len(n.owners)], n.module) {
		if strings.Contains(strings.ToLower(o), "router") {
			return true
		}
	}
	owner := n.owner()
	switch {
	case n.module == "wg" && owner == "gate":
		return true
	case n.module != "gate":
		return false
	case moeName.MatchString(owner) || e.moe:
		return !attention.MatchString(owner)
	}
	return !attention.MatchString(owner) && t.Shape[0] < t.Shape[1]
}

var attention = re(`att`)

// vocabulary returns the kind of a tensor that maps from or to a vocabulary or labels.
func (e evidence) vocabulary(n tensorName, t Tensor, param bool) (kind, bool) {
	head := kind{role: RoleHead, why: "an output head"}
	embedding := kind{role: RoleEmbedding, why: "an embedding"}
	if len(t.Shape) != 2 {
		return kind{}, false
	}
	module := n.module
	if !param {
		module = n.leaf
	}
	switch {
	case headOwner.MatchString(n.owner()) && headPart.MatchString(module) && (!n.layered || n.owner() == "shared_head"):
		return head, true
	case !n.layered && headName.MatchString(module) && !t.square():
		return head, true
	case embedName.MatchString(module) && !notEmbed.MatchString(module):
		return embedding, true
	case n.layered || !param || !e.vocab[t.Shape[0]]:
	case len(e.tables) == 0 && !linearName.MatchString(module) && !headLike.MatchString(module):
		return embedding, true
	case headLike.MatchString(module) || len(n.owners) < 3 && !linearName.MatchString(module) || e.tables[[2]int{t.Shape[0], t.Shape[1]}]:
		return head, true
	}
	return kind{}, false
}

// square reports whether a matrix has as many rows as columns. A head does not.
func (t Tensor) square() bool { return t.Shape[0] == t.Shape[1] }
