"""compare.py PEERS MODELS [ROUNDS]: tokens a second of this module and of llama.cpp in
turns, as a table of Markdown. PEERS is what build made, and MODELS what
internal/models/get brings; models that are missing are made in PEERS, which takes 7 GB.
All matrices are packed, embedding and output head too. A prompt has 512 tokens, and 48
are generated from an empty cache. Nothing else should run meanwhile.

It works in the root folder of the repository, and needs Go and the PyPI packages numpy
and gguf.
"""

import json
import pathlib
import shutil
import statistics
import subprocess
import sys

PROMPT, NEW = 512, 48
# Types of llama.cpp by their numbers in llama_ftype. Q4_0 is taken for all matrices.
# Q3_K_M can't be: it wants rows of a multiple of 256 columns, and takes larger types for
# others, as for some of each layer.
Q4_0, Q3_K_M = ("Q4_0", "2", "1"), ("Q3_K_M", "12", "0")

peers, models = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def made(name, make):
    path, partial = peers / name, peers / f"partial-{name}"
    if not path.exists():
        if partial.is_dir():
            shutil.rmtree(partial)
        make(partial)
        partial.rename(path)
    return path


def pack(source, name, kind):
    return made(f"{name}-{kind}", lambda to: run(
        peers / "quantize", "-in", source, "-out", to, "-type", kind, "-embeddings", kind, "-head", kind))


def quantize(source, name, kind):
    label, number, pure = kind
    return made(f"{name}-{label}.gguf", lambda to: run(peers / "bench", "quantize", source, to, number, pure))


def ours(path, threads):
    def measure(prompt, new):
        out = run(peers / "llama", "-speed", "-json", "-model", path, "-rounds", 3, "-promptlen", prompt,
                  "-n", new, "-threads", threads, "-temperature", 0)
        return json.loads(out)[0]
    return measure(PROMPT, 2)["Prompt"], measure(2, NEW + 1)["Generate"]


def theirs(path, threads):
    return tuple(map(float, run(peers / "bench", "speed", path, threads, PROMPT, NEW).split()))


def size(path):
    return sum(p.stat().st_size for p in (path.glob("*.safetensors") if path.is_dir() else [path])) / 1e6


for program in ("llama", "quantize"):
    run("go", "build", "-o", peers / program, f"./examples/{program}")
smollm2 = made("smollm2-F32.gguf", lambda to: run(
    sys.executable, "internal/models/f32.py", models / "smollm2.gguf", to))
llama = made("llama-F16.gguf", lambda to: run(sys.executable, "internal/peers/shapes.py", to))
contests = []
for label, name, source in (("SmolLM2-135M", "smollm2", smollm2), ("shapes of Llama-3.2-1B", "llama", llama)):
    for kind, other in (("bitmod4", Q4_0), ("bitmod3", Q3_K_M)):
        contests.append((label, kind, pack(source, name, kind), other[0], quantize(source, name, other)))

print("| model | threads | types | MB | prompt, tokens/s | ratio | generating, tokens/s | ratio |")
print("|---|---|---|---|---|---|---|---|")
for label, kind, path, other, file in contests:
    for threads in (1, 2):
        turns = [(ours(path, threads), theirs(file, threads)) for _ in range(rounds)]
        cells = []
        for i in range(2):
            mine, his = (statistics.median(turn[who][i] for turn in turns) for who in range(2))
            ratio = statistics.median(turn[0][i] / turn[1][i] for turn in turns)
            cells += [f"{mine:.4g}, {his:.4g}", f"**{ratio:.2f}**"]
        print(f"| {label} | {threads} | `{kind}`, `{other}` | {size(path):.0f}, {size(file):.0f} | " + " | ".join(cells) + " |",
              flush=True)
