package llm

import (
	"fmt"
	"strings"
)

var gpt2Family = family{
	tied: true,
	read: func(k *keys, c *Config) {
		*c = Config{
			Dim: k.integer("n_embd", 768), Layers: k.integer("n_layer", 12), Heads: k.integer("n_head", 12),
			Vocab: k.integer("vocab_size", 50257), Context: k.integer("n_positions", 1024),
			NormEps: k.number("layer_norm_epsilon", 1e-5), BOS: c.BOS, EOS: c.EOS,
			Arch: Arch{LayerNorm: true, LearnedPositions: true, NoGate: true},
		}
		c.KVHeads = c.Heads
		c.Hidden = k.integer("n_inner", 4*c.Dim)
		if c.Heads < 1 || c.Dim%c.Heads != 0 {
			k.fail("n_embd %d is not a multiple of %d heads", c.Dim, c.Heads)
			return
		}
		c.HeadDim = c.Dim / c.Heads
		for kind := range c.Bias {
			c.Bias[kind] = Kind(kind) != Gate
		}
		c.Activation = k.activation("activation_function", "gelu_new")
		must(k, "scale_attn_weights", true)
		must(k, "scale_attn_by_inverse_layer_idx", false)
		must(k, "add_cross_attention", false)
	},
	harmless: []string{
		"n_ctx", "reorder_and_upcast_attn", "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout",
	},
	locate: func(c *Config, has tensorFiles, n tensorName) location {
		prefix := "transformer."
		if has("wte.weight") { // as OpenAI's weights are published
			prefix = ""
		}
		leaf := ".weight"
		if n.bias {
			leaf = ".bias"
		}
		outer := map[string]string{kindNames[Embedding]: "wte", positionsPart: "wpe", lastNormPart: "ln_f"}
		if n.layer < 0 {
			if name, ok := outer[n.part]; ok {
				return location{name: prefix + name + leaf}
			}
			return llamaLocation(n)
		}
		inner := map[string]struct {
			name    string
			outputs int // of the whole matrix
			part    int
		}{
			kindNames[Query]: {"attn.c_attn", 3 * c.Dim, 0}, kindNames[Key]: {"attn.c_attn", 3 * c.Dim, 1}, kindNames[Value]: {"attn.c_attn", 3 * c.Dim, 2},
			kindNames[Output]: {"attn.c_proj", c.Dim, 0}, kindNames[Up]: {"mlp.c_fc", c.Hidden, 0}, kindNames[Down]: {"mlp.c_proj", c.Dim, 0},
		}
		norms := map[string]string{"input_layernorm": "ln_1", "post_attention_layernorm": "ln_2"}
		if name, ok := norms[n.part]; ok {
			return location{name: fmt.Sprintf("%sh.%d.%s%s", prefix, n.layer, name, leaf)}
		}
		m := inner[n.part]
		l := location{name: fmt.Sprintf("%sh.%d.%s%s", prefix, n.layer, m.name, leaf), first: m.part * c.Dim, inOut: !n.bias}
		l.shape = []int{m.outputs}
		if !n.bias {
			l.shape = []int{m.outputs, c.Dim}
			if n.part == kindNames[Down] {
				l.shape[1] = c.Hidden
			}
		}
		return l
	},
	buffer: func(name string) bool { // the mask of causal attention
		return strings.HasSuffix(name, ".attn.bias") || strings.HasSuffix(name, ".attn.masked_bias")
	},
}
