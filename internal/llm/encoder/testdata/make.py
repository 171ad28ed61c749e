"""make.py: makes a small random model of each family with transformers (5.24) and torch: FAMILY/ is a Hugging Face
directory, and FAMILY/expected.json has, for some texts, their tokens, what the last layer gives for each of them, and
the mean, the first and the greatest of these.

It is run by hand: python make.py [FAMILY …]
"""
import json
import os
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel

here = os.path.dirname(os.path.abspath(__file__))
VOCAB, POSITIONS = 50, 40
BERT = dict(
    hidden_size=16, intermediate_size=28, num_hidden_layers=2, num_attention_heads=2, vocab_size=VOCAB,
    max_position_embeddings=POSITIONS, type_vocab_size=2, layer_norm_eps=1e-3, pad_token_id=0)
ROBERTA = dict(BERT, pad_token_id=1, type_vocab_size=1, bos_token_id=0, eos_token_id=2)
FAMILIES = {
    "bert": ("bert", dict(BERT)),
    "bert-tanh": ("bert", dict(BERT, hidden_act="gelu_new", num_attention_heads=4, add_pooling_layer=False)),
    "roberta": ("roberta", ROBERTA),
    "xlm-roberta": ("xlm-roberta", dict(ROBERTA, hidden_act="relu")),
    "roberta-prelayernorm": ("roberta-prelayernorm", ROBERTA),
    "electra": ("electra", dict(BERT, embedding_size=12, hidden_act="silu")),
    "distilbert": ("distilbert", dict(
        dim=16, hidden_dim=28, n_layers=2, n_heads=2, vocab_size=VOCAB, max_position_embeddings=POSITIONS, pad_token_id=0)),
    "mpnet": ("mpnet", dict(
        {k: v for k, v in BERT.items() if k != "type_vocab_size"}, pad_token_id=1, bos_token_id=0, eos_token_id=2, max_position_embeddings=200)),
}

for name in sys.argv[1:] or FAMILIES:
    kind, keys = FAMILIES[name]
    pooler = keys.pop("add_pooling_layer", None)
    torch.manual_seed(len(name))
    config = AutoConfig.for_model(kind, **keys)
    config._attn_implementation = "eager"
    model = AutoModel.from_config(config, **({} if pooler is None else {"add_pooling_layer": pooler})).eval()
    with torch.no_grad():
        for n, p in model.named_parameters():
            if "norm" in n.lower():
                p.copy_(torch.randn(p.shape) / 5 + (0 if n.endswith("bias") else 1))
            elif n.endswith("bias"):
                p.copy_(torch.randn(p.shape) / 5)
            elif "embeddings" in n:
                p.copy_(torch.randn(p.shape))
            else:
                p.copy_(torch.randn(p.shape) * 1.5 / p.shape[-1] ** 0.5)
    directory = os.path.join(here, name)
    os.makedirs(directory, exist_ok=True)
    save_file({n: t.contiguous() for n, t in model.state_dict().items()}, os.path.join(directory, "model.safetensors"))
    config.architectures = [type(model).__name__]
    config.to_json_file(os.path.join(directory, "config.json"))

    texts = [[2], [2, 7, 9, 4, 3], [2] + [(i * 37 + 11) % VOCAB for i in range(31)] + [3]]
    if "hidden_size" in keys and keys["max_position_embeddings"] > POSITIONS:
        texts.append([2] + [(i * 17 + 5) % VOCAB for i in range(180)] + [3])
    expected = []
    for ids in texts:
        with torch.inference_mode():
            hidden = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long)).last_hidden_state[0]
        numbers = lambda t: [float(f"{v:.7g}") for v in t.flatten().tolist()]
        expected.append({
            "ids": ids, "hidden": numbers(hidden if len(ids) < 100 else hidden[::30]), "step": 1 if len(ids) < 100 else 30,
            "mean": numbers(hidden.mean(0)), "cls": numbers(hidden[0]), "max": numbers(hidden.max(0).values)})
    with open(os.path.join(directory, "expected.json"), "w") as f:
        json.dump(expected, f)
        f.write("\n")
