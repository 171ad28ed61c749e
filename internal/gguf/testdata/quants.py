"""Writes quants.gguf, blocks of every type that this package reads, and
quants.json, what the Python package gguf makes of them:

    pip install gguf==0.19.0 numpy
    python quants.py

Each tensor is of one type and has one block a row. quants.json has the
beginning of the SHA-256 of each row's float32 values, with 7fc00000 for every
NaN: which bits a NaN gets when a 16-bit float is converted depends on the
processor. The first values are there to be looked at, up to the first that is
not finite.
"""

import hashlib
import importlib.metadata
import itertools
import json
import pathlib

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGUFReader, GGUFWriter, quants
from gguf.constants import GGML_QUANT_SIZES

assert importlib.metadata.version("gguf") == "0.19.0"

rng = np.random.default_rng(1)
here = pathlib.Path(__file__).parent

# Where the 16-bit floats of a block are.
SCALES = {
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
    T.IQ4_NL: [0], T.IQ4_XS: [0],
}

# Zeros, subnormals, the least normal, ones, the greatest, infinities, NaN.
SPECIAL = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00, 0x7D01]
ONE = 0x3C00


def put(block, at, half):
    block[at : at + 2] = np.array([half], "<u2").view(np.uint8)


def finite():
    return int(np.array([rng.normal() / 10], "<f2").view(np.uint16)[0])


def blocks(t):
    """Blocks of the type: every kind of scale with any codes, and every code."""
    size = GGML_QUANT_SIZES[t][1]
    fields = SCALES[t]
    made = []

    def add(body, *halves):
        for at, half in zip(fields, halves):
            put(body, at, half)
        made.append(body)

    def random():
        return rng.integers(0, 256, size, dtype=np.uint8)

    add(np.arange(size, dtype=np.uint8) * 17 + 49, *[ONE] * len(fields))
    for value in 0, 255, 0x0F, 0xF0:
        add(np.full(size, value, np.uint8), *[ONE] * len(fields))
    for s in SPECIAL:
        add(random(), *[s] * len(fields))
    if len(fields) == 2:
        for s in SPECIAL:
            add(random(), s, finite())
            add(random(), finite(), s)
    for _ in range(12):
        add(random(), *[finite() for _ in fields])
    return np.stack(made)


def mxfp4():
    """Every exponent, with any codes."""
    b = rng.integers(0, 256, (256, 17), dtype=np.uint8)
    b[:, 0] = np.arange(256)
    return b


def floats(dtype, bits, special):
    """8 rows of 32 floats: any, but for the special ones from the ninth on."""
    values = rng.integers(0, 1 << bits, 32 * 8, dtype=np.uint64).astype(f"<u{bits // 8}")
    values[8 : 8 + len(special)] = special
    return values.view(dtype).reshape(8, -1)


w = GGUFWriter(here / "quants.gguf", "none")
for t in SCALES:
    w.add_tensor(t.name, blocks(t), raw_dtype=t)
w.add_tensor("MXFP4", mxfp4(), raw_dtype=T.MXFP4)
w.add_tensor("F16", floats("<f2", 16, SPECIAL))
w.add_tensor("BF16", floats("u1", 16, SPECIAL + [0x7F80, 0xFF80, 0x7FC0, 0x007F, 0x807F]), raw_dtype=T.BF16)
w.add_tensor("F32", floats("<f4", 32, [0, 1 << 31, 1, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F7FFFFF]))
# Float64 that round to float32: ties, subnormals, beyond the range.
f64 = rng.normal(size=256) * 2.0 ** rng.integers(-160, 140, 256)
f64[8:16] = [1 + 2**-24, 1 + 3 * 2**-24, 2.0**-149, 2.0**-150, 3 * 2.0**-150, 3.5e38, -np.inf, np.nan]
w.add_tensor("F64", f64.reshape(8, 32))
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()

sums = {}
for tensor in GGUFReader(here / "quants.gguf").tensors:
    with np.errstate(all="ignore"):
        if tensor.tensor_type == T.F64:
            rows = tensor.data.astype(np.float32)
        else:
            rows = quants.dequantize(tensor.data, tensor.tensor_type)
    rows = rows.reshape(tensor.shape[::-1]).astype("<f4")
    bits = rows.view("<u4").copy()
    bits[np.isnan(rows)] = 0x7FC00000
    sums[tensor.name] = {
        "first": [float(x) for x in itertools.takewhile(np.isfinite, rows[0, :8])],
        "rows": [hashlib.sha256(row.tobytes()).hexdigest()[:16] for row in bits],
    }
with open(here / "quants.json", "w") as f:
    f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sums.items()) + "\n}\n")
