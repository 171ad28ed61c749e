"""minilm.py MODEL: computes the vectors that all-MiniLM-L6-v2, in the folder MODEL, gives a
few sentences, as sentence-transformers does, in float64 with NumPy, and writes minilm.json.

It needs the PyPI packages numpy, safetensors and tokenizers.
"""

import base64
import json
import math
import os
import sys

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

SENTENCES = [
    "A man is eating food.",
    "A man eats a piece of bread.",
    "",
    "Ünïcode, ﬁgures 1234567 and punctuation?! (…) — 東京 🙂",
    "The quick brown fox jumps over the lazy dog. " * 12,
    "word " * 400,  # is cut
]
MOST = 256  # tokens, as sentence_bert_config.json says

model = sys.argv[1]
weights = {k: v.astype(np.float64) for k, v in load_file(os.path.join(model, "model.safetensors")).items() if v.dtype == np.float32}
config = json.load(open(os.path.join(model, "config.json")))
tokenizer = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(MOST)
erf = np.vectorize(math.erf)


def linear(x, name):
    return x @ weights[name + ".weight"].T + weights[name + ".bias"]


def norm(x, name):
    x = x - x.mean(-1, keepdims=True)
    x /= np.sqrt((x**2).mean(-1, keepdims=True) + config["layer_norm_eps"])
    return x * weights[name + ".weight"] + weights[name + ".bias"]


def vector(sentence):
    ids = tokenizer.encode(sentence).ids
    n, heads = len(ids), config["num_attention_heads"]
    e = "embeddings."
    x = weights[e + "word_embeddings.weight"][ids] + weights[e + "position_embeddings.weight"][:n] + weights[e + "token_type_embeddings.weight"][0]
    x = norm(x, e + "LayerNorm")
    for i in range(config["num_hidden_layers"]):
        p = f"encoder.layer.{i}."
        q, k, v = (linear(x, p + "attention.self." + w).reshape(n, heads, -1).swapaxes(0, 1) for w in ("query", "key", "value"))
        scores = q @ k.swapaxes(1, 2) / math.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        out = (scores / scores.sum(-1, keepdims=True) @ v).swapaxes(0, 1).reshape(n, -1)
        x = norm(x + linear(out, p + "attention.output.dense"), p + "attention.output.LayerNorm")
        up = linear(x, p + "intermediate.dense")
        up = up * (1 + erf(up / math.sqrt(2))) / 2
        x = norm(x + linear(up, p + "output.dense"), p + "output.LayerNorm")
    x = x.mean(0)
    return x / np.sqrt((x**2).sum())


with open("minilm.json", "w") as f:
    lines = [{"sentence": s, "vector": base64.b64encode(vector(s).astype("<f4").tobytes()).decode()} for s in SENTENCES]
    json.dump(lines, f, indent=1)
    f.write("\n")
