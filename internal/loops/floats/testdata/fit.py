"""fit.py: the coefficients of the polynomials of floats.go, by Remez's exchange in the sense of Lawson: weighted least
squares whose weights grow where the error is largest. It needs numpy and torch, and prints Go.
"""
import math

import numpy as np
import torch


def lawson(basis, target, rounds=3000):
    w = np.ones(len(target)) / len(target)
    best = None
    for _ in range(rounds):
        s = np.sqrt(w)[:, None]
        c = np.linalg.lstsq(basis * s, target * s[:, 0], rcond=None)[0]
        e = np.abs(basis @ c - target)
        if best is None or e.max() < best[0]:
            best = e.max(), c
        w *= e / e.max() + 1e-3
        w /= w.sum()
    return best


def show(name, error, c):
    print(f"// error {error:.1e}\n{name} = {{{', '.join(f'{np.float32(v):.9g}' for v in c)}}}")


# exp(r) = 1 + r + r²·q(r), relative, for |r| ≤ ln 2 / 2.
r = np.cos(np.linspace(0, np.pi, 801)) * math.log(2) / 2 * 1.0001
e = np.exp(r)
show("exp", *lawson(np.stack([r ** (2 + i) / e for i in range(5)], 1), (e - 1 - r) / e))

# 1 − Φ(z) of a normal distribution = exp(−z²/2)·p(t), t = 1/(1 + a·z), p without a constant, relative, for
# 0 ≤ z ≤ 14 and a = 0.3.
z = 14 * (1 - np.cos(np.linspace(0, np.pi / 2, 1601)))
f = (torch.special.erfcx(torch.tensor(z / math.sqrt(2))) / 2).numpy()
show("normal", *lawson(np.stack([(1 / (1 + 0.3 * z)) ** (1 + i) / f for i in range(8)], 1), np.ones_like(z)))
