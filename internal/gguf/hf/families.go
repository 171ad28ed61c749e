package hf

import (
	"maps"
	"slices"
)

// decoder are the keys that nearly all families have.
var decoder = []field{
	{"context_length", "max_position_embeddings", integer, must, nil},
	{"embedding_length", "hidden_size", integer, must, nil},
	{"feed_forward_length", "intermediate_size", integer, must, nil},
	{"block_count", "num_hidden_layers", integer, must, nil},
	{"attention.head_count", "num_attention_heads", integer, must, nil},
	{"attention.head_count_kv", "num_key_value_heads", integer, may, nil},
	{"attention.layer_norm_rms_epsilon", "rms_norm_eps", float, must, nil},
	{"rope.freq_base", "rope_theta", float, may, number{10000, 64}},
}

// outer are the tensors outside of the layers, and attention those of a layer that
// nearly all families have.
var (
	outer = []tensor{
		{"token_embd", "model.embed_tokens", same, weight},
		{"output_norm", "model.norm", same, weight},
		{"output", "lm_head", same, weightMay},
	}
	attention = []tensor{
		{"N.attn_norm", "N.input_layernorm", same, weight},
		{"N.attn_q", "N.self_attn.q_proj", same, weight},
		{"N.attn_k", "N.self_attn.k_proj", same, weight},
		{"N.attn_v", "N.self_attn.v_proj", same, weight},
		{"N.attn_output", "N.self_attn.o_proj", same, weight},
		{"N.ffn_norm", "N.post_attention_layernorm", same, weight},
	}
	queryKeyNorms = []tensor{
		{"N.attn_q_norm", "N.self_attn.q_norm", same, weight},
		{"N.attn_k_norm", "N.self_attn.k_norm", same, weight},
	}
	gated = []tensor{
		{"N.ffn_gate", "N.mlp.gate_proj", same, weight},
		{"N.ffn_up", "N.mlp.up_proj", same, weight},
		{"N.ffn_down", "N.mlp.down_proj", same, weight},
	}
	qwenExperts = []tensor{
		{"N.ffn_gate_inp", "N.mlp.gate", same, weight},
		{"N.ffn_gate_exps", "N.mlp.experts.X.gate_proj", experts, weight},
		{"N.ffn_up_exps", "N.mlp.experts.X.up_proj", experts, weight},
		{"N.ffn_down_exps", "N.mlp.experts.X.down_proj", experts, weight},
	}
	// sandwich are norms before and behind, as Gemma has them.
	sandwich = []tensor{
		{"N.attn_norm", "N.input_layernorm", plusOne, weight},
		{"N.attn_q", "N.self_attn.q_proj", same, weight},
		{"N.attn_k", "N.self_attn.k_proj", same, weight},
		{"N.attn_v", "N.self_attn.v_proj", same, weight},
		{"N.attn_output", "N.self_attn.o_proj", same, weight},
		{"N.post_attention_norm", "N.post_attention_layernorm", plusOne, weight},
		{"N.ffn_norm", "N.pre_feedforward_layernorm", plusOne, weight},
		{"N.post_ffw_norm", "N.post_feedforward_layernorm", plusOne, weight},
	}
)

