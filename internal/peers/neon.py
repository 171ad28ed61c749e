"""Estimates of how fast loops for NEON are, by llvm-mca.

neon.py [LLAMA_CPP] prints the tables of docs/speed.md: cycles that llvm-mca reckons for
inner loops as they are in the compiled programs, from the cache, of Go's assembly, of
portable Go, and, with LLAMA_CPP, the source of llama.cpp, of ggml. It needs Go,
llvm-mca, which MCA may name, and GNU's binutils, and gcc and g++ for ggml, for
aarch64-linux-gnu. These are estimates from models of processors, not measurements.
"""

import functools
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

MCA = os.environ.get("MCA", "llvm-mca-19")
CPUS = ["apple-m1", "neoverse-n1", "neoverse-v1"]
ROOT = Path(__file__).parents[2]


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


@functools.cache
def functions(program):
    """The instructions of all functions, with their addresses."""
    all, now = {}, None
    for line in run("aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", program).splitlines():
        if m := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            now = []
            if m[1].endswith(".abi0"):  # and not what Go calls it by
                all[m[1].removesuffix(".abi0")] = now
            else:
                all.setdefault(m[1], now)
        elif m := re.match(r"\s*([0-9a-f]+):\s+(.*?)(\s*//.*)?$", line):
            now.append((int(m[1], 16), m[2].strip()))
    return all


BRANCH = re.compile(r"((?:b\.\w+|b|bl|cbn?z|tbn?z)\s+(?:.*,\s*)?)([0-9a-f]+) <(.*?)(?:\+0x[0-9a-f]+)?>$")


def body(program, name):
    found = [f for n, f in functions(program).items() if re.search(r"(^|[./])" + re.escape(name) + "$", n)]
    if len(found) != 1:
        sys.exit(f"{name}: {len(found)} functions")
    return found[0]


def loop(program, name, which=0, taken=(), call=None):
    """The instructions of an inner loop, as they are run.

    Branches within it whose names are in taken are taken, and others are not; call
    is the function that is called.
    """
    code = body(program, name)
    at = {address: i for i, (address, _) in enumerate(code)}
    spans = []
    for i, (_, text) in enumerate(code):
        m = BRANCH.match(text)
        if m and not text.startswith("bl") and at.get(int(m[2], 16), i + 1) <= i:
            spans.append((at[int(m[2], 16)], i))
    inner = [s for s in spans if not any(s != t and s[0] <= t[0] and t[1] <= s[1] for t in spans)]
    i, last = inner[which]
    lines = []
    while i <= last:
        text = code[i][1]
        m = BRANCH.match(text)
        if not m:
            lines.append(text)
        elif text.startswith("bl"):
            lines += ["b loop"] + [t for _, t in body(program, call)[:-1]]
        else:
            lines.append(m[1] + "loop")
            to = at.get(int(m[2], 16))
            if text.split()[0] in taken and to is not None and i < to <= last:
                i = to
                continue
        i += 1
    return lines


def straight(program, name, which=0):
    """The instructions of a loop around others that come before the first of them."""
    code = body(program, name)
    at = {address: i for i, (address, _) in enumerate(code)}
    spans = []
    for i, (_, text) in enumerate(code):
        m = BRANCH.match(text)
        if m and at.get(int(m[2], 16), i + 1) <= i:
            spans.append((at[int(m[2], 16)], i))
    outer = max(spans, key=lambda s: s[1] - s[0])
    first = min(s[0] for s in spans if s != outer and outer[0] <= s[0])
    return [t for _, t in code[outer[0] : first] if not BRANCH.match(t)]


@functools.cache
def cycles(lines, cpu):
    turns = 400
    out = run(
        MCA, "-mtriple=aarch64", "-mcpu=" + cpu, "-mattr=+dotprod", f"-iterations={turns}",
        input="loop:\n" + "\n".join(lines) + "\n",
    )
    return int(re.search(r"Total Cycles:\s+(\d+)", out)[1]) / turns


def rate(cpu, parts):
    """Weights a cycle, of (loop, its weights)."""
    return 1 / sum(cycles(tuple(lines), cpu) / n for lines, n in parts)


def build(package, to):
    run("go", "test", "-c", "-o", to, package, cwd=ROOT, env=os.environ | {"GOARCH": "arm64", "GOOS": "linux", "CGO_ENABLED": "0"})
    return to


def ggml(source, to, march):
    base = Path(source) / "ggml"
    flags = ["-O3", "-march=" + march, "-D_GNU_SOURCE", "-DNDEBUG"]
    flags += [f"-I{base / d}" for d in ("include", "src", "src/ggml-cpu")]
    arm = base / "src/ggml-cpu/arch/arm"
    quants, repack = f"{to}/quants-{march}.o", f"{to}/repack-{march}.o"
    run("aarch64-linux-gnu-gcc", *flags, "-c", arm / "quants.c", "-o", quants)
    run("aarch64-linux-gnu-g++", "-std=c++17", *flags, "-c", arm / "repack.cpp", "-o", repack)
    return quants, repack


