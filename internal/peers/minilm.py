"""minilm.py MODELS [ROUNDS]: sentences a second of all-MiniLM-L6-v2, on one thread and on
two: this module, ONNX Runtime and PyTorch in turns, as a table of Markdown. MODELS is what
internal/models/get brings. 34 sentences of 30 tokens are one batch.

ONNX Runtime has a graph of its own fused operators, since exports of today's transformers
are not what its optimizer knows; 8 bits are dynamic quantization in both. It works in the
root folder of the repository, and needs Go and the PyPI packages torch, transformers, onnx
and onnxruntime.
"""

import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import onnx
import onnxruntime
import torch
import transformers
from onnxruntime.quantization import QuantType, quantize_dynamic

SENTENCES, TOKENS, BATCHES = 34, 30, 8

models = pathlib.Path(sys.argv[1]).resolve()
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
folder = tempfile.TemporaryDirectory()
work = pathlib.Path(folder.name)

ids = torch.tensor([[(i * 31 + j * 7) % 30522 for j in range(TOKENS)] for i in range(SENTENCES)])
mask = torch.ones_like(ids)
float_model = transformers.BertModel.from_pretrained(models / "minilm", add_pooling_layer=False).eval()

int_model = torch.ao.quantization.quantize_dynamic(float_model, {torch.nn.Linear}, dtype=torch.qint8)


def fused_graph():
    """Returns the model for sentences of TOKENS tokens, as ONNX Runtime wants it."""
    weights = {name: value.numpy() for name, value in float_model.state_dict().items()}
    nodes, constants = [], []

    def constant(name, value):
        constants.append(onnx.numpy_helper.from_array(numpy.ascontiguousarray(value), name))
        return name

    def node(operator, inputs, output, domain="", **attributes):
        nodes.append(onnx.helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def fused(operator, inputs, output, **attributes):
        return node(operator, inputs, output, "com.microsoft", **attributes)

    def weight(name):
        return constant(name, weights[name])

    def product(x, name, output):
        return node("MatMul", [x, constant(name, weights[name].T)], output)

    embeddings = "embeddings."
    positions = weights[embeddings + "position_embeddings.weight"][None, :TOKENS]
    kinds = weights[embeddings + "token_type_embeddings.weight"][0]
    x = node("Gather", [weight(embeddings + "word_embeddings.weight"), "ids"], "words")
    x = node("Add", [x, constant("positions", positions + kinds)], "placed")
    x = node("LayerNormalization", [x, weight(embeddings + "LayerNorm.weight"), weight(embeddings + "LayerNorm.bias")],
             "embedded", axis=-1, epsilon=1e-12)
    for i in range(float_model.config.num_hidden_layers):
        layer, step = f"encoder.layer.{i}.", f"layer{i}_"
        parts = [f"{layer}attention.self.{part}." for part in ("query", "key", "value")]
        matrix = numpy.concatenate([weights[part + "weight"].T for part in parts], axis=1)
        bias = numpy.concatenate([weights[part + "bias"] for part in parts])
        y = fused("Attention", [x, constant(step + "qkv", matrix), constant(step + "qkv_bias", bias)], step + "attention",
                  num_heads=float_model.config.num_attention_heads)
        for before, after in (("attention.output.", "mixed"), ("output.", "out")):
            if after == "out":
                y = product(x, layer + "intermediate.dense.weight", step + "up")
                y = fused("BiasGelu", [y, weight(layer + "intermediate.dense.bias")], step + "gelu")
            y = product(y, layer + before + "dense.weight", step + after + "_product")
            x = fused("SkipLayerNormalization",
                      [y, x, weight(layer + before + "LayerNorm.weight"), weight(layer + before + "LayerNorm.bias"),
                       weight(layer + before + "dense.bias")], step + after, epsilon=1e-12)
    graph = onnx.helper.make_graph(
        nodes, "minilm",
        [onnx.helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["sentences", TOKENS])],
        [onnx.helper.make_tensor_value_info(x, onnx.TensorProto.FLOAT, ["sentences", TOKENS, 384])], constants)
    return onnx.helper.make_model(graph, ir_version=8, opset_imports=[
        onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)])


float_file, int_file = str(work / "float.onnx"), str(work / "int.onnx")
onnx.save(fused_graph(), float_file)
quantize_dynamic(float_file, int_file, weight_type=QuantType.QInt8, per_channel=True,
                 extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})
with torch.inference_mode():
    hidden = float_model(ids, mask).last_hidden_state.numpy()
session = onnxruntime.InferenceSession(float_file, providers=["CPUExecutionProvider"])
numpy.testing.assert_allclose(session.run(None, {"ids": ids.numpy()})[0], hidden, atol=1e-4)


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


def onnx_runtime(file, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    feed = {"ids": ids.numpy()}
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
    ("ONNX Runtime", "float32"): lambda threads: onnx_runtime(float_file, threads),
    ("ONNX Runtime", "int8"): lambda threads: onnx_runtime(int_file, threads),
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
