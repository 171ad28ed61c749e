"""train.py TEACHER TEXT…: makes the model of this folder: a small BERT that learns from the sentences of some texts how
alike a teacher, all-MiniLM-L6-v2, finds them. Its vocabulary is the teacher's most frequent pieces in these texts, and
its embeddings begin as what the teacher makes of each piece alone, in fewer dimensions. It needs torch, transformers and tokenizers.

    python train.py …/minilm …/grimm_tales.txt …/tinyshakespeare.txt …/tinystories_val.txt
"""
import collections
import json
import os
import re
import sys
import time

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

here = os.path.dirname(os.path.abspath(__file__))
PIECES, DIM, HIDDEN, LAYERS, HEADS, POSITIONS, LENGTH = 1800, 64, 128, 2, 4, 64, 64
SENTENCES, STEPS, BATCH = 1500, 250, 64
torch.manual_seed(1)
torch.set_num_threads(1)

teacher_dir, texts = sys.argv[1], sys.argv[2:]
teacher = AutoModel.from_pretrained(teacher_dir, dtype=torch.float32).eval()
pieces = AutoTokenizer.from_pretrained(teacher_dir)

sentences = []
for path in texts:
    text = re.sub(r"\s+", " ", open(path, encoding="utf-8").read())
    found = [s.strip() for s in re.split(r"(?<=[.!?;:])[\"']? ", text)]
    sentences.append([s for s in found if 20 < len(s) < 140])
pick = torch.Generator().manual_seed(2)
sentences = [s[i] for s in sentences for i in torch.randperm(len(s), generator=pick)[:SENTENCES // len(texts)].tolist()]

# The vocabulary.
count = collections.Counter(t for s in sentences for t in pieces.tokenize(s))
special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
letters = [c for c in "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()-"]
start = special + letters + ["##" + c for c in letters if c.isalnum()]
known = pieces.get_vocab()
vocab = (start + [t for t, _ in count.most_common() if t not in start])[:PIECES]
vocab = [v for v in vocab if v in known]
tokenizer = Tokenizer(models.WordPiece({v: i for i, v in enumerate(vocab)}, unk_token="[UNK]", max_input_chars_per_word=100))
tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
tokenizer.decoder = decoders.WordPiece()
tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
tokenizer.add_special_tokens(special)

tokenizer.save(os.path.join(here, "tokenizer.json"))


@torch.inference_mode()
def teach():
    out = []
    for i in range(0, len(sentences), 50):
        b = pieces(sentences[i:i + 50], padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
        mask = b["attention_mask"][..., None].float()
        out.append((teacher(**b).last_hidden_state * mask).sum(1) / mask.sum(1))
        if i % 500 == 0:
            print("teacher", i, time.strftime("%H:%M:%S"), flush=True)
    return torch.nn.functional.normalize(torch.cat(out), dim=1)


config = BertConfig(
    vocab_size=len(vocab), hidden_size=DIM, intermediate_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
    max_position_embeddings=POSITIONS, type_vocab_size=1, pad_token_id=0, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
model = BertModel(config, add_pooling_layer=False)
with torch.no_grad():
    ids = torch.tensor([[known["[CLS]"], known[v], known["[SEP]"]] for v in vocab])
    e = torch.cat([teacher(input_ids=i).last_hidden_state.mean(1) for i in ids.split(100)])
    e = e - e.mean(0)
    u, s, v = torch.linalg.svd(e, full_matrices=False)
    e = e @ v[:DIM].T
    model.embeddings.word_embeddings.weight.copy_(e / e.std() * 0.5)

tokenizer.enable_truncation(LENGTH)
tokenizer.enable_padding(length=None)


def embed(batch):
    enc = tokenizer.encode_batch(batch)
    ids, mask = torch.tensor([x.ids for x in enc]), torch.tensor([x.attention_mask for x in enc])
    m = mask[..., None].float()
    h = model(input_ids=ids, attention_mask=mask).last_hidden_state
    return torch.nn.functional.normalize((h * m).sum(1) / m.sum(1), dim=1)


target = teach()
held = 200
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
order = torch.Generator().manual_seed(3)
shuffled = torch.randperm(len(sentences), generator=order).tolist()
train, test = shuffled[held:], shuffled[:held]
off = ~torch.eye(held, dtype=torch.bool)
for step in range(STEPS + 1):
    for g in optimizer.param_groups:
        g["lr"] = 2e-3 * min(1, step / 25, (STEPS - step) / (STEPS / 3) + 1e-3)
    if step % 25 == 0 or step == STEPS:
        with torch.inference_mode():
            e, t = embed([sentences[i] for i in test]), target[test]
            r = torch.corrcoef(torch.stack([(e @ e.T)[off], (t @ t.T)[off]]))[0, 1]
        print(f"step {step}: correlation of held-out similarities {r:.4f}", time.strftime("%H:%M:%S"), flush=True)
    i = [train[j] for j in torch.randint(len(train), (BATCH,), generator=order).tolist()]
    e, t = embed([sentences[j] for j in i]), target[i]
    loss = (((e @ e.T) - (t @ t.T)) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()

save_file({n: p.bfloat16().contiguous() for n, p in model.state_dict().items() if not n.endswith("_ids")}, os.path.join(here, "model.safetensors"))
config.architectures = ["BertModel"]
config.to_json_file(os.path.join(here, "config.json"))
files = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}],
    "sentence_bert_config.json": {"max_seq_length": LENGTH, "do_lower_case": False},
    "1_Pooling/config.json": {"word_embedding_dimension": DIM, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False},
}
os.makedirs(os.path.join(here, "1_Pooling"), exist_ok=True)
for name, content in files.items():
    with open(os.path.join(here, name), "w") as f:
        json.dump(content, f, indent=2)
        f.write("\n")
