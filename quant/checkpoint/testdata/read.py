#!/usr/bin/env python3
"""Reads a quantized checkpoint as FORMAT.md describes it, with nothing but
Python's standard library, and prints for every tensor its name, its shape and
the SHA-256 of its float32 values (quantized) or bytes (others).

usage: read.py FILE-OR-DIRECTORY
"""

import array
import hashlib
import json
import os
import struct
import sys

TABLE = """\
bitmod4 4 row-step
    0 0.5 1 1.5 2 3 4 6 5 -0.5 -1 -1.5 -2 -3 -4 -6
    0 0.5 1 1.5 2 3 4 6 -5 -0.5 -1 -1.5 -2 -3 -4 -6
    0 0.5 1 1.5 2 3 4 6 8 -0.5 -1 -1.5 -2 -3 -4 -6
    0 0.5 1 1.5 2 3 4 6 -8 -0.5 -1 -1.5 -2 -3 -4 -6
bitmod3 3 row-step
    0 1 2 4 3 -1 -2 -4
    0 1 2 4 -3 -1 -2 -4
    0 1 2 4 6 -1 -2 -4
    0 1 2 4 -6 -1 -2 -4
int2 2 row-step code-1
int3 3 row-step code-3
int4 4 row-step code-7
int5 5 row-step code-15
int6 6 row-step code-31
int7 7 row-step code-63
int8 8 row-step code-127
int2_asym 2 row-step code-selector
int3_asym 3 row-step code-selector
int4_asym 4 row-step code-selector
int5_asym 5 row-step code-selector
int6_asym 6 row-step code-selector
int7_asym 7 row-step code-selector
int8_asym 8 row-step code-selector
fp3 3 row-step
    0 1 2 4 0 -1 -2 -4
fp4 4 row-step
    0 0.5 1 1.5 2 3 4 6 0 -0.5 -1 -1.5 -2 -3 -4 -6
fp5_e2m2 5 row-step
    0 0.25 0.5 0.75 1 1.25 1.5 1.75 2 2.5 3 3.5 4 5 6 7 0 -0.25 -0.5 -0.75 -1 -1.25 -1.5 -1.75 -2 -2.5 -3 -3.5 -4 -5 -6 -7
fp5_e3m1 5 row-step
    0 0.125 0.25 0.375 0.5 0.75 1 1.5 2 3 4 6 8 12 16 24 0 -0.125 -0.25 -0.375 -0.5 -0.75 -1 -1.5 -2 -3 -4 -6 -8 -12 -16 -24
fp6_e2m3 6 row-step
    0 0.125 0.25 0.375 0.5 0.625 0.75 0.875 1 1.125 1.25 1.375 1.5 1.625 1.75 1.875 2 2.25 2.5 2.75 3 3.25 3.5 3.75 4 4.5 5 5.5 6 6.5 7 7.5 0 -0.125 -0.25 -0.375 -0.5 -0.625 -0.75 -0.875 -1 -1.125 -1.25 -1.375 -1.5 -1.625 -1.75 -1.875 -2 -2.25 -2.5 -2.75 -3 -3.25 -3.5 -3.75 -4 -4.5 -5 -5.5 -6 -6.5 -7 -7.5
fp6_e3m2 6 row-step
    0 0.0625 0.125 0.1875 0.25 0.3125 0.375 0.4375 0.5 0.625 0.75 0.875 1 1.25 1.5 1.75 2 2.5 3 3.5 4 5 6 7 8 10 12 14 16 20 24 28 0 -0.0625 -0.125 -0.1875 -0.25 -0.3125 -0.375 -0.4375 -0.5 -0.625 -0.75 -0.875 -1 -1.25 -1.5 -1.75 -2 -2.5 -3 -3.5 -4 -5 -6 -7 -8 -10 -12 -14 -16 -20 -24 -28
fp3_er 3 row-step
    0 1 2 4 3 -1 -2 -4
    0 1 2 4 -3 -1 -2 -4
fp3_ea 3 row-step
    0 1 2 4 6 -1 -2 -4
    0 1 2 4 -6 -1 -2 -4
fp4_er 4 row-step
    0 0.5 1 1.5 2 3 4 6 5 -0.5 -1 -1.5 -2 -3 -4 -6
    0 0.5 1 1.5 2 3 4 6 -5 -0.5 -1 -1.5 -2 -3 -4 -6
fp4_ea 4 row-step
    0 0.5 1 1.5 2 3 4 6 8 -0.5 -1 -1.5 -2 -3 -4 -6
    0 0.5 1 1.5 2 3 4 6 -8 -0.5 -1 -1.5 -2 -3 -4 -6
flint4 4 row-step
    0 1 2 3 4 6 8 16 0 -1 -2 -3 -4 -6 -8 -16
ant3 3 row-step
    -3 -2 -1 0 1 2 3
    0 1 2 4 0 -1 -2 -4
ant4 4 row-step
    -7 -6 -5 -4 -3 -2 -1 0 1 2 3 4 5 6 7
    0 1 2 3 4 6 8 16 0 -1 -2 -3 -4 -6 -8 -16
mxfp4 4 e8m0
    0 0.5 1 1.5 2 3 4 6 0 -0.5 -1 -1.5 -2 -3 -4 -6
nvfp4 4 e4m3
    0 0.5 1 1.5 2 3 4 6 0 -0.5 -1 -1.5 -2 -3 -4 -6
mxfp4_razer 4 e8m0
    0 0.5 1 1.5 2 3 4 6 5 -0.5 -1 -1.5 -2 -3 -4 -6
    0 0.5 1 1.5 2 3 4 6 -5 -0.5 -1 -1.5 -2 -3 -4 -6
    0 0.5 1 1.5 2 3 4 6 8 -0.5 -1 -1.5 -2 -3 -4 -6
    0 0.5 1 1.5 2 3 4 6 -8 -0.5 -1 -1.5 -2 -3 -4 -6
nvfp4_razer 4 e4m3
    0 0.5 1 1.5 2 3 4 6 5 -0.5 -1 -1.5 -2 -3 -4 -6
    0 0.5 1 1.5 2 3 4 6 -5 -0.5 -1 -1.5 -2 -3 -4 -6
    0 0.5 1 1.5 2 3 4 6 8 -0.5 -1 -1.5 -2 -3 -4 -6
    0 0.5 1 1.5 2 3 4 6 -8 -0.5 -1 -1.5 -2 -3 -4 -6
nf3 3 row-step
    -1 -0.53502274 -0.24693143 0 0.18333748 0.38199395 0.6229857 1
nf4 4 row-step
    -1 -0.6961928 -0.52507293 -0.39491743 -0.28444132 -0.1847734 -0.09104998 0 0.079580314 0.16093014 0.24611226 0.33791512 0.44070974 0.5626169 0.72295666 1
sf3 3 row-step
    -1 -0.4108477 -0.18011881 0 0.13296473 0.2838347 0.49107558 1
sf4 4 row-step
    -1 -0.62778056 -0.454736 -0.33433074 -0.23743437 -0.15289871 -0.074982464 0 0.065513074 0.13296473 0.20466101 0.2838347 0.37580484 0.49107558 0.65678114 1
apot4 4 row-step
    0 0.1 0.2 0.3 0.4 0.6 0.8 1 0 -0.1 -0.2 -0.3 -0.4 -0.6 -0.8 -1
apot4_sp 4 row-step
    0 0.1 0.2 0.3 0.4 0.6 0.8 1 0.5 -0.1 -0.2 -0.3 -0.4 -0.6 -0.8 -1
e2m1_sr 4 row-step
    0 0.5 1 1.5 2 3 4 6 8 -0.5 -1 -1.5 -2 -3 -4 -6
e2m1_sp 4 row-step
    0 0.5 1 1.5 2 3 4 6 5 -0.5 -1 -1.5 -2 -3 -4 -6
"""

