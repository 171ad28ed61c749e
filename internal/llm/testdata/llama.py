"""llama.py: makes llama.gguf and llama.json, with the PyPI packages gguf (0.19.0), torch and transformers (5.24).

llama.gguf is a small random Llama in several quantized types, with the tokenizer of digits.json, as llama.cpp's
converter would write it: rows of query and key in its own order. llama.json has what transformers computes with the
same weights: the logits after a text.
"""
import json
import os

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from transformers import LlamaConfig, LlamaForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
tokenizer = json.load(open(os.path.join(here, "..", "..", "tokenizer", "testdata", "digits.json")))
vocab = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
added = {a["id"]: a for a in tokenizer["added_tokens"] if a["id"] < len(vocab)}

DIM, HIDDEN, LAYERS, HEADS, KV = 32, 64, 2, 4, 2
config = LlamaConfig(
    hidden_size=DIM, intermediate_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=KV,
    vocab_size=len(vocab), max_position_embeddings=128, rms_norm_eps=1e-5, rope_theta=5000.0, tie_word_embeddings=False,
    bos_token_id=1, eos_token_id=2)
torch.manual_seed(1)
model = LlamaForCausalLM(config).eval()

NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
TYPES = {"q_proj": T.Q8_0, "k_proj": T.Q8_0, "v_proj": T.Q5_1, "o_proj": T.Q4_0, "gate_proj": T.Q4_1, "up_proj": T.Q5_0, "down_proj": T.Q4_1, "embed_tokens": T.Q8_0, "lm_head": T.F16}

w = gguf.GGUFWriter(os.path.join(here, "llama.gguf"), "llama")
w.add_block_count(LAYERS)
w.add_context_length(128)
w.add_embedding_length(DIM)
w.add_feed_forward_length(HIDDEN)
w.add_head_count(HEADS)
w.add_head_count_kv(KV)
w.add_layer_norm_rms_eps(1e-5)
w.add_rope_freq_base(5000.0)
w.add_rope_dimension_count(DIM // HEADS)
w.add_vocab_size(len(vocab))
w.add_tokenizer_model("gpt2")
w.add_tokenizer_pre("smollm")
w.add_token_list(vocab)
w.add_token_types([gguf.TokenType.CONTROL if i in added else gguf.TokenType.NORMAL for i in range(len(vocab))])
w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]])
w.add_bos_token_id(1)
w.add_eos_token_id(2)

state = {}
for name, p in model.state_dict().items():
    part = name.removesuffix(".weight").removeprefix("model.").split(".", 2)
    x = torch.randn(p.shape).numpy() / (p.shape[-1] ** 0.5 if p.ndim == 2 else 10) + (1 if p.ndim == 1 else 0)
    x = x.astype(np.float32)
    if part[0] == "layers":
        to = f"blk.{part[1]}.{NAMES[part[2]]}.weight"
    else:
        to = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}[part[0]] + ".weight"
    heads = {"attn_q": HEADS, "attn_k": KV}.get(to.split(".")[-2], 0)
    if heads:
        x = x.reshape(heads, 2, x.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(x.shape)
    t = TYPES.get(part[-1].split(".")[-1], T.F32)
    data = gguf.quants.quantize(np.ascontiguousarray(x), t)
    w.add_tensor(to, data, raw_dtype=t)
    x = gguf.quants.dequantize(data, t).astype(np.float32).reshape(x.shape)
    if heads:
        x = x.reshape(heads, x.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(x.shape)
    state[name] = torch.from_numpy(np.ascontiguousarray(x))
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()

model.load_state_dict(state)
text = "The king and the queen read 12 books; they've won't."
from tokenizers import Tokenizer

ids = Tokenizer.from_file(os.path.join(here, "..", "..", "tokenizer", "testdata", "digits.json")).encode(text).ids
with torch.inference_mode():
    logits = model(torch.tensor([ids])).logits[0, -1].tolist()
json.dump({"text": text, "ids": ids, "logits": [round(x, 6) for x in logits]}, open(os.path.join(here, "llama.json"), "w"), separators=(",", ":"))
