"""gguf_logits.py: makes gguf.json, the logits that transformers (5.24) computes with the models of internal/gguf/hf/testdata.

That folder has each model as GGUF, made by its make.py, which this script asks for the same model. It needs what make.py
needs, and checks that the weights are those that the files were made of.
"""
import copy
import json
import os
import sys

import gguf
import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
models = os.path.join(here, "..", "..", "gguf", "hf", "testdata")
sys.path.insert(0, models)
import make  # noqa: E402

text = [1, 17, 5, 9, 23, 4, 11, 11, 3, 20, 7, 6, 19, 2, 8, 10, 3, 22, 15, 12, 4]  # longer than all windows
out = {}
for name, (_, config, *_) in make.FAMILIES.items():
    if name in ("bert", "qwen2moe"):  # no language model, and one that the engine does not have
        continue
    told = json.load(open(os.path.join(models, name + ".json")))
    weights = make.published(config)
    for key, w in weights.items():
        if name == "llama" and w.ndim > 1 and w.shape[-1] % 32 == 0:
            kind = gguf.GGMLQuantizationType.Q8_0
            weights[key] = gguf.quants.dequantize(gguf.quants.quantize(w, kind), kind)
        assert told["tensors"][key][1] == make.digest(weights[key]), key
    c = AutoConfig.for_model(**{k: copy.deepcopy(v) for k, v in config.items() if k != "torch_dtype"})
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(c, attn_implementation="eager", experts_implementation="eager").float().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_((torch.randn(p.shape) / 4).half().float())
        if name == "llama":
            for key, p in model.named_parameters():
                p.copy_(torch.from_numpy(np.array(weights[key])))
    ids = text[: config.get("n_positions")]
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0]
    out[name] = {"ids": ids, "logits": [[float(f"{x:.6g}") for x in row] for row in logits.tolist()]}
with open(os.path.join(here, "gguf.json"), "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