var (
	permuted   = map[string]op{"N.attn_q": queryRows, "N.attn_k": keyRows}
	plusOnes   = map[string]op{"output_norm": plusOne, "N.attn_q_norm": plusOne, "N.attn_k_norm": plusOne}
	qkv        = []string{"N.attn_q", "N.attn_k", "N.attn_v"}
	linear     = append(slices.Clip(qkv), "N.attn_output", "N.ffn_gate", "N.ffn_up", "N.ffn_down")
	silu       = map[string]any{"hidden_act": "silu"}
	noWindow   = map[string]any{"hidden_act": "silu", "use_sliding_window": false}
	gemma      = map[string]any{"hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "attention_bias": false}
	llamaTable = slices.Concat(outer, with(permuted, attention), gated)
)

// add returns constants with more of them.
func add(constants map[string]any, more map[string]any) map[string]any {
	c := maps.Clone(constants)
	maps.Copy(c, more)
	return c
}

var expertFields = []field{
	{"expert_count", "num_experts", integer, must, nil},
	{"expert_used_count", "num_experts_per_tok", integer, must, nil},
	{"expert_feed_forward_length", "moe_intermediate_size", integer, must, nil},
}

func hasExperts(k keys) bool {
	n, ok, err := k.integer(k.arch+".expert_count", 0, 1<<31)
	return ok && n > 0 && err == nil
}

func isWordPiece(k keys) bool { return k.pairs["tokenizer.ggml.model"] == "bert" }

func noSlidingWindow(k keys) bool { return !k.has(k.arch + ".attention.sliding_window") }

var families = []family{
	{
		arch: "llama", when: hasExperts,
		architecture: "MixtralForCausalLM", modelType: "mixtral",
		constants: add(silu, map[string]any{"sliding_window": nil}),
		fields: slices.Concat(decoder, []field{
			{"expert_count", "num_local_experts", integer, must, nil},
			{"expert_used_count", "num_experts_per_tok", integer, must, nil},
		}),
		layers: "model.layers.",
		tensors: slices.Concat(outer, with(permuted, attention), []tensor{
			{"N.ffn_gate_inp", "N.block_sparse_moe.gate", same, weight},
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
		constants: silu,
		fields:    decoder,
		known:     []string{"expert_count", "expert_used_count"}, // both 0
		layers:    "model.layers.",
		tensors:   append(having(mayBias, llamaTable, linear...), tensor{"rope_freqs", "", ropeFactors, weightMay}),
		finish:    (*conversion).llamaBiases,
	},
	{
		arch:         "qwen2",
		architecture: "Qwen2ForCausalLM", modelType: "qwen2",
		constants: noWindow,
		fields:    decoder,
		layers:    "model.layers.",
		tensors:   slices.Concat(outer, having(weightBias, attention, qkv...), gated),
		noHeadDim: true,
	},
	{
		arch:         "qwen3",
		architecture: "Qwen3ForCausalLM", modelType: "qwen3",
		constants: add(noWindow, map[string]any{"attention_bias": false}),
		fields:    decoder,
		layers:    "model.layers.",
		tensors:   slices.Concat(outer, attention, queryKeyNorms, gated),
	},
	{
		arch:         "qwen3moe",
		architecture: "Qwen3MoeForCausalLM", modelType: "qwen3_moe",
		// llama.cpp's network has no choice about the last three.
		constants: add(noWindow, map[string]any{"attention_bias": false, "norm_topk_prob": true, "decoder_sparse_step": int64(1), "mlp_only_layers": []int{}}),
		fields:    slices.Concat(decoder, expertFields),
		layers:    "model.layers.",
		tensors:   slices.Concat(outer, attention, queryKeyNorms, qwenExperts),
	},
	{
		arch:         "qwen2moe",
		architecture: "Qwen2MoeForCausalLM", modelType: "qwen2_moe",
		constants: add(noWindow, map[string]any{"norm_topk_prob": false, "decoder_sparse_step": int64(1), "mlp_only_layers": []int{}, "qkv_bias": true}),
		fields:    slices.Concat(decoder, expertFields, []field{{"expert_shared_feed_forward_length", "shared_expert_intermediate_size", integer, must, nil}}),
		layers:    "model.layers.",
		tensors: slices.Concat(outer, having(weightBias, attention, qkv...), qwenExperts, []tensor{
			{"N.ffn_gate_inp_shexp", "N.mlp.shared_expert_gate", addRow, weight},
			{"N.ffn_gate_shexp", "N.mlp.shared_expert.gate_proj", same, weight},
			{"N.ffn_up_shexp", "N.mlp.shared_expert.up_proj", same, weight},
			{"N.ffn_down_shexp", "N.mlp.shared_expert.down_proj", same, weight},
		}),
		noHeadDim: true,
	},
	{
		arch:         "phi3",
		architecture: "Phi3ForCausalLM", modelType: "phi3",
		constants: silu,
		fields:    append(slices.Clip(decoder), field{"attention.sliding_window", "sliding_window", countOrNone, may, nil}),
		layers:    "model.layers.",
		tensors: slices.Concat(outer, []tensor{
			{"N.attn_norm", "N.input_layernorm", same, weight},
			{"N.attn_qkv", "N.self_attn.qkv_proj", same, weight},
			{"N.attn_output", "N.self_attn.o_proj", same, weight},
			{"N.ffn_norm", "N.post_attention_layernorm", same, weight},
			{"N.ffn_up", "N.mlp.gate_up_proj", same, weight},
			{"N.ffn_down", "N.mlp.down_proj", same, weight},
			{"rope_factors_long", "", longFactors, weightMay},
			{"rope_factors_short", "", shortFactors, weightMay},
		}),
		noHeadDim: true,
		finish:    (*conversion).phi3,
	},
	{
		arch:         "gemma2",
		architecture: "Gemma2ForCausalLM", modelType: "gemma2",
		constants: gemma,
		fields: slices.Concat(decoder, []field{
			{"attention.sliding_window", "sliding_window", integer, must, nil},
			{"attn_logit_softcapping", "attn_logit_softcapping", float, must, nil},
			{"final_logit_softcapping", "final_logit_softcapping", float, must, nil},
		}),
		layers:     "model.layers.",
		tensors:    slices.Concat(with(plusOnes, outer[:2]), sandwich, gated),
		mergesByID: true,
		finish:     func(c *conversion) error { return c.gemma(46, 2) },
	},
	{
		arch:         "gemma3",
		architecture: "Gemma3ForCausalLM", modelType: "gemma3_text",
		constants: gemma,
		fields: slices.Concat(decoder[:len(decoder)-1], []field{
			{"rope.freq_base", "rope_theta", float, may, number{1000000, 64}},
			{"rope.freq_base_swa", "rope_local_base_freq", float, may, number{10000, 64}},
			{"attention.sliding_window", "sliding_window", integer, may, nil},
			{"final_logit_softcapping", "final_logit_softcapping", float, may, nil},
		}),
		layers:     "model.layers.",
		tensors:    slices.Concat(with(plusOnes, outer), sandwich, with(plusOnes, queryKeyNorms), gated),
		mergesByID: true,
		finish:     func(c *conversion) error { return c.gemma(62, 6) },
	},
	{
		arch: "olmo2", when: noSlidingWindow, // with one it is OLMo 3
		architecture: "Olmo2ForCausalLM", modelType: "olmo2",
		constants: add(silu, map[string]any{"attention_bias": false}),
		fields:    decoder,
		layers:    "model.layers.",
		tensors: slices.Concat(outer, queryKeyNorms, gated, attention[1:5], []tensor{
			{"N.post_attention_norm", "N.post_attention_layernorm", same, weight},
			{"N.post_ffw_norm", "N.post_feedforward_layernorm", same, weight},
		}),
		noHeadDim: true,
	},
	{
		arch:         "smollm3",
		architecture: "SmolLM3ForCausalLM", modelType: "smollm3",
		constants: add(noWindow, map[string]any{"attention_bias": false, "mlp_bias": false, "no_rope_layer_interval": int64(4)}),
		fields:    decoder,
		layers:    "model.layers.",
		tensors:   llamaTable,
	},
	{
		arch:         "gpt-oss",
		architecture: "GptOssForCausalLM", modelType: "gpt_oss",
		constants: add(silu, map[string]any{"attention_bias": true, "swiglu_limit": number{7, 64}}),
		fields: slices.Concat(slices.DeleteFunc(slices.Clone(decoder), func(f field) bool { return f.key == "feed_forward_length" }), []field{
			{"expert_feed_forward_length", "intermediate_size", integer, must, nil},
			{"expert_count", "num_local_experts", integer, must, nil},
			{"expert_used_count", "num_experts_per_tok", integer, must, nil},
			{"attention.sliding_window", "sliding_window", integer, must, nil},
		}),
		known:  []string{"feed_forward_length"}, // that of an expert, too
		layers: "model.layers.",
		tensors: slices.Concat(outer, having(weightBias, attention[:5], "N.attn_q", "N.attn_k", "N.attn_v", "N.attn_output"), []tensor{
			{"N.post_attention_norm", "N.post_attention_layernorm", same, weight},
			{"N.attn_sinks", "N.self_attn.sinks", bareName, weight},
			{"N.ffn_gate_inp", "N.mlp.router", same, weightBias},
			{"N.ffn_gate_exps", "N.mlp.experts.gate_up_proj", firstOfTwo, weightBias},
			{"N.ffn_up_exps", "N.mlp.experts.gate_up_proj", oddOfTwo, weightBias},
			{"N.ffn_down_exps", "N.mlp.experts.down_proj", stacked, weightBias},
		}),
		finish: (*conversion).gptOSS,
	},
	{
		arch:         "gpt2",
		architecture: "GPT2LMHeadModel", modelType: "gpt2",
		constants: map[string]any{"activation_function": "gelu_new"},
		fields: []field{
			{"context_length", "n_positions", integer, must, nil},
			{"embedding_length", "n_embd", integer, must, nil},
			{"feed_forward_length", "n_inner", integer, must, nil},
			{"block_count", "n_layer", integer, must, nil},
			{"attention.head_count", "n_head", integer, must, nil},
			{"attention.layer_norm_epsilon", "layer_norm_epsilon", float, must, nil},
		},
		layers: "transformer.h.",
		tensors: []tensor{
			{"token_embd", "transformer.wte", same, weight},
			{"position_embd", "transformer.wpe", same, weight},
			{"output_norm", "transformer.ln_f", same, weightBias},
			{"output", "lm_head", same, weightMay},
			{"N.attn_norm", "N.ln_1", same, weightBias},
			{"N.attn_qkv", "N.attn.c_attn", transpose, weightBias},
			{"N.attn_output", "N.attn.c_proj", transpose, weightBias},
			{"N.ffn_norm", "N.ln_2", same, weightBias},
			{"N.ffn_up", "N.mlp.c_fc", transpose, weightBias},
			{"N.ffn_down", "N.mlp.c_proj", transpose, weightBias},
		},
		noHeadDim: true, noRope: true,
	},
	{
		arch: "bert", when: isWordPiece, // with another tokenizer it is RoBERTa
		architecture: "BertModel", modelType: "bert",
		constants: map[string]any{"hidden_act": "gelu", "position_embedding_type": "absolute"},
		fields: []field{
			{"context_length", "max_position_embeddings", integer, must, nil},
			{"embedding_length", "hidden_size", integer, must, nil},
			{"feed_forward_length", "intermediate_size", integer, must, nil},
			{"block_count", "num_hidden_layers", integer, must, nil},
			{"attention.head_count", "num_attention_heads", integer, must, nil},
			{"attention.layer_norm_epsilon", "layer_norm_eps", float, must, nil},
		},
		known:  []string{"attention.causal", "pooling_type"}, // of use to who runs it
		layers: "encoder.layer.",
		tensors: []tensor{
			{"token_embd", "embeddings.word_embeddings", same, weight},
			{"token_types", "embeddings.token_type_embeddings", addRow, weightMay},
			{"position_embd", "embeddings.position_embeddings", same, weight},
			{"token_embd_norm", "embeddings.LayerNorm", same, weightBias},
			{"N.attn_q", "N.attention.self.query", same, weightBias},
			{"N.attn_k", "N.attention.self.key", same, weightBias},
			{"N.attn_v", "N.attention.self.value", same, weightBias},
			{"N.attn_output", "N.attention.output.dense", same, weightBias},
			{"N.attn_output_norm", "N.attention.output.LayerNorm", same, weightBias},
			{"N.ffn_up", "N.intermediate.dense", same, weightBias},
			{"N.ffn_down", "N.output.dense", same, weightBias},
			{"N.layer_output_norm", "N.output.LayerNorm", same, weightBias},
		},
		noHeadDim: true, noRope: true, encoder: true,
		finish: (*conversion).bert,
	},
}
