#!/usr/bin/env python3
"""Train a byte-level Llama-architecture language model on a CPU and export it.

    python3 train.py --data DIR --work DIR

DIR of --data holds tinystories_val.txt, grimm_tales.txt, tinyshakespeare.txt.
Checkpoints go to --work; model.safetensors, config.json and
testdata/reference.json go next to this script (--out).  Needs PyTorch (written
for 1.13) and NumPy.
"""
import argparse, json, math, os, re, struct, time
from concurrent.futures import ThreadPoolExecutor
import torch
import torch.nn as nn
import torch.nn.functional as F

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama",
    "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 3,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 32,
    "vocab_size": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "max_position_embeddings": 256, "tie_word_embeddings": True,
    "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
    "torch_dtype": "bfloat16", "bos_token_id": 0,
}
CTX = CONFIG["max_position_embeddings"]
FILES = ["tinystories_val.txt", "grimm_tales.txt", "tinyshakespeare.txt"]

# ---------------------------------------------------------------- data


def read_documents(path):
    """One file as a list of documents, each without its leading byte 0."""
    name = os.path.basename(path)
    with open(path, encoding="utf-8") as f:  # universal newlines: CRLF -> LF
        text = f.read()
    if name == "tinystories_val.txt":
        # Stories and paragraphs are both separated by one blank line, so a
        # story is taken to start at a paragraph with a story-opening phrase.
        opening = re.compile(
            r"Once upon a time|Once there|There once|Long ago|In a |"
            r"There (was|were) (once )?(a|an|two)\b|"
            r"One day, (there|a|an|two|some)\b")
        docs = []
        for par in re.split(r"\n\n+", text):
            par = par.strip()
            if not par:
                continue
            if opening.match(par) or not docs:
                docs.append(par)
            else:
                docs[-1] += "\n\n" + par
        return docs
    if name == "grimm_tales.txt":
        text = text.split("*** START OF", 1)[-1].split("*** END OF", 1)[0]
        text = text.split("Transcriber’s Notes", 1)[0]
        # Front matter ends at the last line that repeats the book's title.
        text = re.split(r"\nGRIMM’S FAIRY TALES\n", text)[-1]
        text = re.sub(r"\[Illustration[^\]]*\]", "", text)
        tales = re.split(r"\n{5,}", text)
        tales = [re.sub(r"\n{3,}", "\n\n", t).strip("\n") for t in tales]
        return [t for t in tales if t]
    return [text.strip("\n")]


def load_data(directory, held_out=0.05):
    """Training bytes, and the held-out bytes of each file."""
    train, val = b"", {}
    for name in FILES:
        docs = read_documents(os.path.join(directory, name))
        raw = b"".join(b"\0" + d.encode() + b"\n" for d in docs)
        # Hold out the last 5 %, from the last boundary at or before 95 %.
        cut = int(len(raw) * (1 - held_out))
        mark = b"\0" if len(docs) > 1 else b"\n\n"
        cut = raw.rfind(mark, 0, cut + 1)
        train += raw[:cut]
        val[name] = raw[cut:] if len(docs) > 1 else b"\0" + raw[cut + 2:]
        print(f"{name}: {len(docs)} documents, {cut} bytes to train on, "
              f"{len(val[name])} held out")
    as_tensor = lambda b: torch.tensor(list(b), dtype=torch.long)
    return as_tensor(train), {k: as_tensor(v) for k, v in val.items()}


def batch_at(data, step, batch, seed):
    """Batch number `step`: a function of the seed alone, so runs can resume.

    Each epoch cuts the training bytes into windows at a fresh random phase
    and visits them in a fresh random order.
    """
    per_epoch = (len(data) - 1 - CTX) // CTX // batch
    epoch, i = divmod(step, per_epoch)
    g = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    phase = torch.randint(CTX, (1,), generator=g)
    start = torch.randperm(per_epoch * batch, generator=g) * CTX + phase
    idx = start[i * batch:(i + 1) * batch, None] + torch.arange(CTX + 1)
    rows = data[idx]
    return rows[:, :-1], rows[:, 1:]

# ---------------------------------------------------------------- model
# Module names follow Hugging Face Llama, so state_dict() is the export.


class RMSNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        scale = torch.rsqrt(x.square().mean(-1, True) + CONFIG["rms_norm_eps"])
        return x * scale * self.weight


def linear(n_in, n_out):
    return nn.Linear(n_in, n_out, bias=False)


