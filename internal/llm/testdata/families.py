"""families.py: makes the models of the folder families, with the PyPI packages torch and transformers (5.24).

Of each family there is a small random model, as transformers saves it, in the folder NAME, with logits.json: for each of a
few texts the logits after every token. Variants of one family differ in what config.json says. Run it with the names of
those to make, or without for all: python families.py [NAME …]
"""
import json
import os
import shutil
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "families")
VOCAB = 32

SMALL = dict(
    vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0, rope_theta=1000.0)
MOE = dict(num_experts_per_tok=2, intermediate_size=12)

# What config.json says of each.
MODELS = {
    "llama": SMALL | dict(model_type="llama", attention_bias=True, mlp_bias=True, head_dim=6, rms_norm_eps=1e-5),
    "llama-linear": SMALL | dict(model_type="llama", num_hidden_layers=1, tie_word_embeddings=True, rope_scaling=dict(rope_type="linear", factor=4.0)),
    "llama-dynamic": SMALL | dict(model_type="llama", num_hidden_layers=1, max_position_embeddings=16, rope_scaling=dict(rope_type="dynamic", factor=3.0)),
    "llama-llama3": SMALL | dict(model_type="llama", num_hidden_layers=1, head_dim=8, rope_theta=100.0, rope_scaling=dict(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)),
    "llama-yarn": SMALL | dict(model_type="llama", num_hidden_layers=1, head_dim=8, rope_theta=100.0, rope_scaling=dict(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=32, beta_fast=2.0, beta_slow=0.25)),
    "mistral": SMALL | dict(model_type="mistral", sliding_window=7, head_dim=6),
    "qwen2": SMALL | dict(model_type="qwen2", use_sliding_window=True, sliding_window=9, max_window_layers=1),
    "qwen3": SMALL | dict(model_type="qwen3", head_dim=6, tie_word_embeddings=True),
    "smollm3": SMALL | dict(model_type="smollm3", num_hidden_layers=3, no_rope_layer_interval=2, use_sliding_window=False),
    "olmo2": SMALL | dict(model_type="olmo2"),
    "phi3": SMALL | dict(model_type="phi3", partial_rotary_factor=0.5, sliding_window=8, num_attention_heads=2, num_key_value_heads=1),
    "phi3-longrope": SMALL | dict(model_type="phi3", original_max_position_embeddings=16, num_hidden_layers=1, rope_scaling=dict(
        rope_type="longrope", short_factor=[1.0, 1.25], long_factor=[1.5, 4.0])),
    "gemma2": SMALL | dict(model_type="gemma2", head_dim=6, query_pre_attn_scalar=5, sliding_window=6, attn_logit_softcapping=2.0, final_logit_softcapping=3.0),
    "gemma3": SMALL | dict(model_type="gemma3_text", head_dim=6, num_hidden_layers=3, sliding_window=5, query_pre_attn_scalar=7,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"], rope_parameters=dict(
            full_attention=dict(rope_type="linear", factor=2.0, rope_theta=5000.0), sliding_attention=dict(rope_type="default", rope_theta=100.0))),
    "gpt2": dict(model_type="gpt2", vocab_size=VOCAB, n_embd=16, n_head=4, n_layer=2, n_positions=64, bos_token_id=1, eos_token_id=2),
    "mixtral": SMALL | MOE | dict(model_type="mixtral", num_local_experts=4),
    "qwen3_moe": SMALL | MOE | dict(
        model_type="qwen3_moe", head_dim=6, num_experts=5, moe_intermediate_size=8, norm_topk_prob=True, num_hidden_layers=3, mlp_only_layers=[1]),
    "qwen3_moe-plain": SMALL | MOE | dict(
        model_type="qwen3_moe", head_dim=6, num_experts=5, moe_intermediate_size=8, norm_topk_prob=False, num_hidden_layers=1),
    "gpt_oss": SMALL | MOE | dict(
        model_type="gpt_oss", head_dim=8, num_local_experts=4, sliding_window=6, swiglu_limit=7.0, attention_bias=True, rope_theta=100.0, rope_scaling=dict(
            rope_type="yarn", factor=4.0, beta_fast=2.0, beta_slow=0.25, truncate=False, original_max_position_embeddings=32)),
    "gpt_oss-mxfp4": SMALL | dict(
        model_type="gpt_oss", hidden_size=32, intermediate_size=32, num_experts_per_tok=1, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, num_local_experts=2, sliding_window=6, attention_bias=True),
}

