"""make_tokenizers.py: writes tokenizers.json, the keys about tokenizers that llama.cpp's
converter writes for small ones, and what the originals do: the tokens of some texts,
and the parts of their tokenizer.json that cut a text.

The originals are made by transformers' classes, by SentencePiece, and for smollm, mpt
and dbrx from the tokenizer.json of such models. It needs transformers, tokenizers,
sentencepiece and gguf, and is run by hand.
"""

import io
import json
import os

import gguf
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import BertTokenizer, GPT2Tokenizer, Qwen2Tokenizer
from transformers.convert_slow_tokenizer import TikTokenConverter
from transformers.integrations.gguf.gguf_tokenizer_mapping import _GPT4O_SPLIT, _TEKKEN_SPLIT

HERE = os.path.dirname(os.path.abspath(__file__))
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = range(1, 7)

TRAINING = ["the cat that sat on the mat: it isn't there, they've said in 2024 and 1999",
            "THE HAT, THAT HAT!! won't ... e\u0301t\u00e9 \u00e9t\u00e9 \u4e2d\u6587 \u4e2d\u6587",
            "def f(x):\n    return x  +  1\n\n\nthere    is    more"] * 4
TEXTS = ["the cat sat on the mat", " The hat isn't there: they'VE said 1234567 in 2024.", "e\u0301t\u00e9 \u4e2d\u6587 \U0001f680\u200d!?",
         "a\n\n  b\r\n\tc   ", "", "   ", "x<|end|>y <tool> z", "Don't... THEY'LL/see\n", "\u0663\u0664 \u00bd \u01c5Ab aB"]


def gpt2_vocabulary():
    """A vocabulary of byte-pair encoding, of which the tokens behind are added."""
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(TRAINING, trainers.BpeTrainer(vocab_size=310, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    m = json.loads(t.to_str())["model"]
    return m["vocab"], [tuple(x) for x in m["merges"]]


def byte_level():
    vocab, merges = gpt2_vocabulary()
    n = len(vocab)
    added = [AddedToken("<|end|>", special=True, normalized=False), AddedToken("<tool>", special=False, normalized=False)]
    tokens = sorted(vocab, key=vocab.get) + ["<|end|>", "<tool>", f"[PAD{n + 2}]"]
    types = [NORMAL] * n + [CONTROL, USER, UNUSED]

    def steps(pre, normalizer=None, whole=False):
        t = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=whole))
        t.pre_tokenizer, t.decoder = pre, decoders.ByteLevel()
        if normalizer:
            t.normalizer = normalizer
        return t

    def like(cls):
        b = cls(vocab=vocab, merges=merges).backend_tokenizer
        return steps(b.pre_tokenizer, b.normalizer)

    def split(pattern):
        return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])

    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    llama3 = TikTokenConverter().pattern
    originals = {
        "gpt-2": like(GPT2Tokenizer),
        "qwen2": like(Qwen2Tokenizer),
        "smollm": steps(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level])),
        "mpt": steps(level, normalizers.NFC()),
        "llama-bpe": steps(split(llama3), whole=True),
        "dbrx": steps(split(llama3)),
        "gpt-4o": steps(split(_GPT4O_SPLIT)),
        "tekken": steps(split(_TEKKEN_SPLIT), whole=True),
    }
    cases = {}
    for pre, t in originals.items():
        t.add_tokens(added)
        assert t.token_to_id("<|end|>") == n and t.token_to_id("<tool>") == n + 1, pre
        cases[pre] = case(t)
    keys = {"model": "gpt2", "tokens": tokens, "token_type": types, "merges": [" ".join(m) for m in merges], "bos_token_id": n, "eos_token_id": n,
            "add_bos_token": False}
    return {"keys": keys, "cases": cases}


def case(t, ids=None):
    d = json.loads(t.to_str()) if t else {}
    return {"ids": ids or [t.encode(x, add_special_tokens=False).ids for x in TEXTS], "normalizer": d.get("normalizer"), "pre_tokenizer": d.get("pre_tokenizer")}


def piece_type(sp, i):
    return CONTROL if sp.is_control(i) else UNKNOWN if sp.is_unknown(i) else BYTE if sp.is_byte(i) else UNUSED if sp.is_unused(i) else NORMAL


def sentence_piece(prefix, symbols):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING), model_writer=model, model_type="bpe", vocab_size=330, byte_fallback=True, split_digits=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=prefix, allow_whitespace_only_pieces=True,
        user_defined_symbols=symbols, hard_vocab_limit=False, minloglevel=2)
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    n = sp.vocab_size()
    tokens, types = [sp.id_to_piece(i) for i in range(n)], [piece_type(sp, i) for i in range(n)]
    for s in symbols:  # as added tokens of tokenizer_config.json
        types[tokens.index(s)] = USER
        tokens[tokens.index(s)] = s.replace("\u2581", " ")
    keys = {"model": "llama", "pre": "default", "tokens": tokens, "token_type": types, "scores": [sp.get_score(i) for i in range(n)],
            "bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0, "add_bos_token": True}
    if not prefix:
        keys["add_space_prefix"] = False
    return {"keys": keys, "cases": {"default": case(None, [sp.encode(x) for x in TEXTS])}}


def word_piece():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "the", "cat", "##s", "sat", "on", "mat", "t", "##h", "##e", "is", "##n", "'", "!", "?", ",", "\u4e2d", "ete", "a", "b", "c", "1", "##2"]
    t = BertTokenizer(vocab={w: i for i, w in enumerate(words)}, do_lower_case=True)
    special = set(t.all_special_tokens)
    phantom = [w if w in special else w[2:] if w.startswith("##") else "\u2581" + w for w in words]
    keys = {"model": "bert", "pre": "jina-v2-en", "tokens": phantom, "token_type": [CONTROL if w in special else NORMAL for w in words],
            "unknown_token_id": 1, "cls_token_id": 2, "seperator_token_id": 3, "mask_token_id": 4, "padding_token_id": 0}
    b = t.backend_tokenizer
    c = case(b, [b.encode(x).ids for x in TEXTS])
    c["model"] = json.loads(b.to_str())["model"]
    return {"keys": keys, "cases": {"jina-v2-en": c}}


if __name__ == "__main__":
    out = {"texts": TEXTS, "tokenizers": {
        "gpt2": byte_level(), "llama": sentence_piece(True, []), "gemma": sentence_piece(False, ["\n\n", "\u2581\u2581", "\u2581\u2581\u2581\u2581"]), "bert": word_piece(),
    }}
    with open(HERE + "/tokenizers.json", "w") as f:
        json.dump(out, f, separators=(",", ":"))
        f.write("\n")
    print(os.path.getsize(HERE + "/tokenizers.json"))