def table(head, rows):
    print("| " + " | ".join([head] + CPUS) + " |")
    print("|---" * (1 + len(CPUS)) + "|")
    for name, cells in rows:
        print("| " + " | ".join([name] + cells) + " |")
    print()


def rates(parts):
    return [f"{rate(c, parts):.3g}" for c in CPUS]


def versus(parts, other):
    return [f"{rate(c, parts):.3g}, {rate(c, other):.2g} ({rate(c, parts) / rate(c, other):.1f} ×)" for c in CPUS]


def multiplying(kernel, source, to):
    ours = {
        f"`bitmod{bits}`, {name}": [(loop(kernel, f"addBlocks{bits}{suffix}"), 512)]
        for bits in (4, 3)
        for name, suffix in (("dot product", "Dot"), ("NEON alone", "NEON"))
    }
    panel = [(loop(kernel, "dotsOne1NEONDot"), 256)]
    ours["4 bits by panels, dot product"] = [(loop(kernel, "panelTable4x1NEON", 3), 128)] + panel
    ours["8 bits by panels, dot product"] = [(loop(kernel, "panelSum8NEON", 3), 64)] + panel
    rows = [(name, rates(parts)) for name, parts in ours.items()]
    if source:
        for name, march in (("dot product", "armv8.2-a+dotprod"), ("NEON alone", "armv8-a")):
            quants, repack = ggml(source, to, march)
            theirs = {"`Q4_0`": [(loop(quants, "ggml_vec_dot_q4_0_q8_0"), 64)]}
            theirs["`Q3_K`"] = [(loop(quants, "ggml_vec_dot_q3_K_q8_K"), 128)]
            theirs["`Q8_0`"] = [(loop(quants, "ggml_vec_dot_q8_0_q8_0"), 64)]
            if "dotprod" in march:
                theirs["`Q4_0` repacked"] = [(loop(repack, "ggml_gemv_q4_0_4x4_q8_0"), 128)]
            for t, parts in theirs.items():
                rows.append((f"ggml's {t}, {name}", rates(parts)))
    table("weights a cycle", rows)


def quantizing(programs):
    group, pack, quant, floats = (programs[p] for p in ("group", "internal/pack", "quant", "internal/loops/floats"))
    size = 128

    def steps(name, classes, codebooks):
        return (
            [(loop(group, "maxNEON"), 16), (loop(group, "lookupNEON"), 64)]
            + classes * [(straight(group, name), size), (loop(group, name), 16)]
            + codebooks * [(loop(group, "errorsNEON", 1), 16)]
        )

    def scalar(classes, codebooks):
        # The check and the widening of weights, and the look-up of codes, are left out.
        classify = [(loop(group, "(*class).classify", 1, taken=["b.cc"]), 1)]
        return classes * classify + codebooks * [(loop(group, "(*class).errors", 1), 2)]

    fma = (loop(floats, "multiplyGeneric", 2, call="floats.FMA"), 1)
    rows = [
        ("`bitmod4`: scale, special value, codes", versus(steps("stepsNEON", 2, 4), scalar(2, 4))),
        ("`nf4`: scale, codes", versus(steps("stepsNEON", 1, 0), scalar(1, 0))),
        ("`Hessian.Add`, products", versus([(loop(quant, "gramNEON"), 32)], [(loop(quant, "(*Hessian).addPlain", 1), 4)])),
        ("elimination, products", versus([(loop(quant, "reduceNEON"), 32)], [(loop(quant, "takeOne"), 1)])),
        ("matrices of float32, products", versus([(loop(floats, "multiply6x1NEON"), 96)], [fma])),
    ]
    table("a cycle: NEON, portable Go", rows)
    rows = [
        (name, rates([(loop(p, f, which), n)]))
        for name, p, f, which, n in (
            ("packing 4 bits", pack, "pack4NEON", 0, 32),
            ("packing 3 bits", pack, "pack3NEON", 0, 128),
            ("rounding to integers", group, "roundNEON", 0, 16),
            ("float16 to float32", group, "widenF16NEON", 0, 16),
            ("exponentials of a softmax, and their sum", floats, "softmaxNEON", 1, 16),
            ("GELU of a sum", floats, "geluNEON", 0, 16),
            ("SiLU and a product", floats, "siluGateNEON", 0, 16),
        )
    ]
    table("elements a cycle: NEON", rows)


def main():
    source = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as to:
        packages = ["kernel", "group", "quant", "internal/pack", "internal/loops/floats"]
        programs = {p: build("./" + p, f"{to}/{p.replace('/', '-')}.test") for p in packages}
        print(run(MCA, "--version").split("LLVM version ")[1].split()[0], "\n")
        multiplying(programs["kernel"], source, to)
        quantizing(programs)


main()
