"""minilm.py MODELS [ROUNDS]: sentences a second of all-MiniLM-L6-v2, on one thread and on
two: this module, ONNX Runtime and PyTorch in turns, as a table of Markdown. MODELS is what
internal/models/get brings. 34 sentences of 30 tokens are one batch.

ONNX Runtime has the graph that its own optimizer makes of PyTorch's export; 8 bits are
dynamic quantization in both. It works in the root folder of the repository, and needs Go
and the PyPI packages torch, transformers, onnx and onnxruntime.
"""

import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import onnxruntime
import torch
import transformers
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer

SENTENCES, TOKENS, BATCHES = 34, 30, 8

models = pathlib.Path(sys.argv[1]).resolve()
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
folder = tempfile.TemporaryDirectory()
work = pathlib.Path(folder.name)

ids = torch.tensor([[(i * 31 + j * 7) % 30522 for j in range(TOKENS)] for i in range(SENTENCES)])
mask = torch.ones_like(ids)
float_model = transformers.BertModel.from_pretrained(models / "minilm", add_pooling_layer=False).eval()
int_model = torch.ao.quantization.quantize_dynamic(float_model, {torch.nn.Linear}, dtype=torch.qint8)
float_file, fused_file, int_file = (str(work / f"{name}.onnx") for name in ("float", "fused", "int"))
torch.onnx.export(float_model, (ids, mask), float_file, input_names=["ids", "mask"], output_names=["hidden"],
                  opset_version=17, dynamo=False)
fused = optimizer.optimize_model(float_file, model_type="bert", num_heads=12, hidden_size=384)
fused.save_model_to_file(fused_file)
quantize_dynamic(fused_file, int_file, weight_type=QuantType.QInt8, per_channel=True)


def best(run):
    """Returns sentences a second of the fastest of some batches: the least disturbed."""
    seconds = []
    for _ in range(BATCHES):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return SENTENCES / min(seconds)


def pytorch(model, threads):
    torch.set_num_threads(threads)
    with torch.inference_mode():
        return best(lambda: model(ids, mask))


def onnx(file, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    feed = {"ids": ids.numpy(), "mask": mask.numpy()}
    feed = {i.name: feed[i.name] for i in session.get_inputs()}
    return best(lambda: session.run(None, feed))


subprocess.run(["go", "test", "-c", "-o", work / "encoder", "./internal/llm/encoder"], check=True)


def ours(kind, threads):
    out = subprocess.run(
        [work / "encoder", "-test.run", "^$", "-test.bench", f"Forward/type={kind}$/threads={threads}$",
         "-test.benchtime", "1x", "-test.count", str(BATCHES)],
        check=True, capture_output=True, text=True, cwd="internal/llm/encoder",
        env=os.environ | {"BITMOD_MODELS": str(models)}).stdout
    return max(map(float, re.findall(r"([\d.]+) sentences/s", out)))


programs = {
    ("bitmod", "float32"): lambda threads: ours("float32", threads),
    ("bitmod", "int8"): lambda threads: ours("int8", threads),
    ("bitmod", "bitmod4"): lambda threads: ours("bitmod4", threads),
    ("ONNX Runtime", "float32"): lambda threads: onnx(fused_file, threads),
    ("ONNX Runtime", "int8"): lambda threads: onnx(int_file, threads),
    ("PyTorch", "float32"): lambda threads: pytorch(float_model, threads),
    ("PyTorch", "int8"): lambda threads: pytorch(int_model, threads),
}
found = {}
for _ in range(rounds):
    for name, run in programs.items():
        for threads in (1, 2):
            found.setdefault((name, threads), []).append(run(threads))

print(f"onnxruntime {onnxruntime.__version__}, torch {torch.__version__}\n")
print("| program | weights | sentences/s, 1 thread | 2 threads |\n|---|---|---|---|")
for program, kind in programs:
    one, two = (statistics.median(found[(program, kind), threads]) for threads in (1, 2))
    print(f"| {program} | {kind} | {one:.0f} | {two:.0f} |")
