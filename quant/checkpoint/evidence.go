package checkpoint

import (
	"slices"
	"strconv"
	"strings"
)

// evidence gathers facts from the configuration and all tensors of a model about each
// tensor.
type evidence struct {
	types   map[string]bool // model_type of config.json and of its parts
	vocab   map[int]bool    // sizes of vocabularies
	tables  map[[2]int]bool // shapes of embeddings
	experts map[string]int  // the number of experts, by the module that they belong to
	moe     bool            // there are experts
	gguf    bool
	hidden  map[int]bool            // widths of the model
	fused   map[string]fusedExperts // by their group
	conv1D  bool                    // layers of GPT-2's kind are stored [in, out]
	untied  bool                    // the configuration says that head and embedding are two

	headless bool // the configuration names only classes of models without a head
}

func (c *Checkpoint) gather() evidence {
	e := evidence{types: make(map[string]bool), vocab: make(map[int]bool), tables: make(map[[2]int]bool), experts: make(map[string]int), hidden: make(map[int]bool), fused: make(map[string]fusedExperts)}
	if m := readJSON(c.companions, "config.json"); m != nil { // otherwise only the tensors tell
		e.walk(m, 0)
		e.hiddenSizes(m, 0)
	}
	wide, tall := 0, 0
	for i, t := range c.tensors {
		n := parseName(t.Name)
		if _, ok := c.data[i].(ggml); ok {
			e.gguf = true
		}
		if len(t.Shape) == 2 && n.leaf == "weight" {
			switch { // c_attn has three matrices side by side, c_fc commonly four
			case n.module != "c_attn" && n.module != "c_fc":
			case t.Shape[1] > t.Shape[0]:
				wide++
			case t.Shape[1] < t.Shape[0]:
				tall++
			}
			if !n.layered && embedName.MatchString(n.module) && !notEmbed.MatchString(n.module) {
				e.tables[[2]int{t.Shape[0], t.Shape[1]}] = true
			}
		}
		e.countExperts(n, t)
		e.noteExperts(n, t)
	}
	for _, t := range []string{"gpt2", "openai-gpt", "imagegpt", "decision_transformer", "clvp"} {
		e.conv1D = e.conv1D || e.types[t]
	}
	// Shapes are surer than a configuration. The converter of llama.cpp has transposed
	// these matrices.
	e.conv1D = !e.gguf && tall == 0 && (e.conv1D || wide > 0)
	return e
}

// walk reads the members of a part of the configuration.
func (e *evidence) walk(v any, depth int) {
	members, ok := v.(map[string]any)
	if !ok || depth > 4 {
		return
	}
	for key, v := range members {
		switch x := v.(type) {
		case string:
			if key == "model_type" {
				e.types[x] = true
			}
		case float64:
			switch {
			case x < 1 || x > 1<<30:
			case strings.HasSuffix(key, "vocab_size"):
				e.vocab[int(x)] = true
			case strings.Contains(key, "experts") && x > 1:
				e.moe = true
			}
		case bool:
			e.untied = e.untied || key == "tie_word_embeddings" && !x
		case []any:
			if key == "architectures" && depth == 0 && len(x) > 0 {
				e.headless = !slices.ContainsFunc(x, func(class any) bool {
					s, _ := class.(string)
					return !strings.HasSuffix(s, "Model") || strings.HasSuffix(s, "LMHeadModel")
				})
			}
		case map[string]any:
			e.walk(x, depth+1)
		}
	}
}

// countExperts counts the experts that t belongs to.
func (e *evidence) countExperts(n tensorName, t Tensor) {
	parts := append(n.owners[:len(n.owners):len(n.owners)], n.module)
	for i, p := range parts {
		if i == 0 || !isExperts(p) {
			continue
		}
		at, count := strings.Join(parts[:i], "."), 0
		if i+1 < len(parts) && isNumber(parts[i+1]) {
			if k, err := strconv.Atoi(parts[i+1]); err == nil && k < 1<<20 {
				count = k + 1
			}
		} else if len(t.Shape) == 3 {
			count = t.Shape[0]
		}
		if count > 1 {
			e.moe = true
			e.experts[at] = max(e.experts[at], count)
		}
	}
	if strings.HasSuffix(n.module, "_exps") {
		e.moe = true
	}
}

// tiedTable returns the name of the embedding that is also the output head. That is the
// embedding of a model without a head, unless it is a kind of model that ends with its
// last layer.
func (e evidence) tiedTable(tensors []Tensor) string {
	name := ""
	var most int64
	for _, t := range tensors {
		switch {
		case t.Role == RoleHead || e.untied || e.headless:
			return ""
		case t.Role == RoleEmbedding && t.Elements() > most:
			name, most = t.Name, t.Elements()
		}
	}
	return name
}
