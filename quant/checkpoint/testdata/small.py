"""Writes small.safetensors, which ExampleOpenFS embeds. It needs nothing but Python's standard library."""

import json
import pathlib
import struct

tensors = [("layers.0.up_proj.weight", [2, 8], [i - 7.5 for i in range(16)]), ("layers.0.norm.weight", [8], [1.0] * 8)]
header, data = {"__metadata__": {"format": "pt"}}, b""
for name, shape, values in tensors:
    raw = struct.pack(f"<{len(values)}f", *values)
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
pathlib.Path(__file__).with_name("small.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
