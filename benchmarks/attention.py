"""Self-attention in two heads, forward and backward to parameters and inputs: many short sequences, and a long one.

PyTorch's fastest way is asked for (need_weights=False, its fused kernel). The long sequence is there for the memory: a row's
peak must not hold the T x T weights, which alone would be 128 MB at T = 4,096.
"""

import numpy as np

from .common import TINYDL, Row
from .training import CovectorGradients

HIDDEN, HEADS = 64, 2
NAMES = "in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"


def _problem(batch, steps, quick_steps):
    def problem(quick):
        rng, E = np.random.default_rng(0), HIDDEN
        T = quick_steps if quick else steps
        shapes = dict(zip(NAMES, ((3 * E, E), 3 * E, (E, E), E), strict=True))
        return {"x": rng.standard_normal((batch, T, E), np.float32), "v": rng.standard_normal((batch, T, E), np.float32),
                **{name: rng.uniform(-0.2, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}}
    return problem


def _attending(library, problem, array):
    """A module of x alone around the library's MultiheadAttention."""
    class SelfAttention(library.nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = library.nn.MultiheadAttention(HIDDEN, HEADS, batch_first=True)
            self.inside.load_state_dict({name: array(problem[name]) for name in NAMES})

        def forward(self, x):
            return self.inside(x, x, x, need_weights=False)

    return SelfAttention()


def _tinydl(problem):
    import tinydl

    return CovectorGradients(_attending(tinydl, problem, np.asarray), tinydl.tensor(problem["x"], requires_grad=True),
                             tinydl.tensor(problem["v"]))


def _torch(problem):
    import torch

    return CovectorGradients(_attending(torch, problem, torch.from_numpy), torch.tensor(problem["x"], requires_grad=True),
                             torch.from_numpy(problem["v"]))


def _flops(problem):
    """The affine maps, forward and twice backward; scores and values, forward, again, and twice backward."""
    B, T, E = problem["x"].shape
    return 3 * 2 * B * T * E * 4 * E + (2 + 1 + 4) * 2 * B * T * T * E


ROWS = {name: Row(f"self-attention, B {batch}, T {steps:,}, D {HIDDEN}, {HEADS} heads", _problem(batch, steps, quick),
                  {TINYDL: _tinydl, "eager": _torch}, must, flops=_flops)
        for name, batch, steps, quick, must in (("attention", 128, 50, 10, 1.0), ("long-attention", 1, 4096, 512, None))}