def rotate(x, cos, sin):
    """RoPE, Hugging Face convention: channel i is paired with i + head_dim/2."""
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


class Softmax(torch.autograd.Function):
    """softmax(-1); the backward of PyTorch 1.13 is several times slower."""

    @staticmethod
    def forward(ctx, x):
        y = x.softmax(-1)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        y, = ctx.saved_tensors
        g = grad * y
        return g.addcmul_(y, g.sum(-1, True), value=-1)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads, self.hd = (
            c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"])
        d = c["hidden_size"]
        self.q_proj = linear(d, self.heads * self.hd)
        self.k_proj = linear(d, self.kv_heads * self.hd)
        self.v_proj = linear(d, self.kv_heads * self.hd)
        self.o_proj = linear(self.heads * self.hd, d)

    def forward(self, x, cos, sin, mask):
        b, t, _ = x.shape
        split = lambda y: y.view(b, t, -1, self.hd).transpose(1, 2)
        q = rotate(split(self.q_proj(x)), cos, sin) * self.hd ** -0.5
        k = rotate(split(self.k_proj(x)), cos, sin)
        v = split(self.v_proj(x))
        # Query head h uses kv head h // group: fold the group into the rows.
        group = self.heads // self.kv_heads
        q = q.reshape(b, self.kv_heads, group * t, self.hd)
        att = (q @ k.transpose(2, 3)).view(b, self.kv_heads, group, t, t)
        att = Softmax.apply(att + mask).view(b, self.kv_heads, group * t, t)
        y = (att @ v).view(b, self.heads, t, self.hd)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, h = c["hidden_size"], c["intermediate_size"]
        self.gate_proj, self.up_proj = linear(d, h), linear(d, h)
        self.down_proj = linear(h, d)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self_attn, self.mlp = Attention(c), MLP(c)
        self.input_layernorm = RMSNorm(c["hidden_size"])
        self.post_attention_layernorm = RMSNorm(c["hidden_size"])

    def forward(self, x, *rope_mask):
        x = x + self.self_attn(self.input_layernorm(x), *rope_mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    def __init__(self, c=CONFIG):
        super().__init__()
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.model.layers = nn.ModuleList(
            Layer(c) for _ in range(c["num_hidden_layers"]))
        self.model.norm = RMSNorm(c["hidden_size"])
        half = torch.arange(0, c["head_dim"], 2).float() / c["head_dim"]
        angle = torch.outer(torch.arange(CTX).float(), c["rope_theta"] ** -half)
        self.cos = torch.cat((angle, angle), -1).cos()
        self.sin = torch.cat((angle, angle), -1).sin()
        self.mask = torch.full((CTX, CTX), -math.inf).triu(1)
        residual = 0.02 / math.sqrt(2 * c["num_hidden_layers"])
        for name, p in self.named_parameters():
            if p.dim() == 2:
                out = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(p, std=residual if out else 0.02)

    def forward(self, ids):
        t = ids.shape[1]
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            x = layer(x, self.cos[:t], self.sin[:t], self.mask[:t, :t])
        return F.linear(self.model.norm(x), self.model.embed_tokens.weight)


@torch.no_grad()
def evaluate(model, val):
    """(nats, bytes) per file: consecutive windows of CTX bytes, no overlap.

    Window i predicts bytes 256 i + 1 ... 256 i + 256 from those before them
    inside the window; every byte but the first is predicted exactly once.
    """
    result = {}
    for name, data in val.items():
        nats = 0.0
        for i in range(0, len(data) - 1, CTX * 16):
            for rows in _windows(data[i:i + CTX * 16 + 1]):
                logits = model(rows[:, :-1]).flatten(0, 1)
                nats += F.cross_entropy(
                    logits, rows[:, 1:].flatten(), reduction="sum").item()
        result[name] = (nats, len(data) - 1)
    return result


def _windows(data):
    """Full windows stacked as one batch, then the ragged rest, if any."""
    full = (len(data) - 1) // CTX
    if full:
        yield data[:full * CTX + 1].unfold(0, CTX + 1, CTX)
    if full * CTX < len(data) - 1:
        yield data[None, full * CTX:]


def mean_losses(result):
    out = {k: n / c for k, (n, c) in result.items()}
    out["overall"] = (sum(n for n, _ in result.values())
                      / sum(c for _, c in result.values()))
    return out

# ---------------------------------------------------------------- optimizer


@torch.no_grad()
def orthogonalize(g, steps=5):
    """Newton-Schulz iteration towards the nearest semi-orthogonal matrix."""
    x = g.T if g.shape[0] > g.shape[1] else g
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if g.shape[0] > g.shape[1] else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalized, for the 2-D hidden matrices."""

    def __init__(self, params, pool, lr, momentum=0.95, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, momentum=momentum,
                                      weight_decay=weight_decay))
        self.pool = pool

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            momenta = []
            for p in group["params"]:
                buf = self.state[p].setdefault("buf", torch.zeros_like(p))
                buf.lerp_(p.grad, 1 - group["momentum"])
                momenta.append(p.grad.lerp(buf, group["momentum"]))
            updates = self.pool.map(orthogonalize, momenta)
            for p, update in zip(group["params"], updates):
                scale = max(1, p.shape[0] / p.shape[1]) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update, alpha=-group["lr"] * scale)


def make_optimizers(model, pool, args):
    hidden = [p for n, p in model.named_parameters()
              if p.dim() == 2 and "embed" not in n]
    embed = [model.model.embed_tokens.weight]
    norms = [p for p in model.parameters() if p.dim() == 1]
    return [
        Muon(hidden, pool, lr=args.muon_lr, weight_decay=args.weight_decay),
        torch.optim.AdamW(
            [{"params": embed, "weight_decay": args.weight_decay},
             {"params": norms, "weight_decay": 0.0}],
            lr=args.adam_lr, betas=(0.9, 0.95), eps=1e-8),
    ]


def schedule(step, args):
    """Linear warm-up, constant, linear decay to zero."""
    return min(1.0, (step + 1) / args.warmup,
               (args.steps - step) / args.decay_steps)

# ---------------------------------------------------------------- train


def save_checkpoint(path, step, model, opts):
    state = {"step": step, "model": model.state_dict(),
             "opts": [o.state_dict() for o in opts]}
    torch.save(state, path + ".tmp")
    os.replace(path + ".tmp", path)


def train(model, data, val, args):
    # One single-threaded worker per core, each taking the next few windows of
    # the batch: faster on a CPU than threads inside every operation.  The
    # parts are summed in their order, so the result does not vary.
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(args.threads, initializer=torch.set_num_threads,
                              initargs=(1,))
    params = list(model.parameters())

    def part(x, y):
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        loss = loss * (len(x) / args.batch)
        return loss.item(), torch.autograd.grad(loss, params)

    opts = make_optimizers(model, pool, args)
    base = [[g["lr"] for g in o.param_groups] for o in opts]
    path = os.path.join(args.work, "checkpoint.pt")
    first = 0
    if args.resume:
        # An exact continuation.  --steps may differ from the first run's as
        # long as the decay is still ahead: the result is the same as if the
        # new number had been given from the start.
        state = torch.load(path)
        first = state["step"]
        model.load_state_dict(state["model"])
        for o, s in zip(opts, state["opts"]):
            o.load_state_dict(s)
    began, recent = time.time(), []
    for step in range(first, args.steps):
        for o, lrs in zip(opts, base):
            for group, lr in zip(o.param_groups, lrs):
                group["lr"] = lr * schedule(step, args)
        x, y = batch_at(data, step, args.batch, args.seed)
        loss = 0.0
        model.zero_grad(set_to_none=True)
        for l, grads in pool.map(part, x.split(args.micro), y.split(args.micro)):
            loss += l
            for p, g in zip(params, grads):
                p.grad = g if p.grad is None else p.grad.add_(g)
        nn.utils.clip_grad_norm_(model.parameters(), args.clip)
        for o in opts:
            o.step()
        recent = (recent + [loss])[-100:]
        done = step + 1
        if done % 20 == 0:
            seconds = time.time() - began
            print(f"step {done} loss {sum(recent) / len(recent):.4f} "
                  f"lr {schedule(step, args):.3f} {seconds:.0f} s "
                  f"{(done - first) * args.batch * CTX / seconds:.0f} byte/s",
                  flush=True)
        if done % args.save_every == 0 or done == args.steps:
            save_checkpoint(path, done, model, opts)
        if done % args.eval_every == 0:
            losses = mean_losses(evaluate(model, val))
            print("val", {k: round(v, 4) for k, v in losses.items()}, flush=True)
    torch.set_num_threads(args.threads)
    if recent:
        print(f"train loss, mean of the last {len(recent)} steps: "
              f"{sum(recent) / len(recent):.4f}")

# ---------------------------------------------------------------- export


def write_safetensors(path, tensors):
    """bfloat16 safetensors: header length, JSON header, data in name order."""
    header, blobs, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name in sorted(tensors):
        t = tensors[name].to(torch.bfloat16).contiguous()  # nearest even
        blob = t.view(torch.int16).numpy().astype("<i2").tobytes()
        header[name] = {"dtype": "BF16", "shape": list(t.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


@torch.no_grad()
def generate(model, prompt, count, temperature=0.0, seed=0):
    """Continuation bytes and the smallest top-two logit gap on the way.

    Past 256 bytes the model sees the last 256, renumbered from position 0.
    """
    g = torch.Generator().manual_seed(seed)
    ids, margin = list(prompt), math.inf
    for _ in range(count):
        logits = model(torch.tensor([ids[-CTX:]]))[0, -1]
        if temperature > 0:
            p = (logits / temperature).softmax(-1)
            ids.append(torch.multinomial(p, 1, generator=g).item())
        else:
            top = logits.topk(2).values
            margin = min(margin, (top[0] - top[1]).item())
            ids.append(logits.argmax().item())
    return bytes(ids[len(prompt):]), margin


def write_reference(model, path):
    """Numbers for checking another implementation against this one."""
    prompt = b"\0Once upon a time, there was a little girl who lived in a forest"
    assert len(prompt) == 64
    ids = torch.tensor([list(prompt)])
    with torch.no_grad():
        logits = model(ids)[0]
    nll = F.cross_entropy(logits[:-1], ids[0, 1:]).item()
    ref = {
        "comment": "bfloat16 weights, float32 arithmetic; mean_nll is over "
                   "the 63 bytes after the first, in nats; greedy lists are "
                   "byte values; min_margin is the smallest gap between the "
                   "two highest logits along the greedy path",
        "prompt": list(prompt), "mean_nll": nll, "last_logits": logits[-1].tolist(),
    }
    # 64 + 192 fills the context; the short prompt leaves room for 200.
    for key, text, n in [("greedy", prompt, 192),
                         ("greedy_short", b"\0Once upon a time", 200)]:
        out, margin = generate(model, text, n)
        ref[key] = {"prompt": list(text), "bytes": list(out), "min_margin": margin}
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(ref, f)
        f.write("\n")


def export(model, val, args):
    write_safetensors(os.path.join(args.out, "model.safetensors"), model.state_dict())
    with open(os.path.join(args.out, "config.json"), "w") as f:
        json.dump(CONFIG, f, indent=2)
        f.write("\n")
    exact = mean_losses(evaluate(model, val))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.to(torch.bfloat16).float())
    rounded = mean_losses(evaluate(model, val))
    for name in exact:
        print(f"val {name}: float32 {exact[name]:.5f}, bfloat16 {rounded[name]:.5f}")
    write_reference(model, os.path.join(args.out, "testdata", "reference.json"))
    print("sample:", generate(model, b"\0", 400, 0.8, args.seed)[0])
    print("greedy:", generate(model, b"\0Once upon a time", 200)[0])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data", required=True, help="directory of the text files")
    p.add_argument("--work", default=".", help="directory for checkpoints")
    p.add_argument("--out", default=os.path.dirname(os.path.abspath(__file__)))
    p.add_argument("--steps", type=int, default=2900)
    p.add_argument("--decay-steps", type=int, default=1000)
    p.add_argument("--warmup", type=int, default=50)
    p.add_argument("--batch", type=int, default=16, help="windows of 256 bytes")
    p.add_argument("--micro", type=int, default=2, help="windows at a time")
    p.add_argument("--muon-lr", type=float, default=0.02)
    p.add_argument("--adam-lr", type=float, default=0.003)
    p.add_argument("--weight-decay", type=float, default=0.1)
    p.add_argument("--clip", type=float, default=1.0)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--save-every", type=int, default=100)
    p.add_argument("--eval-every", type=int, default=800)
    p.add_argument("--resume", action="store_true",
                   help="continue from the checkpoint in --work")
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    data, val = load_data(args.data)
    model = Llama()
    print(f"{sum(p.numel() for p in model.parameters())} parameters, "
          f"{len(data)} training bytes, {args}")
    train(model, data, val, args)
    export(model, val, args)


if __name__ == "__main__":
    main()