# Keys of MODELS that transformers writes to rope_parameters, and that most published models have outside of it.
OLD = ("llama-llama3", "llama-linear", "phi3-longrope")
# Those of which config.json is to say as little of the layers as it may.
SHORT = ("qwen2", "gemma2", "gpt_oss", "smollm3")


def texts():
    g = torch.Generator().manual_seed(7)
    return [[1] + torch.randint(3, VOCAB, (n,), generator=g).tolist() for n in (4, 30)]


packed = {}  # of the model under way: blocks and scales


def mxfp4(key, shape):
    """Random weights [experts, in, out] that MXFP4 has, whose codes and scales it takes down."""
    experts, inputs, outputs = shape
    values = torch.tensor([0, .5, 1, 1.5, 2, 3, 4, 6, -0., -.5, -1, -1.5, -2, -3, -4, -6])
    codes = torch.randint(0, 16, (experts, outputs, inputs // 32, 32))
    scales = torch.randint(122, 126, (experts, outputs, inputs // 32))
    packed[key] = (codes[..., ::2] | codes[..., 1::2] << 4).to(torch.uint8), scales.to(torch.uint8)
    w = values[codes] * torch.exp2(scales.float() - 127)[..., None]
    return w.reshape(experts, outputs, inputs).transpose(1, 2)


def make(name):
    told = dict(MODELS[name])
    torch.manual_seed(sum(name.encode()))
    config = AutoConfig.for_model(**{k: v for k, v in json.loads(json.dumps(told)).items()})
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            x = torch.randn(p.shape)
            if p.ndim < 2 or "bias" in key:
                x = x / 4 + (1 if "norm" in key and "gemma" not in name and "bias" not in key or ".ln_" in key and key.endswith("weight") else 0)
            elif "embed" in key or "wte" in key or "wpe" in key:
                x = x / (4 if "gemma" in name else 1)
            else:
                x = x * 1.5 / p.shape[-1] ** 0.5
            if name.endswith("mxfp4") and key.endswith(("experts.gate_up_proj", "experts.down_proj")):
                x = mxfp4(key, p.shape)
            p.copy_(x)
    out = os.path.join(HERE, name)
    shutil.rmtree(out, ignore_errors=True)
    model.save_pretrained(out)
    for f in os.listdir(out):
        if f not in ("config.json", "model.safetensors"):
            os.remove(os.path.join(out, f))
    with open(os.path.join(out, "config.json")) as f:
        saved = json.load(f)
    if packed:
        tensors = load_file(os.path.join(out, "model.safetensors"))
        for key, (blocks, scales) in packed.items():
            del tensors[key]
            tensors[key + "_blocks"], tensors[key + "_scales"] = blocks, scales
        save_file(tensors, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
        saved["quantization_config"] = {"quant_method": "mxfp4", "modules_to_not_convert": []}
        packed.clear()
    saved.pop("architectures", None)
    if name in OLD:  # as version 4 wrote it
        saved.pop("rope_parameters")
        saved["rope_theta"], saved["rope_scaling"] = told["rope_theta"], told["rope_scaling"]
    if name in SHORT:
        for key in ("layer_types", "no_rope_layers"):
            saved.pop(key, None)
    with open(os.path.join(out, "config.json"), "w") as f:
        json.dump(saved, f, indent=1, sort_keys=True)
        f.write("\n")
    result = []
    for ids in texts():
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0]
        result.append({"ids": ids, "logits": [[float(f"{x:.6g}") for x in row] for row in logits.tolist()]})
    with open(os.path.join(out, "logits.json"), "w") as f:
        json.dump(result, f, separators=(",", ":"))
        f.write("\n")
    print(name, os.path.getsize(os.path.join(out, "model.safetensors")), os.path.getsize(os.path.join(out, "logits.json")))


for name in sys.argv[1:] or MODELS:
    make(name)
