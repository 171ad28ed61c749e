"""make.py: writes the GGUF files and expectations of this folder, FAMILY.gguf and
FAMILY.json, with tiny models that transformers makes from random numbers.

Each model is saved as Hugging Face publishes it, and converted as llama.cpp's
convert_hf_to_gguf.py does it: names by the package gguf, and the changes of each
family as written below. FAMILY.json has config.json, and of every tensor the shape
and the SHA-256 of its float32. It needs torch, transformers, tokenizers, gguf and
safetensors, and is run by hand: python make.py [FAMILY …]
"""

import copy
import hashlib
import json
import os
import sys
import tempfile

import gguf
import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
VOCAB = 24

DECODER = dict(
    hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0, vocab_size=VOCAB,
    bos_token_id=1, eos_token_id=2, tie_word_embeddings=True, torch_dtype="float16",
)


def permute(w, heads):
    """llama.cpp's order of rows, for its rotary embedding."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def permute_qk(name, w, config):
    if name.endswith(("q_proj.weight", "q_proj.bias")):
        return permute(w, config["num_attention_heads"])
    if name.endswith(("k_proj.weight", "k_proj.bias")):
        return permute(w, config["num_key_value_heads"])
    return w


def plus_one(name, w, config):
    return w + 1 if name.endswith("norm.weight") else w


def conv1d(name, w, config):
    return w.transpose(1, 0) if name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")) else w


def same(name, w, config):
    return w


def merge_experts(tensors, experts, pattern, merged, parts):
    """Stacks the matrices of experts, which have names of their own."""
    out = dict(tensors)
    for name in tensors:
        layer = name.split(".")[2] if name.startswith("model.layers.") else None
        if layer is None or pattern.format(layer=layer, x=0, part=parts[0]) != name:
            continue
        for part in parts:
            stack = [out.pop(pattern.format(layer=layer, x=x, part=part)) for x in range(experts)]
            out[merged.format(layer=layer, part=part)] = np.stack(stack)
    return out


def mixtral_experts(tensors, config):
    return merge_experts(tensors, config["num_local_experts"], "model.layers.{layer}.block_sparse_moe.experts.{x}.{part}.weight",
                         "layers.{layer}.feed_forward.experts.{part}.weight", ["w1", "w2", "w3"])


def qwen_experts(tensors, config):
    return merge_experts(tensors, config["num_experts"], "model.layers.{layer}.mlp.experts.{x}.{part}.weight",
                         "model.layers.{layer}.mlp.experts.{part}.weight", ["down_proj", "gate_proj", "up_proj"])


def gpt_oss_experts(tensors, config):
    out = {}
    for name, w in tensors.items():
        if name.endswith("sinks"):
            out[name + ".weight"] = w
        elif name.endswith("down_proj_bias"):
            out[name.replace("down_proj_bias", "down_proj.bias")] = w
        elif name.endswith("down_proj"):
            out[name + ".weight"] = w.swapaxes(-1, -2)
        elif name.endswith("gate_up_proj_bias"):
            out[name.replace("gate_up_proj_bias", "gate_proj.bias")] = w[..., ::2]
            out[name.replace("gate_up_proj_bias", "up_proj.bias")] = w[..., 1::2]
        elif name.endswith("gate_up_proj"):
            w = w.swapaxes(-1, -2)
            out[name.replace("gate_up_proj", "gate_proj.weight")] = w[:, ::2]
            out[name.replace("gate_up_proj", "up_proj.weight")] = w[:, 1::2]
        else:
            out[name] = w
    return out


def bert_names(tensors, config):
    return {n: w for n, w in tensors.items() if not n.startswith("pooler.")}


def llama3_freqs(config):
    p = config["rope_scaling"]
    dim = config["head_dim"]
    freqs = 1.0 / (config["rope_theta"] ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim))
    low, high, old = p["low_freq_factor"], p["high_freq_factor"], 8192
    factors = []
    for freq in freqs:
        wavelen = 2 * np.pi / freq
        if wavelen < old / high:
            factors.append(1)
        elif wavelen > old / low:
            factors.append(p["factor"])
        else:
            smooth = (old / wavelen - low) / (high - low)
            factors.append(1 / ((1 - smooth) / p["factor"] + smooth))
    return {"rope_freqs.weight": torch.tensor(factors, dtype=torch.float32).numpy()}


def longrope_factors(config):
    p = config["rope_scaling"]
    return {"rope_factors_long.weight": np.array(p["long_factor"], np.float32),
            "rope_factors_short.weight": np.array(p["short_factor"], np.float32)}


QWEN_MOE = dict(num_experts=3, num_experts_per_tok=2, moe_intermediate_size=6, decoder_sparse_step=1, mlp_only_layers=[])
LLAMA3 = dict(rope_type="llama3", factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
YARN = dict(rope_type="yarn", factor=32.0, original_max_position_embeddings=4, beta_fast=32.0, beta_slow=1.0, truncate=False)
LONGROPE = dict(type="longrope", rope_type="longrope", long_factor=[1.5], short_factor=[1.125])

# Of each: general.architecture, config.json, the change of each tensor, the change of
# all, and more tensors.
FAMILIES = {
    "llama": ("llama", DECODER | dict(
        model_type="llama", architectures=["LlamaForCausalLM"], head_dim=32, hidden_size=32, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=32, num_hidden_layers=1, rope_theta=500000.0, rope_scaling=LLAMA3,
        attention_bias=True, mlp_bias=False, hidden_act="silu", tie_word_embeddings=False, torch_dtype="float32"), permute_qk, None, llama3_freqs),
    "mixtral": ("llama", DECODER | dict(
        model_type="mixtral", architectures=["MixtralForCausalLM"], num_local_experts=3, num_experts_per_tok=2,
        rope_theta=1000000.0, rope_scaling=None, sliding_window=None, hidden_act="silu"), permute_qk, mixtral_experts, None),
    "qwen2": ("qwen2", DECODER | dict(
        model_type="qwen2", architectures=["Qwen2ForCausalLM"], use_sliding_window=False, rope_scaling=None, hidden_act="silu"), same, None, None),
    "qwen3": ("qwen3", DECODER | dict(
        model_type="qwen3", architectures=["Qwen3ForCausalLM"], head_dim=6, use_sliding_window=False, attention_bias=False,
        rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16), hidden_act="silu"), same, None, None),
    "qwen3moe": ("qwen3moe", DECODER | QWEN_MOE | dict(
        model_type="qwen3_moe", architectures=["Qwen3MoeForCausalLM"], head_dim=4, use_sliding_window=False, attention_bias=False,
        norm_topk_prob=True, rope_scaling=None, hidden_act="silu"), same, qwen_experts, None),
    "qwen2moe": ("qwen2moe", DECODER | QWEN_MOE | dict(
        model_type="qwen2_moe", architectures=["Qwen2MoeForCausalLM"], shared_expert_intermediate_size=10, use_sliding_window=False,
        norm_topk_prob=False, qkv_bias=True, rope_scaling=None, hidden_act="silu"), same, qwen_experts, None),
    "phi3": ("phi3", DECODER | dict(
        model_type="phi3", architectures=["Phi3ForCausalLM"], hidden_size=16, partial_rotary_factor=0.5, original_max_position_embeddings=16,
        rope_scaling=LONGROPE, sliding_window=None, hidden_act="silu", pad_token_id=0), same, None, longrope_factors),
    "gemma2": ("gemma2", DECODER | dict(
        model_type="gemma2", architectures=["Gemma2ForCausalLM"], head_dim=6, query_pre_attn_scalar=6, sliding_window=16,
        attn_logit_softcapping=50.0, final_logit_softcapping=30.0, attention_bias=False, hidden_act="gelu_pytorch_tanh",
        hidden_activation="gelu_pytorch_tanh", layer_types=["sliding_attention", "full_attention"], rope_scaling=None), plus_one, None, None),
    "gemma3": ("gemma3", DECODER | dict(
        model_type="gemma3_text", architectures=["Gemma3ForCausalLM"], head_dim=6, query_pre_attn_scalar=6, sliding_window=16, num_hidden_layers=6,
        intermediate_size=4, attention_bias=False, hidden_act="gelu_pytorch_tanh", hidden_activation="gelu_pytorch_tanh",
        rope_theta=1000000.0, rope_local_base_freq=10000.0, rope_scaling=dict(rope_type="linear", factor=8.0),
        layer_types=["sliding_attention"] * 5 + ["full_attention"]), plus_one, None, None),
    "olmo2": ("olmo2", DECODER | dict(
        model_type="olmo2", architectures=["Olmo2ForCausalLM"], attention_bias=False, rope_scaling=None, hidden_act="silu", pad_token_id=0,
        tie_word_embeddings=False), same, None, None),
    "smollm3": ("smollm3", DECODER | dict(
        model_type="smollm3", architectures=["SmolLM3ForCausalLM"], use_sliding_window=False, attention_bias=False, mlp_bias=False,
        no_rope_layer_interval=4, rope_scaling=None, hidden_act="silu", pad_token_id=0), permute_qk, None, None),
    "gpt-oss": ("gpt-oss", DECODER | dict(
        model_type="gpt_oss", architectures=["GptOssForCausalLM"], head_dim=6, num_local_experts=3, num_experts_per_tok=2, sliding_window=8,
        attention_bias=True, rope_theta=150000.0, rope_scaling=YARN, hidden_act="silu", swiglu_limit=7.0, tie_word_embeddings=False),
        same, gpt_oss_experts, None),
    "gpt2": ("gpt2", dict(
        model_type="gpt2", architectures=["GPT2LMHeadModel"], n_embd=8, n_head=2, n_layer=2, n_positions=16, n_inner=32, vocab_size=VOCAB,
        layer_norm_epsilon=1e-5, activation_function="gelu_new", bos_token_id=1, eos_token_id=1, torch_dtype="float16",
        tie_word_embeddings=True), conv1d, None, None),
    "bert": ("bert", dict(
        model_type="bert", architectures=["BertModel"], hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=16, type_vocab_size=2, vocab_size=VOCAB, layer_norm_eps=1e-12, hidden_act="gelu",
        position_embedding_type="absolute", pad_token_id=0, torch_dtype="float16"), same, bert_names, None),
}


def published(config):
    """The tensors of a random model, as save_pretrained writes them."""
    torch.manual_seed(1)
    c = AutoConfig.for_model(**{k: copy.deepcopy(v) for k, v in config.items() if k != "torch_dtype"})
    model = (AutoModel if config["model_type"] == "bert" else AutoModelForCausalLM).from_config(c)
    with torch.no_grad():
        for p in model.parameters():  # norms and biases, too; all exact in float16
            p.copy_((torch.randn(p.shape) / 4).half().float())
    with tempfile.TemporaryDirectory() as d:
        model.save_pretrained(d)
        return {n: w.numpy() for n, w in load_file(d + "/model.safetensors").items()}


def write_keys(w, config, arch):
    """What set_gguf_parameters of llama.cpp's converter writes."""
    get = config.get
    w.add_block_count(get("num_hidden_layers", get("n_layer")))
    w.add_context_length(get("max_position_embeddings", get("n_positions")))
    w.add_embedding_length(get("hidden_size", get("n_embd")))
    w.add_feed_forward_length(get("intermediate_size", get("n_inner")))
    w.add_head_count(get("num_attention_heads", get("n_head")))
    if "num_key_value_heads" in config:
        w.add_head_count_kv(config["num_key_value_heads"])
    if "rms_norm_eps" in config:
        w.add_layer_norm_rms_eps(config["rms_norm_eps"])
    else:
        w.add_layer_norm_eps(get("layer_norm_epsilon", get("layer_norm_eps")))
    if "rope_theta" in config and arch != "gemma2":
        w.add_rope_freq_base(config["rope_theta"])
    if "rope_local_base_freq" in config:
        w.add_rope_freq_base_swa(config["rope_local_base_freq"])
    if "head_dim" in config:
        w.add_key_length(config["head_dim"])
        w.add_value_length(config["head_dim"])
    if arch == "llama":
        w.add_vocab_size(config["vocab_size"])
    if arch in ("llama", "phi3", "smollm3"):
        head = get("head_dim", config["hidden_size"] // config["num_attention_heads"])
        w.add_rope_dimension_count(int(get("partial_rotary_factor", 1) * head))
    experts = get("num_local_experts", get("num_experts"))
    if experts:
        w.add_expert_count(experts)
        w.add_expert_used_count(config["num_experts_per_tok"])
    if "moe_intermediate_size" in config:
        w.add_expert_feed_forward_length(config["moe_intermediate_size"])
    elif arch == "gpt-oss":
        w.add_expert_feed_forward_length(config["intermediate_size"])
    if "shared_expert_intermediate_size" in config:
        w.add_expert_shared_feed_forward_length(config["shared_expert_intermediate_size"])
    if arch == "phi3":
        w.add_sliding_window(config["sliding_window"] or 0)
        w.add_rope_scaling_orig_ctx_len(config["original_max_position_embeddings"])
        scale = config["max_position_embeddings"] / config["original_max_position_embeddings"]
        w.add_rope_scaling_attn_factors(float(np.sqrt(1 + np.log(scale) / np.log(config["original_max_position_embeddings"]))))
    elif get("sliding_window"):
        w.add_sliding_window(config["sliding_window"])
    if "final_logit_softcapping" in config:
        w.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        w.add_final_logit_softcapping(config["final_logit_softcapping"])
    rope = get("rope_scaling") or {}
    if rope.get("rope_type") == "yarn":
        w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        w.add_rope_scaling_factor(rope["factor"])
        w.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        if "beta_fast" in rope:
            w.add_rope_scaling_yarn_beta_fast(rope["beta_fast"])
            w.add_rope_scaling_yarn_beta_slow(rope["beta_slow"])
    elif rope.get("rope_type") == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(rope["factor"])
    elif rope.get("rope_type") == "longrope":
        w.add_rope_scaling_type(gguf.RopeScalingType.LONGROPE)
    if arch == "bert":
        w.add_causal_attention(False)
        w.add_pooling_type(gguf.PoolingType.MEAN)


NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = range(1, 7)
LETTERS = list("abcdefghijklmnop")


def write_tokenizer(w, arch, config):
    """Keys about a tokenizer, of which make_tokenizers.py has real ones."""
    if arch == "bert":
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + ["\u2581" + c for c in LETTERS] + ["a", "b", "c"]
        w.add_tokenizer_model("bert")
        w.add_tokenizer_pre("jina-v2-en")
        w.add_token_list(words)
        w.add_token_types([CONTROL] * 5 + [NORMAL] * 19)
        w.add_unk_token_id(1)
        w.add_uint32("tokenizer.ggml.cls_token_id", 2)
        w.add_uint32("tokenizer.ggml.seperator_token_id", 3)
        w.add_token_type_count(2)
    elif arch == "gpt2":
        w.add_tokenizer_model("gpt2")
        w.add_tokenizer_pre("gpt-2")
        w.add_token_list(["<|start|>", "<|end|>", "<tool>"] + LETTERS + ["ab", "cd", "abcd", "ij", "[PAD23]"])
        w.add_token_types([CONTROL, CONTROL, USER] + [NORMAL] * 20 + [UNUSED])
        w.add_token_merges(["a b", "c d", "ab cd", "i j"])
        w.add_chat_template("{{ messages }}")
    elif config["model_type"] == "mixtral":
        w.add_tokenizer_model("llama")
        w.add_tokenizer_pre("default")
        w.add_token_list(["<unk>", "<s>", "</s>", "<0x0A>"] + LETTERS + ["\u2581", "\u2581a", "ab", "\u2581ab"])
        w.add_token_scores([0.0, 0.0, 0.0, 0.0] + [-float(i) for i in range(4, 20)] + [-1.0, -2.0, -3.0, -4.0])
        w.add_token_types([UNKNOWN, CONTROL, CONTROL, BYTE] + [NORMAL] * 20)


def digest(w):
    return hashlib.sha256(np.ascontiguousarray(w, "<f4").tobytes()).hexdigest()


def make(name):
    arch, config, change, change_all, more = FAMILIES[name]
    hf = published(config)
    expected = {n: [list(w.shape), digest(w)] for n, w in hf.items() if not n.startswith("pooler.")}
    blocks = config.get("num_hidden_layers", config.get("n_layer"))
    names = gguf.get_tensor_name_map({v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[arch], blocks)
    w = gguf.GGUFWriter(f"{HERE}/{name}.gguf", arch)
    w.add_name("Tiny " + name)
    write_keys(w, config, arch)
    for key in ("bos", "eos", "pad"):
        if config.get(key + "_token_id") is not None:
            w.add_uint32(f"tokenizer.ggml.{'padding' if key == 'pad' else key}_token_id", config[key + "_token_id"])
    write_tokenizer(w, arch, config)
    tensors = {n: change(n, x, config) for n, x in hf.items()}
    if change_all:
        tensors = change_all(tensors, config)
    for n, x in tensors.items():
        new = names.get_name(n, try_suffixes=(".weight", ".bias"))
        assert new, n
        x = np.ascontiguousarray(x, np.float32)
        if name == "llama" and x.ndim > 1 and x.shape[-1] % 32 == 0:
            # Blocks move as they are, and what they stand for is expected.
            kind = gguf.GGMLQuantizationType.Q8_0
            back = gguf.quants.dequantize(gguf.quants.quantize(hf[n], kind), kind)
            expected[n][1] = digest(back)
            w.add_tensor(new, gguf.quants.quantize(x, kind), raw_dtype=kind)
        elif x.ndim > 1 and not n.endswith("norm.weight"):
            w.add_tensor(new, x.astype(np.float16))
        else:
            w.add_tensor(new, x)
    for n, x in (more(config) if more else {}).items():
        w.add_tensor(n, x)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    with open(f"{HERE}/{name}.json", "w") as f:
        json.dump({"config": config, "tensors": expected}, f, indent=0, sort_keys=True)
        f.write("\n")
    print(name, os.path.getsize(f"{HERE}/{name}.gguf"), len(expected))


if __name__ == "__main__":
    for name in sys.argv[1:] or FAMILIES:
        make(name)