S = {2: 4, 3: 8, 4: 2, 5: 8, 6: 4, 7: 8, 8: 1}  # codes that fill whole bytes
N = {2: 1, 3: 3, 4: 1, 5: 5, 6: 3, 7: 7, 8: 1}  # those bytes


def float32(x):
    """Rounds to float32. The product of two float32 is exact in a float."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


def codebooks(name):
    """Returns bits, scale format and the codebooks, lists of values by code."""
    lines = TABLE.split("\n")
    for i, line in enumerate(lines):
        fields = line.split()
        if not fields or line.startswith(" ") or fields[0] != name:
            continue
        bits = int(fields[1])
        if len(fields) == 3:
            books = []
            for values in lines[i + 1 :]:
                if not values.startswith(" "):
                    break
                books.append([float32(float(v)) for v in values.split()])
            return bits, fields[2], books
        if fields[3] == "code-selector":
            return bits, fields[2], [[float(c - z) for c in range(2**bits)] for z in range(2**bits)]
        middle = int(fields[3][len("code-") :])
        return bits, fields[2], [[float(c - middle) for c in range(2 * middle + 1)]]
    raise ValueError("unknown type " + name)


def scale(fmt, byte):
    if fmt == "row-step":
        return float(byte)
    if fmt == "e8m0" and byte != 255:
        return 2.0 ** (byte - 127)
    if fmt == "e4m3" and byte < 0x7F:
        e, m = byte >> 3, byte & 7
        return m * 2.0**-9 if e == 0 else (8 + m) * 2.0 ** (e - 10)
    raise ValueError("invalid scale %d" % byte)


def codes_at(bits, b):
    """Returns the S codes in N bytes."""
    if bits in (2, 4, 8):
        return [b[0] >> (bits * i) & (2**bits - 1) for i in range(8 // bits)]
    if bits == 3:
        cs = [b[i // 2] >> (3 * (i % 2)) & 7 for i in range(6)]
        return cs + [b[i] >> 6 | (b[2] >> (6 + i) & 1) << 2 for i in range(2)]
    cs = [b[i // 2] >> (4 * (i % 2)) & 15 for i in range(S[bits])]
    if bits == 5:
        return [c | (b[4] >> i & 1) << 4 for i, c in enumerate(cs)]
    if bits == 6:
        return [c | (b[2] >> (2 * i) & 3) << 4 for i, c in enumerate(cs)]
    return [c | (b[4 + i // 4] >> (2 * (i % 4)) & 3) << 4 | (b[6] >> i & 1) << 6 for i, c in enumerate(cs)]


def unpack(row, cols, bits):
    """Returns the codes of a row."""
    s, n = S[bits], N[bits]
    codes = []
    while len(codes) < cols:
        left = cols - len(codes)
        h = next((h for h in (64, 32, 16) if left >= h * s), -(-left // s))
        chunk, row = row[: n * h], row[n * h :]
        strips = [codes_at(bits, chunk[p::h]) for p in range(h)]  # by position
        codes += [strips[p][i] for i in range(s) for p in range(h)][:left]
    if row:
        raise ValueError("bytes left over in a row")
    return codes


def selector_bits(count):
    return next(b for b in (0, 1, 2, 4, 8) if count <= 2**b)


def decode(description, take):
    """Returns the weights of a quantized tensor as an array of float32.

    take(suffix) gives the stored tensor whose name ends in suffix."""
    if "parts" not in description:
        return decode_part(description, [take(s) for s in SUFFIXES])
    # Rows of several types: each is the next row of its part.
    cols = description["shape"][-1]
    _, order = take(".order")
    parts = [
        decode_part({"shape": [p["rows"], cols], **p}, [take(".%d%s" % (i, s)) for s in SUFFIXES])
        for i, p in enumerate(description["parts"])
    ]
    weights = array.array("f")
    used = [0] * len(parts)
    for i in order:
        weights.extend(parts[i][used[i] : used[i] + cols])
        used[i] += cols
    if used != [len(p) for p in parts]:
        raise ValueError("the order does not fit the parts")
    return weights


SUFFIXES = (".codes", ".scales", ".row_scales", ".special")


def decode_part(description, parts):
    """Returns the weights of rows of one type."""
    bits, fmt, books = codebooks(description["type"])
    shape, size = description["shape"], description["group_size"]
    cols = shape[-1]
    groups = -(-cols // size)
    b = selector_bits(len(books))
    codes, scales, row_scales, special = parts
    weights = array.array("f")
    for row in range(codes[0][0]):
        row_codes = unpack(row_of(codes, row), cols, bits)
        row_scale = struct.unpack_from("<f", row_scales[1], 4 * row)[0]
        row_special = row_of(special, row)
        for g in range(groups):
            selector = row_special[g * b // 8] >> (g * b % 8) & (2**b - 1) if b else 0
            k = scale(fmt, row_of(scales, row)[g])
            # One product for each code, instead of one for each weight.
            values = [float32(float32(q * k) * row_scale) for q in books[selector]]
            weights.extend(values[c] for c in row_codes[g * size : (g + 1) * size])
    return weights


def row_of(part, row):
    shape, data = part
    return data[row * shape[1] : (row + 1) * shape[1]]


def read_file(path):
    """Yields (name, shape, bytes of the values) of a safetensors file."""
    with open(path, "rb") as f:
        data = f.read()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    if metadata.get("bitmod.version") != "1":
        raise ValueError(path + ": not version 1 of the format")
    quantized = json.loads(metadata["bitmod.tensors"])
    sums = json.loads(metadata["bitmod.sha256"])
    stored = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        content = data[8 + length + begin : 8 + length + end]
        if hashlib.sha256(content).hexdigest() != sums[name]:
            raise ValueError(name + " is damaged")
        stored[name] = (t["shape"], content)
    for name, description in quantized.items():
        weights = decode(description, lambda suffix: stored.pop(name + suffix))
        if sys.byteorder == "big":
            weights.byteswap()
        yield name, description["shape"], weights.tobytes()
    for name, (shape, content) in stored.items():
        yield name, shape, content


def files(path):
    if not os.path.isdir(path):
        return [path]
    index = os.path.join(path, "model.safetensors.index.json")
    if not os.path.exists(index):
        return [os.path.join(path, "model.safetensors")]
    with open(index, encoding="utf-8") as f:
        names = set(json.load(f)["weight_map"].values())
    return [os.path.join(path, n) for n in sorted(names)]


if __name__ == "__main__":
    for path in files(sys.argv[1]):
        for name, shape, content in read_file(path):
            print(name, "x".join(map(str, shape)), hashlib.sha256(content).hexdigest())
