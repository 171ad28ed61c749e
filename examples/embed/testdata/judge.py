"""judge.py MODEL VECTORS: compares what examples/embed prints with -json with what PyTorch makes of the sentences, in
float32 and by modules.json: the mean and the least cosine, and the greatest difference of an element. It needs torch and
transformers, and fails where a cosine is below the third argument.

    go run ./examples/embed -model MODEL -in sentences.txt -json > vectors.jsonl
    python examples/embed/testdata/judge.py MODEL vectors.jsonl 0.99999
"""
import json
import os
import sys

import torch
from transformers import AutoModel, AutoTokenizer

model_dir, vectors = sys.argv[1:3]
least = float(sys.argv[3]) if len(sys.argv) > 3 else -1
rows = [json.loads(line) for line in open(vectors, encoding="utf-8")]
read = lambda name: json.load(open(os.path.join(model_dir, name)))
modules = read("modules.json")
pooling = read(os.path.join(modules[1]["path"], "config.json"))
normalize = any(m["type"].endswith("Normalize") for m in modules)
length = read("sentence_bert_config.json")["max_seq_length"]
tokenizer = AutoTokenizer.from_pretrained(model_dir)
model = AutoModel.from_pretrained(model_dir, dtype=torch.float32).eval()


@torch.inference_mode()
def embed(sentence):
    x = tokenizer(sentence.strip(), truncation=True, max_length=length, return_tensors="pt")
    h = model(**x).last_hidden_state[0]
    parts = []
    if pooling.get("pooling_mode_cls_token"):
        parts.append(h[0])
    if pooling.get("pooling_mode_max_tokens"):
        parts.append(h.max(0).values)
    if pooling.get("pooling_mode_mean_tokens"):
        parts.append(h.mean(0))
    e = torch.cat(parts)
    return torch.nn.functional.normalize(e, dim=0) if normalize else e


cosines, difference = [], 0.0
for r in rows:
    want, got = embed(r["sentence"]).double(), torch.tensor(r["embedding"], dtype=torch.float64)
    difference = max(difference, ((want - got).abs().max() / want.abs().max()).item())
    cosines.append(torch.nn.functional.cosine_similarity(want, got, dim=0).item())
print(f"{len(rows)} sentences: cosine {sum(cosines) / len(cosines):.7f}, least {min(cosines):.7f}; greatest difference {difference:.2g} of the greatest element")
sys.exit(min(cosines) < least)
