"""Makes testdata/forms: small models in the forms in which others publish weights,
and the floats that reference implementations make of them.

    python forms.py [CASE ...]

Needs torch, safetensors, transformers (FP8 in blocks, MXFP8, MXFP4) and
compressed-tensors (FP8 by row and by tensor). NAME.safetensors is a model,
and NAME.json has its config.json and, of every tensor that Tensors should
return, the shape and the SHA-256 of its floats as F32.
"""

import hashlib
import json
import os
import sys

import torch
from safetensors.torch import save_file
from transformers.integrations.finegrained_fp8 import Fp8Dequantize
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "forms")
E4M3, E5M2, E8M0 = torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e8m0fnu
F32 = torch.float32


def randn(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F32)


def codes(*shape, seed=2, most=256):
    return torch.randint(0, most, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def fp8(*shape, dtype=E4M3, seed=3):
    """Every finite code, at random."""
    return finite(codes(*shape, seed=seed), dtype)


def finite(b, dtype):
    nan = (b & 0x7F) == 0x7F if dtype == E4M3 else (b & 0x7C) == 0x7C
    b[nan] = 0x81
    return b.view(dtype)


def by_transformers(weight, scale, blocks=None):
    """Fp8Dequantize, which wants whole blocks: the weight is filled up to them."""
    rows, cols = weight.shape[-2:]
    if weight.dtype == torch.int8:  # two weights of 4 bits
        cols *= 2
    if blocks:
        weight = weight.view(torch.uint8)
        weight = torch.nn.functional.pad(weight, (0, -cols % blocks[1], 0, -rows % blocks[0])).view(E4M3)
    w = Fp8Dequantize(None)._dequantize_one(weight, scale, output_dtype=F32)
    return w[..., :rows, :cols].contiguous()


def by_compressed_tensors(weight, scale):
    """Its dequantize takes floats on a grid, and multiplies in the scale's type."""
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import dequantize

    strategy = "tensor" if scale.numel() == 1 else "channel"
    args = QuantizationArgs(num_bits=8, type="float", strategy=strategy)
    return dequantize(weight, scale.to(F32), None, args, dtype=F32)


CASES = {}


def case(f):
    CASES[f.__name__] = f
    return f


@case
def fp8_blocks():
    """DeepSeek V3, Qwen3-FP8; ragged at both ends, and experts in one tensor."""
    p = "model.layers.0.mlp."
    w, s = fp8(40, 56), randn(3, 4).abs() * 0.01
    e, t = fp8(3, 32, 48, seed=4), randn(3, 2, 3).abs() * 0.01
    tensors = {
        p + "up_proj.weight": w, p + "up_proj.weight_scale_inv": s,
        p + "experts.gate_up_proj": e, p + "experts.gate_up_proj_scale_inv": t,
        "model.norm.weight": randn(56).bfloat16(),
    }
    want = {
        p + "up_proj.weight": by_transformers(w, s, (16, 16)),
        p + "experts.gate_up_proj": by_transformers(e, t),
        "model.norm.weight": tensors["model.norm.weight"].float(),
    }
    return tensors, want, {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [16, 16], "activation_scheme": "dynamic"}


@case
def fp8_blocks128():
    """Without a configuration, in the blocks that all have."""
    a, s = fp8(130, 9, seed=5), randn(2, 1)
    b, t = fp8(3, 258, seed=6), randn(1, 3)
    tensors = {"a.weight": a, "a.weight_scale_inv": s, "b.weight": b, "b.weight_scale_inv": t}
    return tensors, {"a.weight": by_transformers(a, s, (128, 128)), "b.weight": by_transformers(b, t, (128, 128))}, None


@case
def fp8_static():
    """transformers with activation_scheme static, and scales that are powers of two."""
    w, s = fp8(32, 32), torch.tensor([[1, 130], [127, 0]], dtype=torch.uint8)
    tensors = {"l.weight": w, "l.weight_scale_inv": s.view(E8M0), "l.activation_scale": torch.tensor(0.5)}
    return tensors, {"l.weight": by_transformers(w, s)}, {"quant_method": "fp8", "weight_block_size": [16, 16]}


@case
def fp8_deepseek():
    """DeepSeek's own names."""
    w, s = fp8(32, 32), randn(2, 2).abs()
    x, e = codes(8, 32).view(torch.int8), codes(8, 2, most=240)
    tensors = {"l.weight": w, "l.scale": s, "x.weight": x, "x.scale": e.view(E8M0)}
    want = {"l.weight": by_transformers(w, s), "x.weight": by_transformers(x, e)}
    return tensors, want, {"quant_method": "fp8", "weight_block_size": [16, 16]}


@case
def mxfp8():
    """32 of a row share a power of two."""
    w, s = fp8(6, 96), codes(6, 3, most=255)
    s[:, 1:] = 110 + s[:, 1:] % 20
    s[:, 0] = torch.tensor([0, 1, 127, 240, 100, 64])
    return {"l.weight": w, "l.weight_scale": s}, {"l.weight": by_transformers(w, s)}, {"quant_method": "mxfp8"}


@case
def fp8_rows():
    """compressed-tensors by channel, FBGEMM: [rows, 1] and [rows], of several types."""
    tensors, want = {}, {}
    for i, (dtype, shape) in enumerate([(F32, (12, 1)), (torch.bfloat16, (12, 1)), (torch.float16, (12,))]):
        w, s = fp8(12, 20, seed=6 + i), (randn(12, seed=i) * 0.1).reshape(shape).to(dtype)
        tensors |= {f"l{i}.weight": w, f"l{i}.weight_scale": s, f"l{i}.input_scale": torch.tensor([0.5])}
        want[f"l{i}.weight"] = by_compressed_tensors(w, s.reshape(12, 1))
    groups = {"group_0": {"weights": {"num_bits": 8, "type": "float", "strategy": "channel"}, "targets": ["Linear"]}}
    return tensors, want, {"quant_method": "compressed-tensors", "format": "float-quantized", "config_groups": groups}


@case
def fp8_tensor():
    """compressed-tensors and ModelOpt by tensor, with scales of a cache of keys and values."""
    tensors, want = {}, {}
    for i, (dtype, shape) in enumerate([(F32, (1,)), (F32, ()), (torch.bfloat16, (1, 1))]):
        w, s = fp8(12, 20, seed=9 + i), torch.full(shape, 0.1234).to(dtype)
        tensors |= {f"l{i}.weight": w, f"l{i}.weight_scale": s, f"l{i}.input_scale": torch.tensor(0.5)}
        want[f"l{i}.weight"] = by_compressed_tensors(w, s.reshape(1))
    tensors |= {"attn.k_scale": torch.tensor(1.0), "attn.v_scale": torch.tensor(1.0)}
    return tensors, want, {"quant_method": "modelopt", "quant_algo": "FP8"}


@case
def fp8_columns():
    """FBGEMM's experts of Llama 4, [experts, in, out]. transformers only multiplies by them on GPUs: by definition."""
    w, s = fp8(2, 24, 10), randn(2, 1, 10).abs()
    d, t = fp8(2, 12, 24, seed=7), randn(2, 24, 1).abs()
    p = "feed_forward.experts."
    tensors = {p + "gate_up_proj": w, p + "gate_up_proj_scale": s, p + "down_proj": d, p + "down_proj_scale": t}
    want = {p + "gate_up_proj": w.float() * s, p + "down_proj": d.float() * t.transpose(1, 2)}
    return tensors, want, {"quant_method": "fbgemm_fp8"}


@case
def fp8_plain():
    """Every finite code of both types, without scales, as diffusion models have them."""
    b = torch.arange(256, dtype=torch.int32).to(torch.uint8).reshape(8, 32)
    tensors = {"a.weight": finite(b.clone(), E4M3), "b.weight": finite(b, E5M2), "a.bias": randn(8)}
    return tensors, {k: v.float() for k, v in tensors.items()}, None


@case
def mxfp4():
    """gpt-oss: [experts, in, out] from blocks of [experts, out, in/32, 16]; every finite scale."""
    p = "model.layers.0.mlp.experts."
    up, ups = codes(2, 128, 1, 16), torch.arange(256, dtype=torch.int32).to(torch.uint8).reshape(2, 128, 1)
    ups[1, 125:, 0] = 120  # 6·2^126 is beyond float32
    down, downs = codes(2, 6, 3, 16, seed=8), 110 + codes(2, 6, 3, most=20)
    tensors = {
        p + "gate_up_proj_blocks": up, p + "gate_up_proj_scales": ups, p + "gate_up_proj_bias": randn(2, 128).bfloat16(),
        p + "down_proj_blocks": down, p + "down_proj_scales": downs,
    }
    want = {
        p + "gate_up_proj": convert_moe_packed_tensors(up, ups, dtype=F32).contiguous(),
        p + "gate_up_proj_bias": tensors[p + "gate_up_proj_bias"].float(),
        p + "down_proj": convert_moe_packed_tensors(down, downs, dtype=F32).contiguous(),
    }
    bf16 = convert_moe_packed_tensors(up, ups, dtype=torch.bfloat16)
    assert torch.equal(bf16.float(), want[p + "gate_up_proj"])
    return tensors, want, {"quant_method": "mxfp4"}


def main(names):
    os.makedirs(OUT, exist_ok=True)
    for name in names or CASES:
        tensors, want, config = CASES[name]()
        save_file({k: v.contiguous() for k, v in tensors.items()}, f"{OUT}/{name}.safetensors")
        digests = {k: {"shape": list(v.shape), "sha256": hashlib.sha256(v.contiguous().numpy().tobytes()).hexdigest()} for k, v in want.items()}
        with open(f"{OUT}/{name}.json", "w") as f:
            json.dump({"config": {"quantization_config": config} if config else {}, "want": digests}, f, indent=1)
            f.write("\n")
        os.chmod(f"{OUT}/{name}.safetensors", 0o644)


if __name__ == "__main__":
    main(sys.argv[1:])
