"""smollm2.py FILE DIR: writes FILE, a GGUF of the Llama family with a byte-level
vocabulary, as a Hugging Face directory in float32. It shares no code with the engine,
which the tests hold against it: the package gguf reads the file.
"""
import json
import pathlib
import sys

import gguf
import numpy
from safetensors.numpy import save_file

LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}

file = gguf.GGUFReader(sys.argv[1])
out = pathlib.Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)


def field(name):
    return file.fields[name].contents()


def of_model(name):
    return field(f"{field('general.architecture')}.{name}")


heads = {"attn_q": of_model("attention.head_count"), "attn_k": of_model("attention.head_count_kv")}


def named(tensor):
    """Returns the tensor's name and values as Hugging Face has them."""
    values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
    values = values.reshape(tensor.shape[::-1].astype(int).tolist())
    parts = tensor.name.split(".")
    if parts[0] != "blk":
        return f"{OUTER[parts[0]]}.weight", values
    if n := heads.get(parts[2]):
        # llama.cpp puts the two values that a rotation pairs next to each other;
        # Hugging Face has the first of all pairs of a head, then the second.
        half = values.shape[0] // n // 2
        values = values.reshape(n, half, 2, -1).transpose(0, 2, 1, 3).reshape(values.shape)
    return f"model.layers.{parts[1]}.{LAYER[parts[2]]}.weight", values


def write(name, content):
    (out / name).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


tensors = {name: numpy.ascontiguousarray(values) for name, values in map(named, file.tensors)}
tokens, kinds = field("tokenizer.ggml.tokens"), field("tokenizer.ggml.token_type")
byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
write("config.json", {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "torch_dtype": "float32",
    "hidden_size": of_model("embedding_length"),
    "intermediate_size": of_model("feed_forward_length"),
    "num_hidden_layers": of_model("block_count"),
    "num_attention_heads": heads["attn_q"],
    "num_key_value_heads": heads["attn_k"],
    "max_position_embeddings": of_model("context_length"),
    "rms_norm_eps": 1e-5,  # the file has its float32
    "rope_theta": of_model("rope.freq_base"),
    "rope_scaling": None,
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "tie_word_embeddings": "lm_head.weight" not in tensors,
    "vocab_size": len(tokens),
    "bos_token_id": 1,
    "eos_token_id": 2,
})
write("tokenizer.json", {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [
        {"id": i, "content": token, "special": True,
         "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        for i, token in enumerate(tokens) if kinds[i] == gguf.TokenType.CONTROL
    ],
    "normalizer": None,
    "pre_tokenizer": {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
    },
    "post_processor": None,
    "decoder": byte_level | {"add_prefix_space": True},
    "model": {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": {token: i for i, token in enumerate(tokens)},
        "merges": field("tokenizer.ggml.merges"),
    },
})
write("tokenizer_config.json", {
    "tokenizer_class": "GPT2Tokenizer",
    "bos_token": tokens[1],
    "eos_token": tokens[2],
    "add_prefix_space": False,
    "clean_up_tokenization_spaces": False,
    "chat_template": field("tokenizer.chat_template"),
})
save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
