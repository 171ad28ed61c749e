"""matrices.py PEERS [ROUNDS [cache|batches|memory]]: products of matrices and vectors of this module and of ggml
in turns, one thread but where two are named, as tables of Markdown: billions of products a
second of ours, and how many times that is what ggml makes of the type of the same bits,
plain or repacked, whichever is faster. PEERS is what build made. Nothing else should run
meanwhile.

It works in the root folder of the repository, and needs Go.
"""

import pathlib
import re
import statistics
import subprocess
import sys

peers = pathlib.Path(sys.argv[1]).resolve()
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
only = sys.argv[3] if len(sys.argv) > 3 else None

# ggml's type for ours. Its K types have rows of a multiple of 256 columns; for others
# the second is taken.
TYPES = {
    ("bitmod4", 128): ("q4_0",), ("bitmod4", 64): ("q4_0",), ("bitmod4", 32): ("q4_0",),
    ("bitmod3", 128): ("q3_K", "q4_0"), ("bitmod3", 64): ("q3_K", "q4_0"), ("bitmod3", 32): ("q3_K", "q4_0"),
    ("nf4", 64): ("iq4_nl",), ("mxfp4", 32): ("mxfp4",), ("nvfp4", 16): ("mxfp4",),
    ("int8", 128): ("q8_0",), ("int8", 32): ("q8_0",), ("int6", 128): ("q6_K", "q8_0"),
}
WIDTHS = [384, 576, 768, 896, 960, 1536, 2048, 2880, 4096, 4864, 8960]
BATCHES = [2, 4, 8, 16, 32, 128, 512]


def theirs(types, cols):
    return next(t for t in types if not t.endswith("_K") or cols % 256 == 0)


def rows_of(cols):  # as BenchmarkWidths has them
    return max(64, 300_000 // cols // 64 * 64)


def run(*command, text=""):
    return subprocess.run([str(word) for word in command], input=text, check=True, capture_output=True, text=True, cwd="kernel").stdout


def bench(pattern, unit, duration):
    out = run(peers / "kernel.test", "-test.run", "^$", "-test.bench", pattern, "-test.benchtime", duration)
    # Of several implementations the last is the best.
    found = re.findall(rf"^Benchmark(\S+?)(?:/impl=\w+)?(?:-\d+)?\s.*?([\d.e+]+) {re.escape(unit)}", out, re.M)
    return {name: float(rate) / 1e9 for name, rate in found}


def contest(part, title, head, cases, pattern, unit, duration):
    """Cases are (row, column, name of our benchmark, line for ggml)."""
    if only not in (None, part):
        return
    lines = "\n".join(dict.fromkeys(line for *_, line in cases))
    ours, others = {}, {}
    for _ in range(rounds):
        for name, rate in bench(pattern, unit, duration).items():
            ours.setdefault(name, []).append(rate)
        for line in run(peers / "matrices", text=lines).splitlines():
            *case, plain, repacked = line.split()
            others.setdefault(" ".join(case), []).append(max(float(plain), float(repacked)))
    print(f"| {title} | " + " | ".join(str(h) for h in head) + " |")
    print("|---|" + "---|" * len(head))
    for row in dict.fromkeys(row for row, *_ in cases):
        cells = []
        for of, _, name, line in cases:
            if of == row:
                ratio = statistics.median(a / b for a, b in zip(ours[name], others[line]))
                cells.append(f"{statistics.median(ours[name]):.3g}, **{ratio:.2f}**")
        print(f"| {row} | " + " | ".join(cells) + " |", flush=True)
    print()


subprocess.run(["go", "test", "-c", "-o", peers / "kernel.test", "./kernel"], check=True)
label = "`{}`, {}".format
contest("cache", "from the cache, by columns", WIDTHS, [
    (label(*t), cols, f"Widths/type={t[0]}/group={t[1]}/x=int8/cols={cols}", f"{theirs(g, cols)} {rows_of(cols)} {cols} 1 1 0")
    for t, g in TYPES.items() for cols in WIDTHS], "Widths/type=/group=/x=int8", "weights/s", "30ms")
contest("batches", "batches of 1024 rows", BATCHES, [
    (label(*t) + f", {cols} columns", n, f"Batches/type={t[0]}/group={t[1]}/cols={cols}/x=int8/batch={n}", f"{theirs(g, cols)} 1024 {cols} {n} 1 0")
    for t, g in TYPES.items() for cols in (576, 4096) for n in BATCHES], "Batches/type=/group=/cols=/x=int8", "products/s", "30ms")
contest("memory", "from memory, by threads", [1, 2], [
    (f"`{t}`, against {g}", n, f"GEMV/type={t}/group=128/shape=4096x4096/memory=dram/x=int8/threads={n}", f"{g} 4096 4096 1 {n} 1024")
    for t, g in (("bitmod4", "q4_0"), ("bitmod4", "q4_K"), ("bitmod3", "q3_K")) for n in (1, 2)],
    "GEMV/type=bitmod[34]/group=128/shape=4096x4096/memory=dram/x=int8", "weights/s", "300ms")
