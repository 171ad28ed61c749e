package hf

import "slices"

// common are the keys that nearly all families have.
var common = []field{
	{"context_length", "max_position_embeddings", integer, true, nil},
	{"embedding_length", "hidden_size", integer, true, nil},
	{"block_count", "num_hidden_layers", integer, true, nil},
	{"attention.head_count", "num_attention_heads", integer, true, nil},
	{"attention.head_count_kv", "num_key_value_heads", integer, false, nil},
	{"attention.layer_norm_rms_epsilon", "rms_norm_eps", float, true, nil},
	{"rope.freq_base", "rope_theta", float, false, number{10000, 64}},
}

var dense = append(slices.Clip(common), field{"feed_forward_length", "intermediate_size", integer, true, nil})

// outer are the tensors outside of the layers, and attention those of a layer that
// nearly all families have.
var (
	outer = []tensor{
		{"token_embd", "model.embed_tokens", same, needed},
		{"output_norm", "model.norm", same, needed},
		{"output", "lm_head", same, optional},
	}
	attention = []tensor{
		{"N.attn_norm", "N.input_layernorm", same, needed},
		{"N.attn_q", "N.self_attn.q_proj", same, needed},
		{"N.attn_k", "N.self_attn.k_proj", same, needed},
		{"N.attn_v", "N.self_attn.v_proj", same, needed},
		{"N.attn_output", "N.self_attn.o_proj", same, needed},
		{"N.ffn_norm", "N.post_attention_layernorm", same, needed},
	}
	gatedMLP = []tensor{
		{"N.ffn_gate", "N.mlp.gate_proj", same, needed},
		{"N.ffn_up", "N.mlp.up_proj", same, needed},
		{"N.ffn_down", "N.mlp.down_proj", same, needed},
	}
)

// with returns a table with the op of some of its rows changed.
func with(table []tensor, ops map[string]op) []tensor {
	table = slices.Clone(table)
	for i := range table {
		if o, ok := ops[table[i].gguf]; ok {
			table[i].op = o
		}
	}
	return table
}

var permuted = map[string]op{"N.attn_q": queryRows, "N.attn_k": keyRows}

var ropeFreqs = tensor{"rope_freqs", "", ropeFactors, optional}

func hasExperts(k keys) bool {
	n, ok, err := k.integer(k.arch+".expert_count", 0, 1<<31)
	return ok && n > 0 && err == nil
}

var families = []family{
	{
		arch: "llama", when: hasExperts,
		architecture: "MixtralForCausalLM", modelType: "mixtral",
		constants: map[string]any{"hidden_act": "silu", "sliding_window": nil},
		fields: slices.Concat(dense, []field{
			{"expert_count", "num_local_experts", integer, true, nil},
			{"expert_used_count", "num_experts_per_tok", integer, true, nil},
		}),
		tensors: slices.Concat(outer, with(attention, permuted), []tensor{
			{"N.ffn_gate_inp", "N.block_sparse_moe.gate", same, needed},
			{"N.ffn_gate_exps", "N.block_sparse_moe.experts.X.w1", experts, alternative},
			{"N.ffn_down_exps", "N.block_sparse_moe.experts.X.w2", experts, alternative},
			{"N.ffn_up_exps", "N.block_sparse_moe.experts.X.w3", experts, alternative},
			{"N.ffn_gate.X", "N.block_sparse_moe.experts.X.w1", same, alternative},
			{"N.ffn_down.X", "N.block_sparse_moe.experts.X.w2", same, alternative},
			{"N.ffn_up.X", "N.block_sparse_moe.experts.X.w3", same, alternative},
		}),
	},
	{
		arch:         "llama",
		architecture: "LlamaForCausalLM", modelType: "llama",
		constants: map[string]any{"hidden_act": "silu"},
		fields:    dense,
		tensors:   slices.Concat(outer, with(attention, permuted), gatedMLP, []tensor{ropeFreqs}),
		finish:    (*conversion).llamaBiases,
	},
}
