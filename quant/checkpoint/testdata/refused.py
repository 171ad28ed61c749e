"""Makes testdata/refused.json: what the tensors of one layer are called, and their
types and shapes, in forms that are refused, as the programs write them that
define these forms. Each is asked for one layer of [64, 128].

    python refused.py

Needs torch, bitsandbytes, hqq, optimum-quanto, torchao, mlx and
compressed-tensors; all run without a GPU.
"""

import json
import os

import torch

DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3", "uint8": "U8", "int8": "I8",
    "int16": "I16", "int32": "I32", "int64": "I64", "uint32": "U32", "bool": "BOOL", "float8_e8m0fnu": "F8_E8M0",
}
forms = []


def add(form, by, tensors, plain=("bias",)):
    forms.append({
        "form": form,
        "by": by,
        "plain": [k for k in tensors if k in plain],
        "tensors": [{"name": k, "dtype": DTYPES[str(v.dtype).rsplit(".", 1)[-1]], "shape": list(v.shape)} for k, v in tensors.items() if hasattr(v, "shape")],
    })


def linear(dtype=torch.float32, bias=False):
    return torch.nn.Linear(128, 64, bias=bias, dtype=dtype)


def bitsandbytes():
    import bitsandbytes as bnb

    for kind in "nf4", "fp4":
        for nested in False, True:
            m = bnb.nn.Linear4bit(128, 64, bias=False, quant_type=kind, compress_statistics=nested)
            m.load_state_dict(linear().state_dict())
            m = m.to("cpu")
            add("bitsandbytes of 4 bits", f"bitsandbytes {bnb.__version__} {kind}", m.state_dict())
    m = bnb.nn.Linear8bitLt(128, 64, bias=False, has_fp16_weights=False)
    m.load_state_dict(linear().state_dict())
    m = m.to("cpu")
    m(torch.randn(1, 128).half())
    add("bitsandbytes of 8 bits", f"bitsandbytes {bnb.__version__}", m.state_dict())


def hqq():
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear

    m = HQQLinear(linear(bias=True), BaseQuantizeConfig(nbits=4, group_size=64), compute_dtype=torch.float32, device="cpu")
    add("HQQ", "hqq", m.state_dict())


def quanto():
    from optimum.quanto import freeze, qfloat8, qint4, qint8, quantize

    for q in qint4, qint8, qfloat8:
        m = torch.nn.Sequential(linear())
        quantize(m, weights=q)
        freeze(m)
        add("quanto", f"optimum-quanto {q.name}", {k.removeprefix("0."): v for k, v in m.state_dict().items()})


def torchao():
    import torchao
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
    from torchao.quantization import Float8WeightOnlyConfig, Int8WeightOnlyConfig, quantize_

    for c in Int8WeightOnlyConfig(), Float8WeightOnlyConfig():
        m = torch.nn.Sequential(linear(torch.bfloat16))
        quantize_(m, c)
        tensors, _ = flatten_tensor_state_dict(m.state_dict())
        add("torchao", f"torchao {torchao.__version__} {type(c).__name__}", {k.removeprefix("0."): v for k, v in tensors.items()})


def mlx():
    import mlx.core as mx

    for mode in "affine", "mxfp4", "nvfp4", "mxfp8":
        parts = mx.quantize(mx.random.normal((64, 128)), mode=mode)
        add("MLX", f"mlx {mx.__version__} {mode}", dict(zip(("weight", "scales", "biases"), parts)))


def compressed_tensors():
    import compressed_tensors
    from compressed_tensors.compressors import compress_module
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme, initialize_module_for_quantization

    for form, fmt, args in [
        ("pack-quantized of compressed-tensors", "pack-quantized", dict(num_bits=4, type="int", strategy="group", group_size=32)),
        ("NVFP4 of compressed-tensors", "nvfp4-pack-quantized", dict(num_bits=4, type="float", strategy="tensor_group", group_size=16, scale_dtype=torch.float8_e4m3fn)),
        ("pack-quantized of compressed-tensors", "mxfp4-pack-quantized", dict(num_bits=4, type="float", strategy="group", group_size=32, scale_dtype=torch.uint8)),
        ("I8 with scales", "int-quantized", dict(num_bits=8, type="int", strategy="channel")),
    ]:
        m = linear(torch.bfloat16)
        initialize_module_for_quantization(m, QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**args)))
        for name, p in m.named_parameters():
            if name != "weight":
                p.data = torch.ones_like(p.data.float()).to(p.dtype)
        compress_module(m, fmt)
        add(form, f"compressed-tensors {compressed_tensors.__version__} {fmt}", m.state_dict())


if __name__ == "__main__":
    torch.manual_seed(0)
    for f in bitsandbytes, hqq, quanto, torchao, mlx, compressed_tensors:
        f()
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "refused.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(x) for x in forms) + "\n]\n")
